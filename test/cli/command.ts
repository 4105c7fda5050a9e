import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Prediction } from '../../lib';

/** Compiled tests lie three levels below the package. */
export const root = path.join(__dirname, '../../..');
export const main = path.join(root, 'dist/lib/cli/main.js');
export const fixture = (name: string) => path.join(root, 'test/fixtures/weights', name);

/** Runs the command in the package's folder. */
export function shufflenet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: root });
  return { status, stdout, stderr };
}

/** The command under way in the package's folder. `ended` gives what it came to. */
export function start(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { cwd: root, timeout: 30_000, killSignal: 'SIGKILL' });
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, stderr }));
  // Reads nothing before it is asked for the first line.
  const lines = (async function* () {
    yield* createInterface({ input: child.stdout });
  })();
  return { child, ended, lines };
}

export type Result = { image: string; predictions?: Prediction[]; error?: { code: string; message: string } };

export function parseLines(text: string): Result[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
}
