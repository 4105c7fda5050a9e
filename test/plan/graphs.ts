import type { Graph, Layer, Padding } from '../../lib/network/layers';
import { windows } from '../reference/network';
import type { Random } from './random';

type Operation<L = Layer> = L extends Layer ? Omit<L, 'name'> : never;
type Conv = { kernel?: number; stride?: number; groups?: number; padding?: Padding; bias?: boolean };

export const none: Padding = { begin: 0, end: 0 };

/** Builds graphs by hand, and knows the shapes of their values. */
export class Builder {
  readonly input = 0;
  readonly layers: Layer[] = [];
  readonly shapes: { channels: number; height: number; width: number }[] = [];

  constructor(
    channels: number,
    readonly height: number,
    readonly width: number,
  ) {
    this.push({ op: 'input', channels }, { channels });
  }

  get last(): number {
    return this.layers.length - 1;
  }
  channels(layer: number): number {
    return this.shapes[layer]!.channels;
  }
  /** Whether two values have the same plane. */
  matches(a: number, b: number): boolean {
    return this.shapes[a]!.height === this.shapes[b]!.height && this.shapes[a]!.width === this.shapes[b]!.width;
  }

  conv(input: number, outChannels: number, options: Conv = {}): number {
    const { kernel = 1, stride = 1, groups = 1, padding = none, bias = true } = options;
    const weight = `${this.layers.length}.weight`;
    const shape = { outChannels, kernel, stride, groups, padding, weight };
    const operation = { op: 'conv' as const, input, ...shape, ...(bias && { bias: `${this.layers.length}.bias` }) };
    return this.push(operation, { channels: outChannels, ...this.slide(input, kernel, stride, padding) });
  }
  depthwise(input: number, options: Conv = {}): number {
    const channels = this.channels(input);
    return this.conv(input, channels, { kernel: 3, groups: channels, padding: { begin: 1, end: 1 }, ...options });
  }
  batchNorm(input: number, { gamma = true, beta = true } = {}): number {
    const name = `${this.layers.length}.bn`;
    const optional = { ...(gamma && { gamma: `${name}.gamma` }), ...(beta && { beta: `${name}.beta` }) };
    const statistics = { mean: `${name}.mean`, variance: `${name}.variance` };
    return this.push({ op: 'batchNorm', input, epsilon: 1e-5, ...optional, ...statistics }, this.shapes[input]!);
  }
  relu(input: number): number {
    return this.push({ op: 'relu', input }, this.shapes[input]!);
  }
  sigmoid(input: number): number {
    return this.push({ op: 'sigmoid', input }, this.shapes[input]!);
  }
  shuffle(input: number, groups: number): number {
    return this.push({ op: 'shuffle', input, groups }, this.shapes[input]!);
  }
  maxPool(input: number, kernel: number, stride: number, padding: Padding = none): number {
    return this.push({ op: 'maxPool', input, kernel, stride, padding }, this.slide(input, kernel, stride, padding));
  }
  avgPool(input: number, kernel: number, stride: number, padding: Padding = none, countPadding = true): number {
    const shape = this.slide(input, kernel, stride, padding);
    return this.push({ op: 'avgPool', input, kernel, stride, padding, countPadding }, shape);
  }
  globalPool(input: number, mode: 'avg' | 'max' = 'avg'): number {
    return this.push({ op: 'globalPool', input, mode }, { height: 1, width: 1 });
  }
  fullyConnected(input: number, outFeatures: number, bias = true): number {
    const weight = `${this.layers.length}.weight`;
    const operation = { op: 'fullyConnected' as const, input, outFeatures, weight };
    return this.push({ ...operation, ...(bias && { bias: `${this.layers.length}.bias` }) }, { channels: outFeatures });
  }
  add(a: number, b: number): number {
    return this.push({ op: 'add', inputs: [a, b] }, this.shapes[a]!);
  }
  concat(a: number, b: number): number {
    return this.push({ op: 'concat', inputs: [a, b] }, { channels: this.channels(a) + this.channels(b) });
  }
  scale(a: number, factor: number): number {
    return this.push({ op: 'scale', inputs: [a, factor] }, this.shapes[a]!);
  }

  /**
   * Ends in one pixel. 'avg' and 'max' pool; 'conv' weighs every pixel by itself, so that no mix-up of pixels cancels.
   */
  end(head: 'avg' | 'max' | 'conv', from = this.last): Graph {
    const { height, width } = this.shapes[from]!;
    if (head === 'conv') {
      const kernel = Math.max(height, width);
      const padding = { begin: 0, end: kernel - Math.min(height, width) };
      this.conv(from, 5, { kernel, stride: kernel, padding });
    } else {
      this.globalPool(from, head);
    }
    return { layers: this.layers, output: this.last };
  }

  private push(operation: Operation, shape: Partial<Builder['shapes'][number]>): number {
    const input = 'inputs' in operation ? operation.inputs[0] : 'input' in operation ? operation.input : undefined;
    const image = { channels: 0, height: this.height, width: this.width };
    this.shapes.push({ ...(input === undefined ? image : this.shapes[input]!), ...shape });
    return this.layers.push({ name: `${operation.op}${this.layers.length}`, ...operation } as Layer) - 1;
  }
  private slide(input: number, kernel: number, stride: number, padding: Padding) {
    const along = (size: number) => windows(size, kernel, stride, padding).starts.length;
    return { height: along(this.shapes[input]!.height), width: along(this.shapes[input]!.width) };
  }
}

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((i) => n % i === 0);

/** A random graph of all operations on a small plane. Values may have several readers, or none. */
export function randomGraph(random: Random, most = 15): { graph: Graph; height: number; width: number } {
  const side = () => random.integer(1, random.chance(0.2) ? 40 : 12);
  const b = new Builder(random.integer(1, 6), side(), side());
  // Recent values are likelier, so that graphs grow deep; the old ones make long lives.
  const any = () => (random.chance(0.6) ? b.last : random.integer(0, b.last));
  const padding = (kernel: number, forPool: boolean): Padding => {
    if (random.chance(0.2)) return 'same';
    const [begin, end] = [random.integer(0, Math.min(kernel - 1, 3)), random.integer(0, Math.min(kernel - 1, 3))];
    return { begin, end, ...(forPool && random.chance(0.4) && { ceil: true }) };
  };
  const fits = (input: number, kernel: number, stride: number, pad: Padding) => {
    const { height, width } = b.shapes[input]!;
    return [height, width].every((size) => windows(size, kernel, stride, pad).starts.length > 0);
  };
  const partner = (a: number) => {
    const found = b.shapes.map((_, i) => i).filter((i) => b.matches(i, a) && b.channels(i) === b.channels(a));
    return random.pick(found);
  };
  const steps: [weight: number, step: () => void][] = [
    [
      5,
      () => {
        const input = any();
        // As many channels as before can be added to what was before.
        const channels = random.chance(0.4) ? Math.min(b.channels(input), 24) : random.integer(1, 16);
        b.conv(input, channels, { bias: random.chance(0.5) });
      },
    ],
    [
      3,
      () => {
        const input = any();
        const groups = random.pick(divisors(b.channels(input)));
        b.conv(input, groups * random.integer(1, 4), { groups, bias: random.chance(0.5) });
      },
    ],
    [
      3,
      () => {
        const [input, kernel, stride] = [any(), random.pick([1, 2, 3, 5, 7]), random.integer(1, 3)];
        const groups = random.pick(divisors(b.channels(input)));
        const pad = padding(kernel, random.chance(0.2));
        if (fits(input, kernel, stride, pad)) {
          b.conv(input, groups * random.integer(1, 3), { kernel, stride, groups, padding: pad });
        }
      },
    ],
    [
      4,
      () => {
        const [input, stride, pad] = [any(), random.integer(1, 2), padding(3, false)];
        if (fits(input, 3, stride, pad)) b.depthwise(input, { stride, padding: pad, bias: random.chance(0.5) });
      },
    ],
    [4, () => b.batchNorm(any(), { gamma: random.chance(0.8), beta: random.chance(0.8) })],
    [4, () => b.relu(any())],
    [
      5,
      () => {
        const input = any();
        b.shuffle(input, random.pick(divisors(b.channels(input))));
      },
    ],
    [
      2,
      () => {
        const [input, kernel, stride] = [any(), random.integer(1, 4), random.integer(1, 3)];
        const pad = padding(kernel, true);
        if (!fits(input, kernel, stride, pad)) return;
        if (random.chance(0.5)) b.maxPool(input, kernel, stride, pad);
        else b.avgPool(input, kernel, stride, pad, random.chance(0.5));
      },
    ],
    [
      1,
      () => {
        const [input, stride] = [any(), random.integer(1, 3)];
        const pad: Padding = { begin: random.integer(0, 1), end: random.integer(0, 1), reflect: true };
        const { height, width } = b.shapes[input]!;
        if (Math.min(height, width) > 1 && fits(input, 3, stride, pad)) b.avgPool(input, 3, stride, pad);
      },
    ],
    [
      5,
      () => {
        const a = any();
        b.add(a, partner(a));
      },
    ],
    [
      4,
      () => {
        const a = any();
        const others = b.shapes.map((_, i) => i).filter((i) => b.matches(i, a) && b.channels(i) + b.channels(a) <= 32);
        if (others.length) b.concat(a, random.pick(others));
      },
    ],
    [
      2,
      () => {
        const a = any();
        const channels = b.channels(a);
        let factor = b.globalPool(random.chance(0.7) ? a : partner(a), random.pick(['avg', 'max'] as const));
        if (random.chance(0.4)) factor = b.fullyConnected(factor, channels);
        if (random.chance(0.4)) factor = b.sigmoid(factor);
        if (random.chance(0.3)) factor = b.shuffle(factor, random.pick(divisors(channels)));
        b.scale(a, factor);
      },
    ],
    [0.3, () => b.globalPool(any(), random.pick(['avg', 'max'] as const))],
  ];
  const total = steps.reduce((sum, [weight]) => sum + weight, 0);
  const count = random.integer(1, most);
  while (b.layers.length <= count) {
    let at = random.between(0, total);
    (steps.find(([weight]) => (at -= weight) < 0) ?? steps[0]!)[1]();
  }
  const graph = b.end(random.pick(['avg', 'max', 'conv', 'conv'] as const));
  return { graph, height: b.height, width: b.width };
}
