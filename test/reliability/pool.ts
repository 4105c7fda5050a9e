/** Files, DNS and zlib share the four threads of libuv; long runs, more of them than cores, take none of these. */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { ShuffleNet } from '../../lib';
import { example, quantile, ramp, round, sleep, type Outcome } from './measure';

const bytes = Buffer.alloc(100_000, 'not held ');
const requests: Record<string, () => Promise<unknown>> = {
  readFile: () => readFile(example('coffee.jpg')),
  lookup: () => lookup('localhost'),
  deflate: () => promisify(deflate)(bytes),
};
/** Milliseconds; a run takes a multiple of it, and there are more runs than libuv has threads. */
const most = 250;

async function latencies(times: number) {
  const result: Record<string, { p50: number; p99: number; max: number }> = {};
  for (const [name, request] of Object.entries(requests)) {
    const milliseconds: number[] = [];
    for (let i = 0; i < times; i++) {
      const from = performance.now();
      await request();
      milliseconds.push(performance.now() - from);
      await sleep(2);
    }
    const at = (share: number) => round(quantile(milliseconds, share));
    result[name] = { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
  return result;
}

export async function measure(short: boolean): Promise<Outcome> {
  const times = short ? 50 : 2000;
  const model = await ShuffleNet.load();
  const image = ramp(short ? 1536 : 2048);
  const idleMs = await latencies(times);
  let stop = false;
  const runs: number[] = [];
  const lanes = Array.from({ length: 4 + 2 * availableParallelism() }, async () => {
    while (!stop) {
      const from = performance.now();
      await model.run(image);
      runs.push(performance.now() - from);
    }
  });
  await sleep(100);
  const busyMs = await latencies(times);
  stop = true;
  await Promise.all(lanes);
  const broken = Object.entries(busyMs)
    .filter(([, { max }]) => !(max <= most))
    .map(([name, { max }]) => `${name} takes up to ${max} ms while runs are under way`);
  return { figures: { runs: runs.length, runMs: round(quantile(runs, 0.5)), idleMs, busyMs }, broken };
}
