import { readFileSync } from 'node:fs';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { ShuffleNet, type Precision } from '../model/shufflenet';
import type { Tensor } from '../model/tensor';
import { complexity, type ImageSize } from '../network/complexity';
import { columns, millions, print, printable, reportText, toJson } from './output';

export interface BenchCommandOptions {
  weights?: string;
  family?: string;
  precision?: Precision;
  size?: Required<ImageSize>;
  seconds?: number;
  json?: boolean;
}

/** What `shufflenet bench --json` prints. */
export interface Bench {
  version: string;
  node: string;
  /** The board's name, else the processor's. */
  machine: string;
  processors: number;
  arch: string;
  isa: string;
  /** Of activations and weights: what ran. */
  precision: Precision;
  network: string;
  height: number;
  width: number;
  multiplyAdds: number;
  /** One for each number of cores. */
  cores: BenchRow[];
}

export interface BenchRow {
  cores: number;
  /** Of one image on so many threads, in milliseconds. */
  median: number;
  fastest: number;
  /** So many images at once, each on one thread. */
  imagesPerSecond: number;
}

/** Measures the time of an image, and what more cores bring. */
export async function benchCommand(options: BenchCommandOptions): Promise<void> {
  const {
    weights,
    family,
    precision = 'fp32',
    size = { height: 224, width: 224 },
    seconds = 2,
    json = false,
  } = options;
  const alone = await ShuffleNet.load(weights, { family, precision });
  const { network, backend } = alone;
  const input = noise(size);
  const cores: BenchRow[] = [];
  for (const count of coreCounts(backend.processors)) {
    if (process.stderr.isTTY) reportText(`measuring ${count} of ${backend.processors} cores ...`);
    const model = count === 1 ? alone : await ShuffleNet.load(weights, { family, threads: count, precision });
    const { times, rate } = await measure(model, input, 1, seconds);
    const imagesPerSecond = count === 1 ? rate : (await measure(alone, input, count, seconds)).rate;
    cores.push({ cores: count, median: median(times), fastest: Math.min(...times), imagesPerSecond });
    if (model !== alone) model.close();
  }
  alone.close();

  const { version } = require('../../../package.json') as { version: string };
  const bench: Bench = {
    version,
    node: process.versions.node,
    machine: machineName(),
    processors: backend.processors,
    arch: process.arch,
    isa: backend.isa,
    precision: backend.precision,
    network: `${network.scale}x g=${network.groups}`,
    ...size,
    multiplyAdds: complexity(network, size).multiplyAdds,
    cores,
  };
  print(json ? toJson(bench) : format(bench));
}

/** 1, 2, 4 ... and all. */
function coreCounts(processors: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < processors; count *= 2) counts.push(count);
  return [...counts, processors];
}

function noise({ height, width }: Required<ImageSize>): Tensor {
  const data = new Float32Array(3 * height * width);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (state * 48271) % 0x7fffffff;
    data[i] = (4 * state) / 0x7fffffff - 2;
  }
  return { data, shape: [1, 3, height, width] };
}

/** Keeps `atOnce` runs under way for so many seconds, after some that do not count. Milliseconds of each; runs a second. */
async function measure(
  model: ShuffleNet,
  input: Tensor,
  atOnce: number,
  seconds: number,
): Promise<{ times: number[]; rate: number }> {
  const phase = async (seconds: number) => {
    const times: number[] = [];
    const start = performance.now();
    const end = start + 1000 * seconds;
    const loop = async () => {
      do {
        const begin = performance.now();
        await model.run(input);
        times.push(performance.now() - begin);
      } while (performance.now() < end);
    };
    await Promise.all(Array.from({ length: atOnce }, loop));
    return { times, rate: (1000 * times.length) / (performance.now() - start) };
  };
  await phase(seconds / 5);
  return phase(seconds);
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Boards name themselves in the device tree; many an ARM processor has no name otherwise. */
function machineName(): string {
  try {
    return readFileSync('/proc/device-tree/model', 'utf8').replace(/\0.*/s, '').trim();
  } catch {
    const model = os.cpus()[0]?.model.trim();
    return model && model !== 'unknown' ? model : 'unnamed CPU';
  }
}

function format(bench: Bench): string {
  const { machine, processors, arch, isa, precision, network, height, width, multiplyAdds, cores } = bench;
  const [first, last] = [cores[0]!, cores.at(-1)!];
  const rows = cores.map(({ cores, median, fastest, imagesPerSecond }) => [
    String(cores),
    ms(median),
    ms(fastest),
    times(first.median / median),
    imagesPerSecond.toFixed(1),
    times(imagesPerSecond / first.imagesPerSecond),
  ]);
  const more =
    last === first
      ? ''
      : `, ${last.cores} threads ${ms(last.median)} ms, ${last.cores} at once ${last.imagesPerSecond.toFixed(1)} images/s`;
  return [
    `ShuffleNet ${network} at ${height}x${width}, ${millions(multiplyAdds)} multiply-adds, ${precision === 'fp16' ? 'half precision' : 'float32'}`,
    '',
    columns([['Cores', 'one image: ms', 'fastest', 'speedup', 'as many images: 1/s', 'speedup'], ...rows]),
    '',
    'To share:',
    `shufflenet-native ${bench.version} | ${printable(machine)}, ${count(processors, 'core')} | ` +
      `${arch} ${isa}, Node.js ${bench.node} | ${network} ${height}x${width} | ` +
      `1 thread ${ms(first.median)} ms${more}`,
  ].join('\n');
}

function ms(milliseconds: number): string {
  return milliseconds.toFixed(2);
}

function times(factor: number): string {
  return `${factor.toFixed(2)}x`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
