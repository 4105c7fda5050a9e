/** Threads terminated and processes exited in the middle of things: no crash, no hang, and the right exit codes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { inParallel, root, round, seeded, sleep, within, type Outcome } from './measure';
import type { Task } from './busy';

// This thread never loads the addon: its code must not go with the last worker that did.
const program = path.join(__dirname, 'busy.js');
/** Built by `npm run test:native`, on Linux. */
const lateExit = path.join(root, 'test/native/build/Release/late_exit.node');
const longest = 20_000;
const tasks: readonly Task[] = ['run', 'small', 'run', 'load'];
const start = (task: Task, threads: number) => new Worker(program, { workerData: { task, threads } });

/** Each is terminated somewhere in the middle of what it does. */
async function terminateWorkers(count: number, broken: string[]): Promise<number> {
  const random = seeded(1);
  let slowest = 0;
  await inParallel(count, 4, async (i) => {
    const task = tasks[i % 4]!;
    const worker = start(task, 1 + (i % 3 === 0 ? 1 : 0));
    worker.on('error', (error) => broken.push(`worker ${i} (${task}): ${error.message}`));
    try {
      await within(longest, `worker ${i} before its message`, once(worker, 'message'));
      await sleep(random() * 20);
      const from = performance.now();
      const code = await within(longest, `terminate() of worker ${i} (${task})`, worker.terminate());
      slowest = Math.max(slowest, performance.now() - from);
      if (code !== 1) broken.push(`worker ${i} (${task}) ended with ${code}`);
    } catch (error) {
      broken.push((error as Error).message);
    }
  });
  return slowest;
}

async function exitProcesses(count: number, broken: string[]): Promise<number> {
  let slowest = 0;
  await inParallel(count, 2, async (i) => {
    const task = tasks[i % 4]!;
    const code = 2 + (i % 100);
    const child = spawn(process.execPath, [program, task, `${1 + (i % 2)}`, `${code}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(existsSync(lateExit) && { LD_PRELOAD: lateExit }) },
    });
    let output = '';
    let at = NaN;
    child.stdout.on('data', () => (at = performance.now()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    try {
      const [status, signal] = await within(longest, `process ${i} (${task})`, once(child, 'exit'));
      slowest = Math.max(slowest, performance.now() - at);
      if (status !== code || output !== '')
        broken.push(`process ${i} (${task}): ${signal ?? status} for ${code} ${output}`);
    } catch (error) {
      broken.push((error as Error).message);
      child.kill('SIGKILL');
    }
  });
  return slowest;
}

/** All load at once and must see the same. */
async function loadTogether(count: number, broken: string[]): Promise<number> {
  const from = performance.now();
  const answers = await Promise.allSettled(
    Array.from({ length: count }, async (_, i) => {
      const worker = start('answer', 1);
      // Both from the beginning: the end may come right after the answer.
      const ended = Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      const [[answer], [code]] = await within(5 * longest, `loading worker ${i}`, ended);
      return `${code} ${answer}`;
    }),
  );
  const different = new Set(answers.map((one) => (one.status === 'fulfilled' ? one.value : `${one.reason}`)));
  if (different.size !== 1 || ![...different][0]!.startsWith('0 ')) broken.push(`workers say ${[...different]}`);
  return performance.now() - from;
}

export async function measure(short: boolean): Promise<Outcome> {
  const broken: string[] = [];
  const terminated = short ? 12 : 1000;
  const exited = short ? 4 : 100;
  const together = short ? 8 : 64;
  const slowestTerminateMs = round(await terminateWorkers(terminated, broken));
  const slowestExitMs = round(await exitProcesses(exited, broken));
  const togetherMs = round(await loadTogether(together, broken));
  return { figures: { terminated, slowestTerminateMs, exited, slowestExitMs, together, togetherMs }, broken };
}
