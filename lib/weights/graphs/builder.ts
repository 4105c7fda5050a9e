import { ShuffleNetError } from '../../errors';
import type { Graph, Layer, Padding } from '../../network/layers';
import { windowCount, type Shape } from '../../network/shapes';
import { formatShape, quote } from '../json';
import type { PlacedTensor } from '../families/family';

/** A stored graph in the words of lib/network/layers.ts. Layers have the names of the file's operators. */
export interface ImportedGraph extends Graph {
  /** By the names that the layers have for them. */
  tensors: ReadonlyMap<string, PlacedTensor>;
}

/** A square window's sides and their padding, in cells. */
export interface Placing {
  kernel: number;
  stride: number;
  padding: Padding;
}

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

  constructor(private readonly file: string) {}

  fail(operator: string, words: string): ShuffleNetError {
    return new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${this.file}: ${operator}: ${words}`);
  }

  /** Counts numbers that shapes are computed with: a few bytes of a file could ask for any time and memory. */
  spend(operator: string, numbers: number): void {
    this.numbersLeft -= numbers;
    if (!(this.numbersLeft >= 0)) throw this.fail(operator, `computes shapes with more than ${maxNumbers} numbers`);
  }

  shape(layer: number): Shape {
    return this.shapes[layer]!;
  }

  isPooled(layer: number): boolean {
    return this.pooled.has(layer);
  }

  input(channels: number, height: number, width: number): number {
    return this.push({ name: 'input', op: 'input', channels }, { channels, height, width });
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
    const layer = this.push(
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
    this.pooled.add(layer);
    return layer;
  }

  /** The same convolution or classifier with a bias that comes in an operator of its own. */
  addBias(name: string, layer: number, bias: PlacedTensor): number {
    const known = this.layers[layer]!;
    if ((known.op !== 'conv' && known.op !== 'fullyConnected') || known.bias !== undefined) {
      throw this.fail(name, `adds a constant behind ${known.name}, which has a bias already or cannot have one`);
    }
    const { channels } = this.shape(layer);
    const made = this.push({ ...known, bias: this.perChannel(name, bias, channels) }, this.shape(layer));
    if (this.pooled.has(layer)) this.pooled.add(made);
    return made;
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
        beta: keep(tensors.beta ?? zeros(channels)),
        mean: keep(tensors.mean),
        variance: keep(tensors.variance),
      },
      this.shape(input),
    );
  }

  relu(name: string, input: number): number {
    return this.push({ name, op: 'relu', input }, this.shape(input));
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
    const layer = this.push(
      { name, op: 'globalPool', input, mode },
      { channels: this.shape(input).channels, height: 1, width: 1 },
    );
    this.pooled.add(layer);
    return layer;
  }

  add(name: string, a: number, b: number): number {
    const [x, y] = [this.shape(a), this.shape(b)];
    if (x.channels !== y.channels || x.height !== y.height || x.width !== y.width) {
      throw this.fail(name, `cannot add ${words(x)} and ${words(y)}`);
    }
    // What was there first is the shortcut; the order of a sum does not matter.
    return this.push({ name, op: 'add', inputs: a < b ? [a, b] : [b, a] }, x);
  }

  concat(name: string, a: number, b: number): number {
    const [x, y] = [this.shape(a), this.shape(b)];
    if (x.height !== y.height || x.width !== y.width) throw this.fail(name, `cannot join ${words(x)} and ${words(y)}`);
    for (const input of [a, b]) this.layers[input] = this.windows.get(input) ?? this.layers[input]!;
    return this.push({ name, op: 'concat', inputs: [a, b] }, { ...x, channels: x.channels + y.channels });
  }

  finish(output: number): ImportedGraph {
    return { layers: this.layers, output, tensors: this.tensors };
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

  private push(layer: Layer, shape: Shape): number {
    this.shapes.push(shape);
    return this.layers.push(layer) - 1;
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

function zeros(channels: number): PlacedTensor {
  const shape = [channels];
  return { from: 'no beta', shape, parts: [{ dtype: 'F32', shape, bytes: new Uint8Array(4 * channels) }] };
}
