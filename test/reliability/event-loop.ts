/**
 * The main thread stays free while every core is busy: the delay of the event loop, and the longest that a
 * call does on the main thread.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ShuffleNet } from '../../lib';
import { example, ramp, round, sleep, type Outcome } from './measure';

const mostP99 = 10;

export async function measure(short: boolean): Promise<Outcome> {
  const model = await ShuffleNet.load();
  const photo = await readFile(example('coffee.jpg'));
  const images = [ramp(224), ramp(1024), ramp(2048)];
  await model.classify(photo); // the first one loads sharp
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

  const idle = await during(short ? 500 : 5000, async () => {});
  // The part of a call before its first await, one call at a time.
  let longestCallMs = 0;
  for (let i = 0; i < (short ? 20 : 200); i++) {
    const from = performance.now();
    const done: Promise<unknown> = i % 4 ? model.run(images[i % 4 - 1]!) : model.classify(photo);
    longestCallMs = Math.max(longestCallMs, round(performance.now() - from));
    await done;
  }
  const lanes = 3 * Math.max(2, availableParallelism());
  const busy = await during(short ? 3000 : 60_000, () => Promise.all(Array.from({ length: lanes }, (_, i) => lane(i))));
  const loading = await during(short ? 1000 : 10_000, async () => {
    while (!stop) (await ShuffleNet.load()).close();
  });
  const broken: string[] = [];
  if (!(busy.p99 <= mostP99)) broken.push(`event-loop delay: p99 of ${busy.p99} ms`);
  if (calls < lanes) broken.push(`only ${calls} calls`);
  return { figures: { calls, idleMs: idle, busyMs: busy, loadingMs: loading, longestCallMs }, broken };
}
