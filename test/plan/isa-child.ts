import { binding } from '../../lib/native/binding';
import { buildGraph } from '../../lib/network/graph';
import type { Graph } from '../../lib/network/layers';
import type { NetworkOptions } from '../../lib/network/options';
import { resolveNetwork } from '../../lib/network/table';
import type { Tensors } from '../reference/network';
import { build, randomImages, run, type Images } from './compare';
import { randomGraph } from './graphs';
import { Random, randomTensors } from './random';

export interface Case {
  name: string;
  graph: Graph;
  tensors: Tensors;
  images: Images;
  threads: number;
}

const networks: [options: NetworkOptions, n: number, height: number, width: number][] = [
  [{ groups: 1, scale: 0.25 }, 1, 33, 47],
  [{ groups: 2, scale: 0.25 }, 1, 33, 47],
  [{ groups: 3, scale: 0.25 }, 5, 33, 47],
  [{ groups: 4, scale: 0.25 }, 1, 33, 47],
  [{ groups: 3, scale: 1 }, 2, 64, 64],
  [{ groups: 8, scale: 0.5, squeezeExcitation: true }, 1, 63, 65],
  [{ groups: 3, scale: 0.5, variant: { shufflePlace: 'afterDepthwise', globalPool: 'max' } }, 1, 96, 40],
];

/** A sample of everything, the same in every process. */
export function* cases(): Generator<Case> {
  for (const [index, [options, n, height, width]] of networks.entries()) {
    const graph = buildGraph(resolveNetwork(options));
    const [tensors, images] = [randomTensors(graph, index), randomImages(n, height, width, index)];
    yield { name: JSON.stringify(options), graph, tensors, images, threads: 1 + (index % 3) };
  }
  for (let seed = 10000; seed < 10200; seed++) {
    const { graph, height, width } = randomGraph(new Random(seed));
    const input = graph.layers[0]!;
    const images = randomImages(1, height, width, seed, input.op === 'input' ? input.channels : 0);
    yield { name: `seed ${seed}`, graph, tensors: randomTensors(graph, seed), images, threads: 1 + (seed % 2) };
  }
}

/** What a child process reports. */
export interface Report {
  isa: string;
  outputs: number[][];
}

async function report(): Promise<Report> {
  const outputs: number[][] = [];
  for (const { graph, tensors, images, threads } of cases()) {
    const model = await build(graph, tensors, threads);
    outputs.push([...(await run(model, graph, images))]);
    model.close();
  }
  return { isa: binding().backend().isa, outputs };
}

if (process.argv[2] === 'report') {
  void report().then((result) => process.stdout.write(JSON.stringify(result)));
}
