import type { Graph } from '../../lib/network/layers';
import { graphParameters } from '../../lib/network/parameters';
import type { Tensors } from '../reference/network';

/** Seeded (mulberry32), so that a failure repeats. */
export class Random {
  constructor(private state: number) {}

  /** In [0, 1). */
  unit(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }
  /** A whole number, both ends included. */
  integer(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }
  chance(probability: number): boolean {
    return this.unit() < probability;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)]!;
  }
  floats(length: number, low = -2, high = 2): Float32Array {
    return Float32Array.from({ length }, () => this.between(low, high));
  }
}

/** Variances as they occur in trained files: denormal and nearly so. */
const tinyVariances = [5.6e-45, 1e-40, 6.5e-14, 1e-10];

/**
 * Tensors for every parameter of a graph. Signals keep their size from layer to layer, so that a mistake anywhere shows
 * at the end; gammas have both signs. One batch norm amplifies a tiny variance in full, more would overflow.
 */
export function randomTensors(graph: Graph, seed: number): Tensors {
  const random = new Random(seed);
  const tensors: Tensors = {};
  const norms = graph.layers.filter(({ op }) => op === 'batchNorm');
  const wild = norms.length > 0 ? random.pick(norms) : undefined;
  for (const [name, { kind, shape }] of graphParameters(graph)) {
    const length = shape.reduce((product, n) => product * n, 1);
    if (kind === 'weight') {
      const bound = Math.sqrt(3 / (length / shape[0]!));
      tensors[name] = random.floats(length, -bound, bound);
    } else if (kind === 'gamma') {
      tensors[name] = random.floats(length, 0.7, 1.3).map((gamma) => (random.chance(0.3) ? -gamma : gamma));
    } else if (kind === 'variance') {
      tensors[name] = random.floats(length, 0.5, 1.5);
    } else {
      tensors[name] = random.floats(length, -0.3, 0.3);
    }
  }
  for (const layer of norms) {
    if (layer.op !== 'batchNorm') continue;
    const variance = tensors[layer.variance]!;
    for (let tiny = 0; tiny < Math.ceil(variance.length / 64); tiny++) {
      const channel = random.integer(0, variance.length - 1);
      if (layer !== wild && layer.gamma === undefined) continue;
      variance[channel] = random.pick(tinyVariances);
      if (layer !== wild) tensors[layer.gamma!]![channel]! *= Math.sqrt(variance[channel]! + layer.epsilon);
    }
  }
  return tensors;
}
