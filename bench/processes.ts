import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

/** Of the repository. */
export const root = path.join(__dirname, '../..');

/** Runs a script in a Node.js of its own: milliseconds from spawn to its first line on stdout, and that line. */
export function firstLine(script: string, args: readonly string[] = []): Promise<{ time: number; line: string }> {
  return untilLine(process.execPath, ['-e', script, ...args], 1);
}

/** Milliseconds from spawn to the `count`th line on stdout, `input` being on stdin. Ends the process then. */
export function untilLine(
  command: string,
  args: readonly string[],
  count: number,
  input = '',
): Promise<{ time: number; line: string }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, { stdio: 'pipe' });
    let text = '';
    let errors = '';
    let found: { time: number; line: string } | undefined;
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.stderr.on('data', (data) => (errors += data));
    child.stdout.on('data', (data) => {
      text += data;
      const lines = text.split('\n');
      if (found || lines.length <= count) return;
      found = { time: performance.now() - start, line: lines[count - 1]! };
      child.kill();
    });
    child.on('error', reject);
    child.on('close', () => (found ? resolve(found) : reject(new Error(`${command} ${args[0]}: ${errors || text}`))));
  });
}

/** Resident set of a process, in bytes. */
export function residentBytes(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return 1024 * Number(stdout);
}
