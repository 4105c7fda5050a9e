import { isDeepStrictEqual } from 'node:util';
import { ShuffleNetError } from '../../errors';
import { buildGraph } from '../../network/graph';
import type { Graph, Layer, Padding } from '../../network/layers';
import type { NetworkOptions, Variant } from '../../network/options';
import { layerChannels } from '../../network/shapes';
import { resolveNetwork, stageUnits } from '../../network/table';
import type { PlacedTensor } from '../families/family';
import { inferNetwork, presentParameters } from '../families/infer';
import { float32, type Affine, type ImportedGraph } from './builder';

/** With all that a unit can have, twelve layers, a network has some two hundred. */
const maxLayers = 500;

type Conv = Extract<Layer, { op: 'conv' }>;

/**
 * The network whose graph this is: its options, and its tensors by canonical name. Widths are told by shapes and the
 * variant by the layers; that the network they make has this very graph is then checked layer by layer. Throws
 * ERR_WEIGHTS_TENSOR naming the first operator that is not as expected.
 */
export function matchNetwork(
  graph: ImportedGraph,
  file: string,
): { network: NetworkOptions; tensors: Map<string, PlacedTensor>; image: Affine } {
  const refuse = (detail: string, options?: { cause: unknown }) =>
    new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${file}: the graph is not ShuffleNet V1's: ${detail}`, options);
  const walk = new Walk(graph);
  const { convs, fc, excitations } = walk;
  const torn = walk.inputs.find((index) => !graph.images.has(index));
  if (torn !== undefined) {
    throw refuse(`${graph.layers[torn]!.name} takes some of the channels, which no convolution and join follow`);
  }
  const counts = stageUnits.map((count) => (convs.length === 25 ? count / 2 : count));
  if ((convs.length !== 49 && convs.length !== 25) || !fc) {
    const classifier = fc ? '' : ', and no classifier behind a global pool';
    throw refuse(
      `${convs.length} convolutions${classifier}; expected 49, or 25 in a shallow network, and a classifier`,
    );
  }
  if (walk.size > maxLayers) throw refuse(`${walk.size} layers, expected at most ${maxLayers}`);
  const normed = walk.withNorms(graph);
  if (normed) return matchNetwork(normed, file);
  const units = counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, unit) => `stage${stage + 2}.${unit}`),
  );
  const namesOf = (...layers: string[]) => units.flatMap((unit) => layers.map((layer) => `${unit}.${layer}`));

  const shapes = new Map<string, PlacedTensor>();
  const place = (layers: number[], names: string[]) =>
    layers.forEach((index, i) => walk.placeAll(names[i]!, index, graph.tensors, shapes));
  place(convs, ['conv1', ...namesOf('gconv1', 'dwconv', 'gconv2')]);
  if (excitations.length === 2 * units.length) place(excitations, namesOf('se.fc1', 'se.fc2'));
  walk.placeAll('fc', graph.layers.indexOf(fc), graph.tensors, shapes);
  let network: NetworkOptions;
  let expected: Graph;
  try {
    network = inferNetwork(shapes, { ...presentParameters(shapes), ...walk.padding() }, file);
    const { shuffle, ...order } = walk.order(network);
    network.shuffle = shuffle;
    network.variant = { ...network.variant, ...order };
    expected = buildGraph(resolveNetwork(network));
  } catch (cause) {
    // What no options describe is the file's to answer for.
    if (cause instanceof ShuffleNetError && cause.code !== 'ERR_WEIGHTS_TENSOR') throw refuse(cause.message, { cause });
    throw cause;
  }
  const difference = compare(expected, graph);
  if (typeof difference === 'string') throw refuse(difference);
  const tensors = new Map<string, PlacedTensor>();
  for (const [canonical, own] of difference) tensors.set(canonical, graph.tensors.get(own)!);
  return { network, tensors, image: graph.images.get(walk.inputs[0]!)! };
}

/** What leads to a graph's output, and what follows what. */
class Walk {
  readonly convs: number[] = [];
  readonly fc: Extract<Layer, { op: 'fullyConnected' }> | undefined;
  /** Fully connected layers before it. */
  readonly excitations: number[] = [];
  /** Input layers: the image, and parts of others' channels that are still ones. */
  readonly inputs: number[] = [];
  /** Layers that lead to the output. */
  readonly size: number;
  private readonly live: boolean[];
  private readonly layers: readonly Layer[];

  constructor(graph: Graph) {
    this.layers = graph.layers;
    this.live = graph.layers.map(() => false);
    this.live[graph.output] = true;
    // Layers come after what they read.
    for (let index = graph.layers.length - 1; index >= 0; index--) {
      if (!this.live[index]) continue;
      for (const input of inputsOf(graph.layers[index]!)) this.live[input] = true;
    }
    graph.layers.forEach((layer, index) => {
      if (!this.live[index]) return;
      if (layer.op === 'conv') this.convs.push(index);
      if (layer.op === 'input') this.inputs.push(index);
      if (layer.op === 'fullyConnected' && index !== graph.output) this.excitations.push(index);
    });
    this.size = this.live.filter(Boolean).length;
    const last = graph.layers[graph.output]!;
    this.fc = last.op === 'fullyConnected' ? last : undefined;
  }

  /** Tensors of a convolution or classifier, and of the batch norm behind it, under canonical names. */
  placeAll(
    name: string,
    index: number,
    tensors: ReadonlyMap<string, PlacedTensor>,
    placed: Map<string, PlacedTensor>,
  ): void {
    const place = (canonical: string, own: string | undefined) => {
      if (own !== undefined) placed.set(canonical, tensors.get(own)!);
    };
    const layer = this.layers[index]!;
    if (layer.op !== 'conv' && layer.op !== 'fullyConnected') return;
    place(`${name}.weight`, layer.weight);
    place(`${name}.bias`, layer.bias);
    const norm = this.after(index, 'batchNorm');
    if (norm?.op !== 'batchNorm') return;
    place(`${name}.bn.weight`, norm.gamma);
    place(`${name}.bn.running_mean`, norm.mean);
  }

  /**
   * Where only some of the units' convolutions have a batch norm, the same with one behind each that has it as a bias:
   * exporters fold those that follow a convolution, not those behind groups that were joined. undefined for others.
   */
  withNorms(graph: ImportedGraph): ImportedGraph | undefined {
    const norm = this.first('batchNorm');
    const bare = this.convs.slice(1).filter((index) => this.after(index, 'batchNorm') === undefined);
    if (!norm || bare.length === 0) return undefined;
    const tensors = new Map(graph.tensors);
    const filled = (channels: number, value: number): string => {
      const name = `${channels} times ${value}`;
      if (!tensors.has(name)) tensors.set(name, float32('a folded batch norm', Array<number>(channels).fill(value)));
      return name;
    };
    const layers: Layer[] = [];
    const places: number[] = [];
    graph.layers.forEach((layer, index) => {
      const moved = movedInputs(layer, places);
      if (moved.op === 'conv' && bare.includes(index)) {
        const { bias, ...conv } = moved;
        const channels = conv.outChannels;
        layers.push(conv, {
          name: layer.name,
          op: 'batchNorm',
          input: layers.length,
          epsilon: norm.epsilon,
          ...(norm.gamma !== undefined && { gamma: filled(channels, 1) }),
          beta: bias ?? filled(channels, 0),
          mean: filled(channels, 0),
          variance: filled(channels, 1 - norm.epsilon),
        });
      } else {
        layers.push(moved);
      }
      places.push(layers.length - 1);
    });
    const images = new Map([...graph.images].map(([index, image]) => [places[index]!, image]));
    return { layers, output: places[graph.output]!, tensors, images };
  }

  /** What the layers say that needs no knowledge of widths. */
  padding(): Partial<Variant> {
    const stem = this.conv(0);
    const [maxPool, avgPool, norm] = [this.first('maxPool'), this.first('avgPool'), this.first('batchNorm')];
    const stride = (value: number, layer: Layer): 1 | 2 => {
      if (value === 1 || value === 2) return value;
      throw new ShuffleNetError('ERR_NETWORK', `${layer.name}: expected a stride of 1 or 2, has ${value}`);
    };
    const afterStem = this.consumers(this.convs[0]!).flatMap((index) =>
      this.layers[index]!.op === 'batchNorm' ? this.consumers(index) : [index],
    );
    return {
      stemStride: stride(stem.stride, stem),
      stemPadding: stem.padding,
      stemRelu: afterStem.some((index) => this.layers[index]!.op === 'relu'),
      maxPool: maxPool !== undefined,
      ...(maxPool && { maxPoolPadding: maxPool.padding }),
      stage2Stride: stride(this.conv(2).stride, this.conv(2)),
      ...(avgPool && {
        avgPoolKernel: avgPool.kernel === 2 ? 2 : 3,
        avgPoolPadding: avgPool.padding,
        avgPoolCountPadding: avgPool.countPadding,
      }),
      depthwisePadding: this.stridedPadding(),
      ...this.globalPool(),
      ...(norm && { batchNormEpsilon: norm.epsilon }),
      ...this.joining(),
    };
  }

  /** A first depthwise convolution of stride 1 is no matter of this option. */
  private stridedPadding(): Variant['depthwisePadding'] {
    // The stages have a quarter, a half and a quarter of the units.
    const first = (part: number) => this.conv(2 + part * (this.convs.length - 1));
    const [stage3, stage4] = [first(1 / 4), first(3 / 4)];
    const stage2 = first(0).stride === 1 ? stage3 : first(0);
    const paddings: [Padding, Padding, Padding] = [stage2.padding, stage3.padding, stage4.padding];
    return isDeepStrictEqual(paddings, [paddings[0], paddings[0], paddings[0]]) ? paddings[0] : paddings;
  }

  /** How the channels are shuffled in a network of these groups. */
  order({ groups = 3 }: NetworkOptions): Partial<Variant> & { shuffle: boolean } {
    const order: Partial<Variant> = {};
    let first = false;
    this.layers.forEach((layer, index) => {
      if (!this.live[index] || layer.op !== 'shuffle') return;
      const from = this.convs.indexOf(this.convBefore(layer.input));
      if (from < 1) return;
      const mid = this.conv(from).outChannels;
      order.shufflePlace = from % 3 === 2 ? 'afterDepthwise' : 'beforeDepthwise';
      if (from < 4) first = true;
      // With groups * groups channels both orders are the same.
      if (layer.groups !== mid / groups) order.shuffleOrder = 'standard';
      else if (layer.groups !== groups) order.shuffleOrder = 'inverse';
    });
    return order.shufflePlace ? { ...order, shuffleFirstUnit: first, shuffle: true } : { shuffle: false };
  }

  private conv(i: number): Conv {
    return this.layers[this.convs[i]!] as Conv;
  }

  private first<O extends Layer['op']>(op: O): Extract<Layer, { op: O }> | undefined {
    return this.layers.find((layer, index): layer is Extract<Layer, { op: O }> => this.live[index]! && layer.op === op);
  }

  private consumers(index: number): number[] {
    return this.layers.flatMap((layer, i) => (this.live[i] && inputsOf(layer).includes(index) ? [i] : []));
  }

  private after(index: number, op: Layer['op']): Layer | undefined {
    return this.consumers(index)
      .map((i) => this.layers[i]!)
      .find((layer) => layer.op === op);
  }

  /** The convolution that a value comes from, through layers that change nothing of its size. */
  private convBefore(index: number): number {
    for (let at = index; ; ) {
      const layer = this.layers[at]!;
      if (layer.op === 'scale') at = layer.inputs[0];
      else if (layer.op === 'batchNorm' || layer.op === 'relu' || layer.op === 'shuffle') at = layer.input;
      else return at;
    }
  }

  private globalPool(): Partial<Variant> {
    const pool = this.fc && this.layers[this.fc.input];
    return pool?.op === 'globalPool' ? { globalPool: pool.mode } : {};
  }

  /** How the first concatenation is made. */
  private joining(): Partial<Variant> {
    const concat = this.first('concat');
    if (!concat) return {};
    const branch = concat.inputs.findIndex((input) => this.convBefore(input) === this.convs[3]);
    const onBranch = branch >= 0 && this.layers[concat.inputs[branch]!]!.op === 'relu';
    const behind = this.after(this.layers.indexOf(concat), 'relu') !== undefined;
    return {
      concatOrder: branch === 0 ? 'branchShortcut' : 'shortcutBranch',
      concatRelu: onBranch ? 'branch' : behind ? 'afterConcat' : 'none',
    };
  }
}

function movedInputs(layer: Layer, places: readonly number[]): Layer {
  if (layer.op === 'input') return layer;
  if (!('inputs' in layer)) return { ...layer, input: places[layer.input]! };
  const [a, b] = layer.inputs;
  return { ...layer, inputs: [places[a]!, places[b]!] };
}

function inputsOf(layer: Layer): readonly number[] {
  if (layer.op === 'input') return [];
  return 'inputs' in layer ? layer.inputs : [layer.input];
}

/** The imported tensors' names by canonical ones, if both graphs are the same; else the words for where they differ. */
function compare(expected: Graph, found: Graph): Map<string, string> | string {
  const names = new Map<string, string>();
  const partner = new Map<number, number>();
  const channels = layerChannels(expected);
  const pairs: [number, number][] = [[expected.output, found.output]];
  for (let pair = pairs.pop(); pair; pair = pairs.pop()) {
    for (let layer = expected.layers[pair[0]]!; layer.op === 'shuffle'; layer = expected.layers[pair[0]]!) {
      // What leaves all channels in their place no file has to hold.
      if (layer.groups !== 1 && layer.groups !== channels[layer.input]) break;
      pair = [layer.input, pair[1]];
    }
    const [a, b] = [expected.layers[pair[0]]!, found.layers[pair[1]]!];
    const known = partner.get(pair[0]);
    if (known === pair[1]) continue;
    if (known !== undefined) return `${b.name} is where ${found.layers[known]!.name} is expected (${a.name})`;
    partner.set(...pair);
    const difference = differenceOf(a, b);
    if (difference !== undefined) return difference;
    for (const key of tensorKeys) {
      const [canonical, own] = [textOf(a, key), textOf(b, key)];
      if (canonical !== undefined && own !== undefined) names.set(canonical, own);
    }
    const inputs = inputsOf(b);
    inputsOf(a).forEach((input, i) => pairs.push([input, inputs[i]!]));
  }
  return names;
}

const tensorKeys = ['weight', 'bias', 'gamma', 'beta', 'mean', 'variance'];

function textOf(layer: Layer, key: string): string | undefined {
  const value: unknown = Object.entries(layer).find(([name]) => name === key)?.[1];
  return typeof value === 'string' ? value : undefined;
}

function differenceOf(expected: Layer, found: Layer): string | undefined {
  const [a, b] = [signature(expected), signature(found)];
  if (expected.op !== found.op) return `${found.name} is ${found.op}, expected ${expected.op} (${expected.name})`;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (isDeepStrictEqual(a[key], b[key])) continue;
    const words = (value: unknown) => (value === undefined ? 'no' : JSON.stringify(value));
    return `${found.name} has ${words(b[key])} ${key}, expected ${words(a[key])} (${expected.name})`;
  }
  return undefined;
}

/** All that a layer computes with, but not where its inputs and tensors are. */
function signature(layer: Layer): Record<string, unknown> {
  const entries = Object.entries(layer).filter(([key]) => !['name', 'input', 'inputs'].includes(key));
  return Object.fromEntries(
    entries.map(([key, value]: [string, unknown]) => {
      if (tensorKeys.includes(key)) return [key, value !== undefined];
      return [key, key === 'padding' ? plainPadding(value as Padding) : value];
    }),
  );
}

function plainPadding(padding: Padding): Padding {
  return padding === 'same' ? padding : { ceil: false, reflect: false, ...padding };
}
