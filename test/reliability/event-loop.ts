/**
 * The main thread stays free while every core is busy: the delay of the event loop, and how long each kind of call
 * keeps the main thread before it gives it back.
 *
 * A machine that is busy with other things takes the cores away from the main thread too. How much of the delay that
 * is, a control shows: the same delay while threads that do nothing but count keep the cores busy.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { ShuffleNet } from '../../lib';
import { example, quantile, ramp, round, sleep, type Outcome } from './measure';

const mostP99 = 10;
const mostCall = 2;

/**
 * Lower quartiles: the thread that a call wakes often takes the core from it, but what is slow by itself is slow each
 * time.
 */
async function callTimes(times: number): Promise<Record<string, number>> {
  const photo = await readFile(example('coffee.jpg'));
  const images = [ramp(224), ramp(1024), ramp(2048)];
  const taken: Record<string, number[]> = {};
  const timed = <T>(name: string, call: () => T): T => {
    const from = performance.now();
    const result = call();
    (taken[name] ??= []).push(performance.now() - from);
    return result;
  };
  await (await ShuffleNet.load()).classify(photo); // the first one loads sharp
  for (let i = 0; i < times; i++) {
    const model = await timed('load', () => ShuffleNet.load());
    for (const image of images) {
      const side = image.shape[3];
      const done = timed(`run ${side}`, () => model.run(image));
      for (let j = 0; j < 10; j++) {
        await sleep(2);
        timed(`memory ${side}`, () => model.memory());
      }
      await done;
    }
    await timed('classify', () => model.classify(photo));
    await sleep(50); // until no other thread holds the model
    timed('close', () => model.close());
  }
  return Object.fromEntries(Object.entries(taken).map(([name, all]) => [name, round(quantile(all, 0.25))]));
}

export async function measure(short: boolean): Promise<Outcome> {
  const model = await ShuffleNet.load();
  const photo = await readFile(example('coffee.jpg'));
  const images = [ramp(224), ramp(1024), ramp(2048)];
  let calls = 0;
  let stop = false;
  const lane = async (i: number) => {
    for (; !stop; calls++) await (i % 2 ? model.classify(photo) : model.run(images[(i / 2) % 3]!));
  };
  const during = async (milliseconds: number, work: () => Promise<unknown>) => {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    stop = false;
    const done = work();
    await sleep(short ? 300 : 2000);
    delay.enable();
    await sleep(milliseconds);
    delay.disable();
    stop = true;
    await done;
    const at = (percentile: number) => round(delay.percentile(percentile) / 1e6);
    return { p50: at(50), p99: at(99), 'p99.9': at(99.9), max: round(delay.max / 1e6) };
  };

  const callMs = await callTimes(short ? 2 : 30);
  const idleMs = await during(short ? 500 : 5000, async () => {});
  // What the machine allows when as many threads do nothing but count.
  const spinning = Array.from({ length: availableParallelism() }, () => new Worker('for (;;);', { eval: true }));
  const controlMs = await during(short ? 500 : 20_000, async () => {});
  for (const worker of spinning) await worker.terminate();
  const lanes = 3 * Math.max(2, availableParallelism());
  const busyMs = await during(short ? 1500 : 60_000, () =>
    Promise.all(Array.from({ length: lanes }, (_, i) => lane(i))),
  );
  const loadingMs = await during(short ? 1000 : 10_000, async () => {
    while (!stop) (await ShuffleNet.load()).close();
  });

  // The short form runs beside other tests, which take the cores away for longer than any code here does.
  const broken = Object.entries(callMs)
    .filter(([, taken]) => !(taken <= (short ? 10 : 1) * mostCall))
    .map(([name, taken]) => `${name} keeps the main thread for ${taken} ms`);
  const allowed = Math.max((short ? 5 : 1) * mostP99, 1.5 * controlMs.p99);
  if (!(busyMs.p99 <= allowed)) broken.push(`event-loop delay: p99 of ${busyMs.p99} ms`);
  if (calls < lanes) broken.push(`only ${calls} calls`);
  return { figures: { callMs, calls, idleMs, controlMs, busyMs, loadingMs }, broken };
}
