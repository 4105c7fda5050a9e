import type { ShuffleNetError } from '../../errors';
import type { PlacedTensor } from '../families/family';
import { formatShape, quote } from '../json';
import type { StoredFile, StoredGraph, StoredOperator } from '../stored';
import { GraphBuilder, type ImportedGraph, type Placing } from './builder';
import { numbersOf } from './numbers';

/** What is in a blob of Caffe. Layers in place overwrite it. */
interface Blob {
  layer: number;
  /** Normalised, but not yet scaled: Caffe has two layers for what is one elsewhere. */
  norm?: { name: string; epsilon: number; mean: PlacedTensor; variance: PlacedTensor };
}

/** Where no layer says how large images are. */
const usualSide = 224;
const maxSide = 4096;

/** PoolingParameter.PoolMethod, PoolingParameter.RoundMode, EltwiseParameter.EltwiseOp. */
const poolModes: Readonly<Record<number, 'max' | 'avg'>> = { 0: 'max', 1: 'avg' };
const roundDown = 1;
const sum = 1;

/**
 * The layers of a Caffe model, with Caffe's rules: pools round up, and averages divide by the cells inside the padded
 * plane. Splits, dropout, losses and all else that is there for training only is left out; the classifier is the last
 * one. Throws ERR_WEIGHTS_TENSOR naming the layer that no ShuffleNet V1 has.
 */
export function importCaffe(file: StoredFile & { graph: StoredGraph }, name: string): ImportedGraph {
  const builder = new GraphBuilder(name);
  const blobs = new Map<string, Blob>();
  const image = (blob: string, height = usualSide, width = height) => {
    if (builder.layers.length > 0) return;
    if (!(Math.max(height, width) <= maxSide)) throw builder.fail(`input ${quote(blob)}`, `is larger than ${maxSide}`);
    blobs.set(blob, { layer: builder.input(3, height, width) });
  };
  for (const { name: input, shape } of file.graph.inputs) image(input, shape?.[2], shape?.[3]);
  for (const operator of file.graph.operators) {
    const layer = new CaffeLayer(operator, file, blobs, builder);
    if (layer.bottoms.length === 0) {
      const [, , height, width] = layer.list('shape') ?? [];
      const crop = layer.number('crop_size', 0);
      const [top] = operator.outputs;
      if (top !== undefined) image(top, height ?? (crop || undefined), width);
      continue;
    }
    const made = layerOf(layer);
    // Labels and losses lead nowhere.
    for (const output of operator.outputs) {
      if (made) blobs.set(output, made);
      else blobs.delete(output);
    }
  }
  const output = builder.layers.findLastIndex(({ op }) => op === 'fullyConnected');
  if (output < 0) throw builder.fail('the graph', 'has no classifier behind a global pool');
  return builder.finish(output);
}

/** undefined for what only training has. */
function layerOf(layer: CaffeLayer): Blob | undefined {
  const { builder, name } = layer;
  switch (layer.type) {
    case 'Convolution':
    case 'ConvolutionDepthwise':
    case 'ConvolutionDepthWise':
    case 'DepthwiseConvolution':
      return { layer: convolution(layer) };
    case 'BatchNorm':
      return batchNorm(layer);
    case 'Scale':
      return { layer: scale(layer) };
    case 'ReLU':
      if (layer.number('negative_slope', 0) !== 0) throw layer.fail('expected a negative_slope of 0');
      return { layer: builder.relu(name, layer.input(0)) };
    case 'Pooling':
      return { layer: pooling(layer) };
    case 'ShuffleChannel':
    case 'ChannelShuffle':
      return { layer: builder.shuffle(name, layer.input(0), layer.number('group', 1)) };
    case 'Concat':
      if (layer.bottoms.length !== 2 || layer.number('axis', layer.number('concat_dim', 1)) !== 1) {
        throw layer.fail('expected two values to join, by channels');
      }
      return { layer: builder.concat(name, [layer.input(0), layer.input(1)]) };
    case 'Eltwise':
      if (
        layer.bottoms.length !== 2 ||
        layer.number('operation', sum) !== sum ||
        layer.list('coeff')?.some((factor) => factor !== 1)
      ) {
        throw layer.fail('expected the sum of two values');
      }
      return { layer: builder.add(name, layer.input(0), layer.input(1)) };
    case 'InnerProduct':
      return { layer: innerProduct(layer) };
    case 'Split':
    case 'Dropout':
      return layer.blob(0);
    case 'Flatten':
    case 'Reshape':
      if (!builder.isPooled(layer.input(0))) throw layer.fail('expected a global pool before it');
      return layer.blob(0);
    default:
      if (/^Softmax|Loss$|^Accuracy$|^Silence$|^ArgMax$/.test(layer.type)) return undefined;
      throw layer.fail('this kind of layer is not part of any ShuffleNet V1');
  }
}

class CaffeLayer {
  readonly type: string;
  readonly name: string;
  readonly bottoms: readonly string[];
  private readonly weights: readonly string[];

  constructor(
    private readonly operator: StoredOperator,
    private readonly file: StoredFile,
    private readonly blobs: ReadonlyMap<string, Blob>,
    readonly builder: GraphBuilder,
  ) {
    this.type = operator.type;
    this.name = `layer ${quote(operator.name)} (${quote(operator.type).slice(1, -1)})`;
    const own = (input: string) => input.startsWith(`${operator.name}.`) && file.tensors.has(input);
    this.bottoms = operator.inputs.filter((input) => !own(input));
    this.weights = operator.inputs.filter(own);
  }

  fail(words: string): ShuffleNetError {
    return this.builder.fail(this.name, words);
  }

  blob(index: number): Blob {
    const blob = this.blobs.get(this.bottoms[index] ?? '');
    if (!blob) throw this.fail(`bottom ${index} is not computed from the image`);
    return blob;
  }

  /** The layer whose value the bottom is. */
  input(index: number): number {
    const blob = this.blob(index);
    if (blob.norm) {
      const { name, epsilon, mean, variance } = blob.norm;
      blob.layer = this.builder.batchNorm(name, blob.layer, epsilon, {
        gamma: undefined,
        beta: undefined,
        mean,
        variance,
      });
      delete blob.norm;
    }
    return blob.layer;
  }

  weight(index: number): PlacedTensor {
    const tensor = this.optionalWeight(index);
    if (!tensor) throw this.fail(`has ${this.weights.length} blobs, expected more: is the model trained?`);
    return tensor;
  }

  optionalWeight(index: number): PlacedTensor | undefined {
    const from = this.weights[index];
    const tensor = from === undefined ? undefined : this.file.tensors.get(from);
    return from !== undefined && tensor ? { from, shape: tensor.shape, parts: [tensor] } : undefined;
  }

  number(name: string, absent: number): number {
    const value = this.operator.attributes.get(name);
    return typeof value === 'number' ? value : absent;
  }

  list(name: string): number[] | undefined {
    const value = this.operator.attributes.get(name);
    return Array.isArray(value) ? value : undefined;
  }

  /** A repeated parameter of one or two equal values, or the two of its own for height and width. */
  side(name: string, short: string, absent: number): number {
    const [height = absent, width = height, ...more] = this.list(name) ?? [
      this.number(`${short}_h`, absent),
      this.number(`${short}_w`, absent),
    ];
    if (height !== width || more.length > 0 || !Number.isInteger(height) || height < 0 || height > maxSide) {
      throw this.fail(`${name} has to be the same for height and width, is ${formatShape([height, width, ...more])}`);
    }
    return height;
  }
}

function convolution(layer: CaffeLayer): number {
  const weight = layer.weight(0);
  const { channels } = layer.builder.shape(layer.input(0));
  // Layers for depthwise convolutions need not say their groups.
  const depthwise = layer.type === 'Convolution' ? 1 : channels;
  if ((layer.list('dilation') ?? []).some((step) => step !== 1)) throw layer.fail('dilation has to be 1');
  const pad = layer.side('pad', 'pad', 0);
  return layer.builder.conv(layer.name, layer.input(0), weight, layer.optionalWeight(1), {
    stride: layer.side('stride', 'stride', 1),
    padding: { begin: pad, end: pad },
    groups: layer.number('group', depthwise),
  });
}

function batchNorm(layer: CaffeLayer): Blob {
  const [factor = 0] = numbersOf(layer.weight(2))?.values ?? [];
  const divided = (tensor: PlacedTensor): PlacedTensor => {
    if (factor === 1) return tensor;
    const values = numbersOf(tensor)?.values ?? [];
    // Caffe's rule: statistics that nothing was added to are zeros.
    const bytes = new Uint8Array(Float32Array.from(values, (value) => (factor === 0 ? 0 : value / factor)).buffer);
    return { ...tensor, parts: [{ dtype: 'F32', shape: tensor.shape, bytes }] };
  };
  return {
    layer: layer.input(0),
    norm: {
      name: layer.name,
      epsilon: layer.number('eps', 1e-5),
      mean: divided(layer.weight(0)),
      variance: divided(layer.weight(1)),
    },
  };
}

function scale(layer: CaffeLayer): number {
  const { layer: input, norm } = layer.blob(0);
  if (!norm) throw layer.fail('expected a BatchNorm before it');
  return layer.builder.batchNorm(norm.name, input, norm.epsilon, {
    gamma: layer.weight(0),
    beta: layer.optionalWeight(1),
    mean: norm.mean,
    variance: norm.variance,
  });
}

function pooling(layer: CaffeLayer): number {
  const mode = poolModes[layer.number('pool', 0)];
  if (!mode) throw layer.fail('expected the maximum or the average');
  if (layer.number('global_pooling', 0)) return layer.builder.globalPool(layer.name, layer.input(0), mode);
  const pad = layer.side('pad', 'pad', 0);
  const ceil = layer.number('round_mode', 0) !== roundDown;
  const placing: Placing = {
    kernel: layer.side('kernel_size', 'kernel', 0),
    stride: layer.side('stride', 'stride', 1),
    padding: { begin: pad, end: pad, ...(ceil && { ceil }) },
  };
  return layer.builder.pool(layer.name, layer.input(0), mode, placing, true);
}

function innerProduct(layer: CaffeLayer): number {
  const weight = layer.weight(0);
  // Before blobs had any shape they had four sides.
  const shape = weight.shape.length === 4 ? weight.shape.slice(2) : weight.shape;
  if (layer.number('transpose', 0) && shape.length === 2) {
    const parts = weight.parts.map((part) => ({ ...part, shape }));
    const turned = { from: weight.from, shape: [shape[1]!, shape[0]!], parts, axes: [1, 0] };
    return layer.builder.fullyConnected(layer.name, layer.input(0), turned, layer.optionalWeight(1));
  }
  return layer.builder.fullyConnected(layer.name, layer.input(0), { ...weight, shape }, layer.optionalWeight(1));
}
