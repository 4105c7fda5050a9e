/**
 * Networks made and closed, and runs, leave nothing behind: at most 5 MB more resident memory.
 *
 * Resident memory never shrinks back to a value, as glibc keeps freed pages, so it is compared with itself at rest:
 * after a warm-up, ten samples are taken at even distances, each the least of several collections; the growth is the
 * median of the last three less that of the first three.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ShuffleNet } from '../../lib';
import { inParallel, quantile, ramp, root, round, sleep, smallFile, type Outcome } from './measure';

const samples = 10;

async function residentMegabytes(): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    gc!();
    await sleep(5);
    least = Math.min(least, process.memoryUsage.rss() / 1e6);
  }
  return least;
}

async function growth(times: number, warmUp: number, work: (times: number) => Promise<void>): Promise<number> {
  await work(warmUp);
  const resident: number[] = [];
  for (let i = 0; i < samples; i++) {
    await work(Math.ceil(times / samples));
    resident.push(await residentMegabytes());
  }
  return quantile(resident.slice(-3), 0.5) - quantile(resident.slice(0, 3), 0.5);
}

export async function measure(short: boolean): Promise<Outcome> {
  // V8's heap settles after some hundred cycles, which the short form has no time for; a leak would be far larger.
  const mostGrowth = short ? 20 : 5;
  const file = smallFile();
  const defaults = await readFile(path.join(root, 'weights/shufflenet-1x-g3-tiny-imagenet.safetensors'));
  const image = ramp(32);
  const cycle = (bytes: Uint8Array) => async (times: number) => {
    for (let i = 0; i < times; i++) {
      // Threads of a model's own are made and joined too.
      const model = await ShuffleNet.load(bytes, { threads: 1 + (i % 2) });
      await model.run(image);
      model.close();
    }
  };
  const cycles = short ? 300 : 10_000;
  const defaultCycles = short ? 20 : 1000;
  const runs = short ? 3000 : 100_000;

  const model = await ShuffleNet.load(file);
  const grown = {
    cycles: await growth(cycles, cycles / 5, cycle(file)),
    // V8's heap takes its last step, from 22 to 39 MB, after some 700 of these.
    defaultCycles: await growth(defaultCycles, short ? 10 : 1500, cycle(defaults)),
    runs: await growth(runs, runs / 5, (times) =>
      inParallel(times, 16, async () => {
        await model.run(image);
      }),
    ),
  };
  const broken = Object.entries(grown)
    .filter(([, megabytes]) => !(megabytes <= mostGrowth))
    .map(([what, megabytes]) => `${what} grow resident memory by ${round(megabytes)} MB`);
  const growthMB = Object.fromEntries(Object.entries(grown).map(([what, megabytes]) => [what, round(megabytes)]));
  return { figures: { cycles, defaultCycles, runs, growthMB, rssMB: round(process.memoryUsage.rss() / 1e6) }, broken };
}
