import type { Graph } from '../lib/network/layers';
import { graphParameters, type ParameterKind } from '../lib/network/parameters';
import { Random } from './random';

export type Tensors = Record<string, Float32Array>;

/** Ranges that keep activations near 1 from layer to layer, as trained weights do; those of weights are scaled. */
const ranges: Readonly<Record<ParameterKind, readonly [low: number, high: number]>> = {
  weight: [-1, 1],
  bias: [-0.3, 0.3],
  gamma: [0.7, 1.3],
  beta: [-0.3, 0.3],
  mean: [-0.3, 0.3],
  variance: [0.5, 1.5],
};

/** Variance of weights times fan-in: He's 2 where a ReLU follows, less where a shortcut is added. */
function gain(layer: string): number {
  if (layer.endsWith('gconv2.weight')) return 0.25;
  return layer.endsWith('gconv1.weight') || layer === 'conv1.weight' ? 2 : 1;
}

/** Seeded values for every parameter of a graph, uniform. */
export function randomTensors(graph: Graph, seed: number): Tensors {
  const random = new Random(seed);
  const tensors: Tensors = {};
  for (const [name, { kind, shape }] of graphParameters(graph)) {
    const length = shape.reduce((product, n) => product * n, 1);
    const bound = kind === 'weight' ? Math.sqrt((3 * gain(name)) / (length / shape[0]!)) : 1;
    const [low, high] = ranges[kind];
    tensors[name] = random.floats(length, low * bound, high * bound);
  }
  return tensors;
}

/** A safetensors file of float32 tensors, with the network's options in its metadata. */
export function safetensors(graph: Graph, tensors: Tensors, options: object): Buffer {
  const header: Record<string, object> = { __metadata__: { 'shufflenet.config': JSON.stringify(options) } };
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape }] of graphParameters(graph)) {
    const { buffer, byteOffset, byteLength } = tensors[name]!;
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + byteLength] };
    data.push(new Uint8Array(buffer, byteOffset, byteLength));
    offset += byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}
