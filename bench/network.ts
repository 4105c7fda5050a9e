/**
 * One network, one image, against onnxruntime-node where it is installed.
 *
 *   npm run bench -- NAME... [--threads N] [--rounds N] [--json FILE]
 *
 * NAME.safetensors and NAME.onnx hold the same network (bench/random_network.py). The two run in turn, A B A B, and are
 * compared round by round, because the speed of shared machines drifts.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import Benchmark from 'benchmark';
import { ShuffleNet } from '../lib';

const height = 224;
const width = 224;

interface Runner {
  name: string;
  logits(): Promise<Float32Array>;
}

/** Milliseconds per call: the mean of a short Benchmark.js run. */
function measure(runner: Runner): Promise<number> {
  return new Promise((resolve, reject) => {
    const run: Benchmark = new Benchmark(runner.name, {
      defer: true,
      minSamples: 1,
      maxTime: 0.05,
      minTime: 0.03,
      fn: (deferred: { resolve(): void }) => {
        runner.logits().then(() => deferred.resolve(), reject);
      },
      onComplete: () => resolve(run.stats.mean * 1000),
    });
    run.run();
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

async function onnxruntime(file: string, input: Float32Array, threads: number): Promise<Runner | string> {
  let ort;
  try {
    // Not a dependency: its install script wants a download.
    ort = require('onnxruntime-node');
  } catch {
    return 'onnxruntime-node is not installed';
  }
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all' };
  const session = await ort.InferenceSession.create(file, options);
  const feeds = { input: new ort.Tensor('float32', input, [1, 3, height, width]) };
  return { name: 'onnxruntime-node', logits: async () => (await session.run(feeds)).logits.data };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { threads: { type: 'string' }, rounds: { type: 'string' }, json: { type: 'string' } },
  });
  const threads = Number(values.threads ?? 1);
  const rounds = Number(values.rounds ?? 25);
  const input = new Float32Array(3 * height * width);
  let seed = 1;
  for (let i = 0; i < input.length; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    input[i] = seed / 0x40000000 - 1;
  }
  const results = [];
  for (const name of positionals) {
    const model = await ShuffleNet.load(`${name}.safetensors`, { threads });
    const tensor = { data: input, shape: [1, 3, height, width] as const };
    const ours: Runner = { name: 'shufflenet-native', logits: async () => (await model.run(tensor)).data };
    const peer = await onnxruntime(`${name}.onnx`, input, threads);
    const times: number[][] = [];
    let difference = NaN;
    if (typeof peer !== 'string') {
      const [a, b] = [await ours.logits(), await peer.logits()];
      difference = a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
    }
    for (let round = -2; round < rounds; round++) {
      const pair = [await measure(ours), typeof peer === 'string' ? NaN : await measure(peer)];
      if (round >= 0) times.push(pair);
    }
    const column = (i: number): number[] => times.map((pair) => pair[i]!);
    const result = {
      network: name,
      isa: model.backend.isa,
      threads,
      rounds,
      ours: { median: median(column(0)), fastest: Math.min(...column(0)) },
      peer: typeof peer === 'string' ? peer : { median: median(column(1)), fastest: Math.min(...column(1)) },
      ratio: median(times.map(([a, b]) => b! / a!)),
      largestLogitDifference: difference,
      times,
    };
    results.push(result);
    console.log(
      `${name}: ours ${result.ours.median.toFixed(2)} ms (fastest ${result.ours.fastest.toFixed(2)}), ` +
        (typeof result.peer === 'string'
          ? result.peer
          : `onnxruntime-node ${result.peer.median.toFixed(2)} (${result.peer.fastest.toFixed(2)}), ` +
            `ratio ${result.ratio.toFixed(2)}, logits differ by ${difference.toExponential(1)}`),
    );
    model.close();
  }
  if (values.json !== undefined) {
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
    writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 1)}\n`);
  }
}

void main();
