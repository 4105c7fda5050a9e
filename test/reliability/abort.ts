/**
 * From abort() to the rejection: 5 ms, whatever the size of the image, while the call runs and while it waits.
 *
 * A machine that is busy with other things takes the cores away for longer, so a control shows what it allows at all:
 * threads that do nothing but look at a flag until it is set. What calls take longer than the control counts.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ShuffleNet, ShuffleNetError } from '../../lib';
import { example, quantile, ramp, round, sleep, within, type Outcome } from './measure';

const most = 5;

const watcher = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (flag) => {
    while (Atomics.load(flag, 0) === 0);
    parentPort.postMessage('seen');
  });`;

/** Rejects once all have seen that the signal aborted. */
async function watched(watchers: readonly Worker[], signal: AbortSignal): Promise<never> {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  signal.addEventListener('abort', () => Atomics.store(flag, 0, 1));
  const seen = watchers.map((worker) => once(worker, 'message'));
  for (const worker of watchers) worker.postMessage(flag);
  await Promise.all(seen);
  throw new ShuffleNetError('ERR_ABORTED', 'as the real ones do');
}

export async function measure(short: boolean): Promise<Outcome> {
  const times = short ? 2 : 40;
  const broken: string[] = [];
  const figures: Record<string, unknown> = {};
  const model = await ShuffleNet.load();
  await model.classify(example('coffee.jpg'));
  // The short form is too short for the control to see all that the tests beside it do.
  const limit = (short ? 20 : 1) * most;
  let allowed = 0;

  /** Aborts `call` after each of these delays. */
  const aborted = async (
    name: string,
    delays: readonly number[],
    call: (signal: AbortSignal, model: ShuffleNet) => Promise<unknown>,
    make: () => Promise<ShuffleNet> | ShuffleNet = () => model,
  ) => {
    const milliseconds: number[] = [];
    for (const delay of delays) {
      const model = await make();
      const controller = new AbortController();
      let from = NaN;
      const settled = call(controller.signal, model).then(
        () => 'done',
        (error: unknown) => {
          if (Number.isFinite(from)) milliseconds.push(performance.now() - from);
          return error instanceof ShuffleNetError ? error.code : String(error);
        },
      );
      // At once the first time: a busy machine may wake this thread only after the run.
      if (delay > 0) await sleep(delay);
      from = performance.now();
      controller.abort();
      const outcome = await within(20_000, name, settled);
      // What was faster than the delay was not aborted.
      if (outcome !== 'ERR_ABORTED' && outcome !== 'done') broken.push(`${name}: ${outcome}`);
    }
    const worst = quantile(milliseconds, 1);
    const at = (share: number) => round(quantile(milliseconds, share));
    figures[name] = { n: milliseconds.length, p50: at(0.5), p99: at(0.99), max: at(1) };
    if (milliseconds.length === 0) broken.push(`${name}: never aborted in time`);
    if (worst > limit + allowed) broken.push(`${name}: ${round(worst)} ms`);
    return worst;
  };
  const spread = (longest: number) => Array.from({ length: times }, (_, i) => (longest * i) / times);

  const sizes = [
    [224, 4],
    [1024, 60],
    [short ? 2048 : 4096, short ? 250 : 1000],
  ] as const;
  for (const threads of [1, 2]) {
    const watchers = Array.from({ length: threads }, () => new Worker(watcher, { eval: true }));
    const watch = (signal: AbortSignal) => watched(watchers, signal);
    allowed = Infinity;
    allowed = await aborted(`control, ${threads} threads`, [...spread(60), ...spread(1000)], watch);
    for (const worker of watchers) await worker.terminate();
    for (const [side, longest] of sizes) {
      const image = ramp(side);
      const name = `${side} px, ${threads} threads`;
      const run = (signal: AbortSignal, model: ShuffleNet) => model.run(image, { signal });
      // A new model's first run makes its plan and its memory.
      const fresh = () => ShuffleNet.load(undefined, { threads });
      await aborted(
        `${name}, first run`,
        spread(longest),
        (signal, model) => run(signal, model).finally(() => model.close()),
        fresh,
      );

      const model = await fresh();
      await model.run(image);
      await aborted(`${name}, running`, spread(longest), run, () => model);
      const others = new AbortController();
      const crowd = Array.from({ length: 8 }, async () => {
        while (!others.signal.aborted) await model.run(image, { signal: others.signal }).catch(() => {});
      });
      await aborted(`${name}, queued`, spread(longest), run, () => model);
      others.abort();
      await Promise.all(crowd);
      model.close();
    }
  }
  await aborted('load', spread(20), (signal) => ShuffleNet.load(undefined, { signal }));
  await aborted('classify', spread(10), (signal) => model.classify(example('coffee.jpg'), { signal }));
  return { figures, broken };
}
