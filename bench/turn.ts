import { performance } from 'node:perf_hooks';
import Benchmark from 'benchmark';
import { median } from './statistics';

/**
 * Milliseconds of single runs, for about `budget` ms (once at least), after a fifth of it to warm up: caches hold what
 * ran before.
 */
export async function turn(run: () => unknown, budget: number): Promise<number[]> {
  const begin = performance.now();
  do await run();
  while (performance.now() - begin < budget / 5);
  const times: number[] = [];
  const timed = async (): Promise<void> => {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  };
  return new Promise((resolve, reject) => {
    const benchmark = new Benchmark({
      defer: true,
      delay: 0,
      initCount: 1,
      minSamples: 1,
      minTime: budget / 1000,
      maxTime: 0,
      fn: (deferred: { resolve(): void }) => {
        timed().then(() => deferred.resolve(), reject);
      },
      onComplete: () => resolve(times),
    });
    benchmark.run();
  });
}

/** Median milliseconds of a call that takes microseconds, for about `budget` ms: timed many at once, no promise around. */
export function syncTurn(call: () => unknown, budget: number): number {
  const benchmark = new Benchmark({
    minTime: budget / 20_000,
    minSamples: 15,
    maxTime: budget / 1000,
    fn: () => call(),
  });
  benchmark.run();
  return 1000 * median(benchmark.stats.sample);
}
