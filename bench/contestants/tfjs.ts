import path from 'node:path';
import { buildGraph } from '../../lib/network/graph';
import type { Layer, Padding } from '../../lib/network/layers';
import { graphParameters } from '../../lib/network/parameters';
import { foldBatchNorm } from '../../lib/onnx/fold';
import { loadWeights } from '../../lib/weights/load';
import type { Job, Runner } from '../job';
import { inputFile, readFloats } from '../files';
import { loadPeer, peerVersion } from '../peers';

interface Tensor {
  shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Convolution {
  x: Tensor;
  filter: Tensor;
  strides: number;
  pad: number;
  bias: Tensor;
  activation: 'linear' | 'relu';
}

/** What is used of TensorFlow.js. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  tidy(compute: () => Tensor): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  avgPool(x: Tensor, size: number, strides: number, pad: 'valid'): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  maxPool(x: Tensor, size: number, strides: number, pad: number): Tensor;
  mean(x: Tensor, axes: readonly number[]): Tensor;
  pad(x: Tensor, paddings: readonly (readonly [number, number])[]): Tensor;
  relu(x: Tensor): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  split(x: Tensor, parts: number, axis: number): Tensor[];
  transpose(x: Tensor, order: readonly number[]): Tensor;
  fused: {
    conv2d(convolution: Convolution): Tensor;
    depthwiseConv2d(convolution: Convolution): Tensor;
    matMul(product: { a: Tensor; b: Tensor; bias: Tensor }): Tensor;
  };
}

/**
 * The network as a user of TensorFlow.js would write it, who has no grouped convolution: split, one convolution a group,
 * concat; the shuffle is reshape, transpose, reshape. NHWC, with bias and ReLU fused into convolutions.
 */
async function runner(job: Job, tf: Tf, backend: string, version: string): Promise<Runner> {
  await tf.setBackend(backend);
  if (tf.getBackend() !== backend) throw new Error(`TensorFlow.js uses ${tf.getBackend()}, not ${backend}`);
  const file = path.join(job.directory, `${job.network}.safetensors`);
  const { network, tensors } = foldBatchNorm(await loadWeights(file));
  const graph = buildGraph(network);
  const shapes = graphParameters(graph);
  const shapeOf = (name: string) => shapes.get(name)!.shape;
  const parameter = (name: string) => tf.tensor(tensors.get(name)!, shapeOf(name));

  /** Applies a layer; the ReLU after a convolution is part of it. */
  const steps = graph.layers.map((layer, index): ((values: Tensor[]) => Tensor) => {
    const next = graph.layers[index + 1];
    const activation = next?.op === 'relu' ? 'relu' : 'linear';
    switch (layer.op) {
      case 'conv': {
        const convolutions = convolution(tf, layer, parameter, activation);
        return (values) => convolutions(values[layer.input]!);
      }
      case 'relu': {
        const fused = graph.layers[layer.input]!.op === 'conv';
        return (values) => (fused ? values[layer.input]! : tf.relu(values[layer.input]!));
      }
      case 'shuffle':
        return (values) => {
          const x = values[layer.input]!;
          const [n, h, w, c] = x.shape as [number, number, number, number];
          const grouped = tf.reshape(x, [n, h, w, layer.groups, c / layer.groups]);
          return tf.reshape(tf.transpose(grouped, [0, 1, 2, 4, 3]), x.shape);
        };
      case 'maxPool':
        return (values) => tf.maxPool(values[layer.input]!, layer.kernel, layer.stride, symmetric(layer.padding));
      case 'avgPool': {
        // Padded cells count, which TensorFlow's own padding does not do.
        const side = [symmetric(layer.padding), symmetric(layer.padding)] as const;
        const paddings = [[0, 0], side, side, [0, 0]] as const;
        return (values) => tf.avgPool(tf.pad(values[layer.input]!, paddings), layer.kernel, layer.stride, 'valid');
      }
      case 'globalPool':
        return (values) => tf.mean(values[layer.input]!, [1, 2]);
      case 'fullyConnected': {
        const weight = tf.transpose(parameter(layer.weight), [1, 0]);
        const bias = parameter(layer.bias!);
        return (values) => tf.fused.matMul({ a: values[layer.input]!, b: weight, bias });
      }
      case 'add':
        return (values) => tf.add(values[layer.inputs[0]]!, values[layer.inputs[1]]!);
      case 'concat':
        return (values) => tf.concat([values[layer.inputs[0]]!, values[layer.inputs[1]]!], 3);
      case 'input':
        return () => input;
      default:
        throw new Error(`${layer.name}: ${layer.op} is not of the paper's network`);
    }
  });

  const { batch, height, width } = job;
  const planes = tf.tensor(readFloats(path.join(job.directory, inputFile(job))), [batch, 3, height, width]);
  const input = tf.transpose(planes, [0, 2, 3, 1]);
  const forward = () => {
    const values: Tensor[] = [];
    for (const step of steps) values.push(step(values));
    return values[graph.output]!;
  };
  const run = async () => {
    const logits = tf.tidy(forward);
    const data = await logits.data();
    logits.dispose();
    return data;
  };
  return { version, run, logits: run };
}

function convolution(
  tf: Tf,
  { outChannels, stride, groups, padding, weight, bias }: Extract<Layer, { op: 'conv' }>,
  parameter: (name: string) => Tensor,
  activation: Convolution['activation'],
): (x: Tensor) => Tensor {
  const shared = { strides: stride, pad: symmetric(padding), activation };
  const filter = parameter(weight);
  const biases = parameter(bias!);
  if (groups === outChannels) {
    const depthwise = { ...shared, filter: tf.transpose(filter, [2, 3, 0, 1]), bias: biases };
    return (x) => tf.fused.depthwiseConv2d({ x, ...depthwise });
  }
  const filters = tf.split(tf.transpose(filter, [2, 3, 1, 0]), groups, 3);
  const groupBiases = tf.split(biases, groups, 0);
  const convolve = (x: Tensor, i: number) =>
    tf.fused.conv2d({ x, ...shared, filter: filters[i]!, bias: groupBiases[i]! });
  if (groups === 1) return (x) => convolve(x, 0);
  return (x) => tf.concat(tf.split(x, groups, 3).map(convolve), 3);
}

function symmetric(padding: Padding): number {
  if (padding === 'same' || padding.begin !== padding.end)
    throw new Error("a padding that is not of the paper's network");
  return padding.begin;
}

export function loadWasm(job: Job): Promise<Runner> {
  const tf = loadPeer<Tf>('@tensorflow/tfjs');
  loadPeer('@tensorflow/tfjs-backend-wasm');
  return runner(job, tf, 'wasm', peerVersion('@tensorflow/tfjs-backend-wasm'));
}

/** The backend of plain JavaScript. */
export function loadCpu(job: Job): Promise<Runner> {
  return runner(job, loadPeer<Tf>('@tensorflow/tfjs'), 'cpu', peerVersion('@tensorflow/tfjs'));
}

/** The backend of libtensorflow, which bench/package.json does not install: it is a download of its own. */
export function loadNode(job: Job): Promise<Runner> {
  const tf = loadPeer<Tf>('@tensorflow/tfjs-node');
  return runner(job, tf, 'tensorflow', peerVersion('@tensorflow/tfjs-node'));
}
