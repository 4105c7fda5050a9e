/** What exits.ts ends in the middle: as a worker thread (workerData), or as a process (arguments) that ends itself. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { ShuffleNet } from '../../lib';
import { ramp, seeded, sleep, smallFile } from './measure';

export type Task = 'run' | 'small' | 'load' | 'answer';

async function busy(task: Task, threads: number, tell: (message: string) => void): Promise<void> {
  if (task === 'answer') {
    const model = await ShuffleNet.load(undefined, { threads });
    const { data } = await model.run(ramp(64));
    tell(data.slice(0, 8).join());
    return;
  }
  const image = ramp(384);
  if (task === 'run') {
    const model = await ShuffleNet.load(undefined, { threads });
    tell('running');
    for (;;) await Promise.all([model.run(image), model.run(image), model.run(image)]);
  }
  if (task === 'small') {
    // Results in quick succession: the end comes between two of them, or in the middle of handing one over.
    const model = await ShuffleNet.load(smallFile(), { threads });
    const tiny = ramp(32);
    tell('running');
    for (;;) await Promise.all(Array.from({ length: 64 }, () => model.run(tiny)));
  }
  tell('loading');
  for (;;) await Promise.all([ShuffleNet.load(undefined, { threads }), ShuffleNet.load(undefined, { threads })]);
}

if (!isMainThread) {
  const { task, threads } = workerData as { task: Task; threads: number };
  void busy(task, threads, (message) => parentPort!.postMessage(message));
} else if (process.argv.length === 5) {
  const [task, threads, code] = process.argv.slice(2) as [Task, string, string];
  void busy(task, Number(threads), (message) => {
    // Before the delay: the process may be gone before a pipe is written.
    process.stdout.write(message, () => {
      void sleep(seeded(Number(code))() * 20).then(() => process.exit(Number(code)));
    });
  });
}
