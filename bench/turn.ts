import { performance } from 'node:perf_hooks';
import Benchmark from 'benchmark';

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

/** The same for what returns no promise, where one would be much of the time. */
export function syncTurn(run: () => unknown, budget: number): number[] {
  const begin = performance.now();
  do run();
  while (performance.now() - begin < budget / 5);
  const times: number[] = [];
  const timed = (): void => {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  };
  new Benchmark({ initCount: 1, minSamples: 1, minTime: budget / 1000, maxTime: 0, fn: timed }).run();
  return times;
}
