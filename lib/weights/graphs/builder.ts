import { isDeepStrictEqual } from 'node:util';
import { ShuffleNetError } from '../../errors';
import type { Graph, Layer, Padding } from '../../network/layers';
import { windowCount, type Shape } from '../../network/shapes';
import { formatShape, quote } from '../json';
import type { PlacedTensor } from '../families/family';
import { numbersOf } from './numbers';

/** A stored graph in the words of lib/network/layers.ts. Layers have the names of the file's operators. */
export interface ImportedGraph extends Graph {
  /** By the names that the layers have for them. */
  tensors: ReadonlyMap<string, PlacedTensor>;
  /** Input layers that are the image, by what the graph itself has made of it. */
  images: ReadonlyMap<number, Affine>;
}

/** x * factor + summand, by channels. */
export interface Affine {
  factors: readonly number[];
  summands: readonly number[];
}

/** A square window's sides and their padding, in cells. */
export interface Placing {
  kernel: number;
  stride: number;
  padding: Padding;
}

/** Channels begin, begin + step, ... of a layer. */
interface Part {
  of: number;
  begin: number;
  step: number;
}

/** Of a batch norm that a file has as factors and summands. */
const usualEpsilon = 1e-5;

/** A network's sixteen shuffles take some thousand, or as many as they have channels. */
const maxNumbers = 1_000_000;

/**
 * Layers one by one, with the shapes of their values at the size of image that the file was made for. Throws
 * ERR_WEIGHTS_TENSOR naming the operator for what the words of lib/network cannot say.
 */
export class GraphBuilder {
  readonly layers: Layer[] = [];
  /** Images at once that the file was made for. */
  batch = 1;
  private numbersLeft = maxNumbers;
  private readonly shapes: Shape[] = [];
  private readonly tensors = new Map<string, PlacedTensor>();
  /** Values of 1x1 behind a global pool. */
  private readonly pooled = new Set<number>();
  /** Global pools that windows as large as the plane make, with these windows. */
  private readonly windows = new Map<number, Layer>();
  private readonly images = new Map<number, Affine>();
  /** By the input layers that stand for them. */
  private readonly parts = new Map<number, Part>();

  constructor(private readonly file: string) {}

  fail(operator: string, words: string): ShuffleNetError {
    return new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${this.file}: ${operator}: ${words}`);
  }

  /** Counts numbers that are computed with: a few bytes of a file could ask for any time and memory. */
  spend(operator: string, numbers: number): void {
    this.numbersLeft -= numbers;
    if (!(this.numbersLeft >= 0))
      throw this.fail(operator, `computes shapes, orders or factors with more than ${maxNumbers} numbers`);
  }

  shape(layer: number): Shape {
    return this.shapes[layer]!;
  }

  isPooled(layer: number): boolean {
    return this.pooled.has(layer);
  }

  input(channels: number, height: number, width: number): number {
    const image = this.push({ name: 'input', op: 'input', channels }, { channels, height, width });
    const same = Array<number>(channels).fill(1);
    this.images.set(image, { factors: same, summands: same.map(() => 0) });
    return image;
  }

  conv(
    name: string,
    input: number,
    weight: PlacedTensor,
    bias: PlacedTensor | undefined,
    { stride, padding, groups }: { stride: number; padding: Padding; groups: number },
  ): number {
    const { channels } = this.shape(input);
    const { shape } = weight;
    const [outChannels = 0, perGroup = 0, kernel = 0, width = 0] = shape;
    if (shape.length !== 4 || kernel !== width || kernel < 1) {
      throw this.fail(name, `a convolution's weights are [out, in / groups, k, k], are ${formatShape(shape)}`);
    }
    if (groups < 1 || perGroup * groups !== channels || outChannels % groups !== 0 || outChannels < 1) {
      throw this.fail(name, `weights ${formatShape(shape)} in ${groups} groups do not suit ${channels} channels`);
    }
    if (this.pooled.has(input) && kernel === 1 && groups === 1) {
      return this.fullyConnected(name, input, { ...weight, shape: [outChannels, channels] }, bias);
    }
    return this.push(
      {
        name,
        op: 'conv',
        input,
        outChannels,
        kernel,
        stride,
        groups,
        padding: simplePadding({ kernel, stride, padding }),
        weight: this.keep(weight),
        ...(bias && { bias: this.perChannel(name, bias, outChannels) }),
      },
      { channels: outChannels, ...this.plane(name, input, { kernel, stride, padding }) },
    );
  }

  fullyConnected(name: string, input: number, weight: PlacedTensor, bias: PlacedTensor | undefined): number {
    const { channels, height, width } = this.shape(input);
    const [outFeatures = 0, inFeatures] = weight.shape;
    if (height * width !== 1) throw this.fail(name, `the classifier reads planes of ${height}x${width}, expected 1x1`);
    if (weight.shape.length !== 2 || inFeatures !== channels || outFeatures < 1) {
      throw this.fail(name, `weights ${formatShape(weight.shape)} do not suit ${channels} channels`);
    }
    return this.push(
      {
        name,
        op: 'fullyConnected',
        input,
        outFeatures,
        weight: this.keep(weight),
        ...(bias && { bias: this.perChannel(name, bias, outFeatures) }),
      },
      { channels: outFeatures, height: 1, width: 1 },
    );
  }

  /** The same convolution or classifier with a bias that comes in an operator of its own, if it can have one. */
  addBias(name: string, layer: number, bias: PlacedTensor): number | undefined {
    const known = this.layers[layer]!;
    const { channels } = this.shape(layer);
    const can = (known.op === 'conv' || known.op === 'fullyConnected') && known.bias === undefined;
    // A single value for all channels is none.
    if (!can || !bias.shape.includes(channels)) return undefined;
    return this.push({ ...known, bias: this.perChannel(name, bias, channels) }, this.shape(layer));
  }

  batchNorm(
    name: string,
    input: number,
    epsilon: number,
    tensors: Record<'gamma' | 'beta', PlacedTensor | undefined> & Record<'mean' | 'variance', PlacedTensor>,
  ): number {
    const { channels } = this.shape(input);
    const keep = (tensor: PlacedTensor) => this.perChannel(name, tensor, channels);
    return this.push(
      {
        name,
        op: 'batchNorm',
        input,
        // Files have a float; who wrote it meant a decimal.
        epsilon: Number(epsilon.toPrecision(7)),
        ...(tensors.gamma && { gamma: keep(tensors.gamma) }),
        beta: keep(tensors.beta ?? float32('no beta', Array<number>(channels).fill(0))),
        mean: keep(tensors.mean),
        variance: keep(tensors.variance),
      },
      this.shape(input),
    );
  }

  relu(name: string, input: number): number {
    return this.push({ name, op: 'relu', input }, this.shape(input));
  }

  /** Of the image, of a convolution, which then has a batch norm, or of a batch norm, whose part it becomes. */
  affine(name: string, layer: number, own: Affine): number {
    const known = this.layers[layer]!;
    const { channels } = this.shape(layer);
    const { factors, summands } = own;
    const tensor = (values: readonly number[]) => float32(name, values);
    const image = this.images.get(layer);
    if (image) {
      const made = this.push({ ...known }, this.shape(layer));
      const both = chained(image, own);
      if (!both.factors.every((factor) => factor > 0 && factor < Infinity) || !both.summands.every(Number.isFinite)) {
        throw this.fail(name, 'scales the image by what is not positive, or shifts it by what is not finite');
      }
      this.images.set(made, both);
      return made;
    }
    if (known.op === 'conv') {
      return this.batchNorm(name, layer, usualEpsilon, {
        gamma: tensor(factors),
        beta: tensor(summands),
        mean: tensor(factors.map(() => 0)),
        variance: tensor(factors.map(() => 1 - usualEpsilon)),
      });
    }
    if (known.op !== 'batchNorm') {
      throw this.fail(name, `scales or shifts ${known.name}, expected the image, a convolution or a batch norm`);
    }
    const valuesOf = (own: string | undefined, absent: number) => {
      if (own === undefined) return factors.map(() => absent);
      const { values } = numbersOf(this.tensors.get(own)!) ?? {};
      if (values) return values;
      throw this.fail(name, `scales or shifts ${known.name}, whose tensors are of no usual kind`);
    };
    const both = chained({ factors: valuesOf(known.gamma, 1), summands: valuesOf(known.beta, 0) }, own);
    const keep = (values: readonly number[]) => this.perChannel(name, tensor(values), channels);
    return this.push({ ...known, gamma: keep(both.factors), beta: keep(both.summands) }, this.shape(layer));
  }

  sigmoid(name: string, input: number): number {
    if (!this.pooled.has(input)) throw this.fail(name, 'expected a global pool before it');
    return this.push({ name, op: 'sigmoid', input }, this.shape(input));
  }

  /** A plane by the factors of its channels. */
  scale(name: string, a: number, b: number): number {
    const [plane, factor] = this.pooled.has(a) ? [b, a] : [a, b];
    const [x, y] = [this.shape(plane), this.shape(factor)];
    if (!this.pooled.has(factor) || this.pooled.has(plane) || x.channels !== y.channels) {
      throw this.fail(name, `cannot multiply ${words(x)} and ${words(y)}, expected planes and one factor for each`);
    }
    return this.push({ name, op: 'scale', inputs: [plane, factor] }, x);
  }

  /** All channels in another order, which has to be a shuffle: channel i is what channel order[i] was. */
  reorder(name: string, input: number, order: readonly number[]): number {
    const { channels } = this.shape(input);
    // The second one was the first of the second group.
    const step = order[1] ?? 1;
    const groups = step === 1 ? 1 : channels / step;
    const shuffled = (to: number) => (to % groups) * (channels / groups) + Math.floor(to / groups);
    if (!Number.isInteger(groups) || order.length !== channels || order.some((from, to) => from !== shuffled(to))) {
      throw this.fail(name, `expected all ${channels} channels in an order that shuffles them`);
    }
    return this.shuffle(name, input, groups);
  }

  /** Some of the channels, to be convolved each for itself and joined again. */
  part(name: string, of: number, begin: number, channels: number, step = 1): number {
    const whole = this.shape(of);
    if (begin === 0 && channels === whole.channels && step === 1) return of;
    const part = this.push({ name, op: 'input', channels }, { ...whole, channels });
    this.parts.set(part, { of, begin, step });
    return part;
  }

  /** Itself where the shuffle leaves everything in its place. */
  shuffle(name: string, input: number, groups: number): number {
    const shape = this.shape(input);
    if (!Number.isInteger(groups) || groups < 1 || shape.channels % groups !== 0) {
      throw this.fail(name, `cannot shuffle ${shape.channels} channels in ${groups} groups`);
    }
    if (groups === 1 || groups === shape.channels) return input;
    return this.push({ name, op: 'shuffle', input, groups }, shape);
  }

  /** A pool of the whole plane is a global pool, unless it is a shortcut on a small image: concat() tells. */
  pool(name: string, input: number, mode: 'avg' | 'max', placing: Placing, countPadding: boolean): number {
    const { kernel, stride, padding } = placing;
    const { channels, height, width } = this.shape(input);
    const none = padding !== 'same' && padding.begin + padding.end === 0;
    const before = this.layers[input]!;
    // Every so many of the averages of stride 1, as Keras' imgclsmob takes them, are averages of that stride.
    if (none && kernel === 1 && before.op === 'avgPool' && before.stride === 1) {
      const { input: from, padding: around, countPadding: counts } = before;
      if (around !== 'same' && !around.ceil) {
        return this.pool(name, from, 'avg', { kernel: before.kernel, stride, padding: around }, counts);
      }
    }
    const window = { name, input, kernel, stride, padding: simplePadding(placing) };
    const layer: Layer =
      mode === 'max'
        ? { ...window, op: 'maxPool' }
        : // Without padding it makes no difference.
          { ...window, op: 'avgPool', countPadding: countPadding || none };
    if (!none || kernel !== height || kernel !== width) {
      return this.push(layer, { channels, ...this.plane(name, input, placing) });
    }
    const made = this.globalPool(name, input, mode);
    if (made !== input) this.windows.set(made, layer);
    return made;
  }

  globalPool(name: string, input: number, mode: 'avg' | 'max'): number {
    if (this.pooled.has(input)) return input;
    const { channels } = this.shape(input);
    return this.push({ name, op: 'globalPool', input, mode }, { channels, height: 1, width: 1 });
  }

  add(name: string, a: number, b: number): number {
    const [x, y] = [this.shape(a), this.shape(b)];
    if (x.channels !== y.channels || x.height !== y.height || x.width !== y.width) {
      throw this.fail(name, `cannot add ${words(x)} and ${words(y)}`);
    }
    // What was there first is the shortcut; the order of a sum does not matter.
    return this.push({ name, op: 'add', inputs: a < b ? [a, b] : [b, a] }, x);
  }

  /** Two values; or all parts of one, or what convolutions make of them: its groups, of which there may be one. */
  concat(name: string, inputs: readonly number[]): number {
    const whole = this.ofParts(name, inputs);
    if (whole !== undefined) return whole;
    const [a, b, ...more] = inputs;
    if (a !== undefined && b === undefined) return a;
    if (a === undefined || b === undefined || more.length > 0) {
      throw this.fail(name, `joins ${inputs.length} values, expected two, or groups of channels`);
    }
    const [x, y] = [this.shape(a), this.shape(b)];
    if (x.height !== y.height || x.width !== y.width) throw this.fail(name, `cannot join ${words(x)} and ${words(y)}`);
    for (const input of [a, b]) this.layers[input] = this.windows.get(input) ?? this.layers[input]!;
    return this.push({ name, op: 'concat', inputs: [a, b] }, { ...x, channels: x.channels + y.channels });
  }

  private ofParts(name: string, inputs: readonly number[]): number | undefined {
    const layers = inputs.map((input) => this.layers[input]!);
    const convs = layers.filter((layer) => layer.op === 'conv');
    const [first] = convs;
    const sources = first ? convs.map(({ input }) => input) : inputs;
    const parts = sources.map((input) => ({ ...this.parts.get(input), channels: this.shape(input).channels }));
    const { of } = parts[0] ?? {};
    if (of === undefined || parts.length !== inputs.length || parts.some((part) => part.of !== of)) return undefined;
    const all = this.shape(of).channels;
    this.spend(name, all);
    // Parts that overlap could be any number.
    if (parts.reduce((sum, { channels }) => sum + channels, 0) !== all) {
      throw this.fail(name, `joins parts of ${this.layers[of]!.name} that are not all ${all} channels`);
    }
    const order = parts.flatMap(({ begin = 0, step = 1, channels }) =>
      Array.from({ length: channels }, (_, i) => begin + i * step),
    );
    if (!first) return this.reorder(name, of, order);

    const alike = ({ name: _, input, weight, bias, ...geometry }: typeof first) => ({
      ...geometry,
      channels: this.shape(input).channels,
      axes: this.tensors.get(weight)!.axes,
      bias: bias !== undefined,
    });
    if (order.some((from, to) => from !== to) || !convs.every((conv) => isDeepStrictEqual(alike(conv), alike(first)))) {
      throw this.fail(name, 'joins convolutions of parts that are not the groups of one convolution');
    }
    const joined = (names: string[]): PlacedTensor => {
      const tensors = names.map((own) => this.tensors.get(own)!);
      const [{ shape }] = tensors as [PlacedTensor];
      const parts = tensors.flatMap((tensor) => tensor.parts);
      return { ...tensors[0]!, shape: [shape[0]! * names.length, ...shape.slice(1)], parts };
    };
    const biases = convs.flatMap(({ bias }) => bias ?? []);
    const { stride, padding, groups } = first;
    return this.conv(
      first.name,
      of,
      joined(convs.map(({ weight }) => weight)),
      biases.length > 0 ? joined(biases) : undefined,
      { stride, padding, groups: groups * convs.length },
    );
  }

  finish(output: number): ImportedGraph {
    return { layers: this.layers, output, tensors: this.tensors, images: this.images };
  }

  private plane(name: string, input: number, { kernel, stride, padding }: Placing): { height: number; width: number } {
    const { height, width } = this.shape(input);
    const count = (size: number) => windowCount(size, kernel, stride, padding);
    const plane = { height: count(height), width: count(width) };
    if (!(plane.height >= 1 && plane.width >= 1)) {
      throw this.fail(name, `cannot place a ${kernel}x${kernel} window on ${height}x${width}`);
    }
    return plane;
  }

  /** Any shape with as many values as there are channels. */
  private perChannel(name: string, value: PlacedTensor, channels: number): string {
    const { shape, from } = value;
    if (shape.reduce((product, side) => product * side, 1) !== channels) {
      throw this.fail(name, `tensor ${quote(from)} ${formatShape(shape)} does not suit ${channels} channels`);
    }
    return this.keep({ from, shape: [channels], parts: value.parts });
  }

  /** Under a name of its own: a file can use a tensor twice. */
  private keep(tensor: PlacedTensor): string {
    const name = `${this.tensors.size}`;
    this.tensors.set(name, tensor);
    return name;
  }

  /** What is made of pooled values alone is one. */
  private push(layer: Layer, shape: Shape): number {
    this.shapes.push(shape);
    const index = this.layers.push(layer) - 1;
    if (layer.op === 'globalPool' || ('input' in layer && this.pooled.has(layer.input))) this.pooled.add(index);
    return index;
  }
}

/** At a stride of 1 TensorFlow's SAME is a padding like any other. */
function simplePadding({ kernel, stride, padding }: Placing): Padding {
  if (padding !== 'same' || stride !== 1 || kernel % 2 === 0) return padding;
  return { begin: (kernel - 1) / 2, end: (kernel - 1) / 2 };
}

function words({ channels, height, width }: Shape): string {
  return `${channels} planes of ${height}x${width}`;
}

/** The one, then the other. */
function chained(first: Affine, { factors, summands }: Affine): Affine {
  return {
    factors: first.factors.map((value, i) => value * factors[i]!),
    summands: first.summands.map((value, i) => value * factors[i]! + summands[i]!),
  };
}

/** A tensor that is in no file. */
export function float32(from: string, values: readonly number[]): PlacedTensor {
  const shape = [values.length];
  return { from, shape, parts: [{ dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) }] };
}
