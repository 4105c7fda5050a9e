import type { Graph, Layer, Padding } from '../../lib/network/layers';

/**
 * The meaning of a graph, written as plainly as it goes: one loop nest per layer, in doubles, nothing folded or
 * reordered, and sharing no code with lib/network or the native core, so that a common mistake cannot hide.
 */
export interface Value {
  channels: number;
  height: number;
  width: number;
  /** NCHW without the N. */
  data: Float64Array;
}

export type Tensors = Record<string, Float32Array>;

/** The image size does not suit the graph. */
export class Impossible extends Error {}

/** The values of all layers for one image. */
export function interpret(
  { layers }: Graph,
  tensors: Tensors,
  image: { height: number; width: number; data: ArrayLike<number> },
): Value[] {
  const values: Value[] = [];
  for (const layer of layers) values.push(evaluate(layer, values, tensors, image));
  return values;
}

function evaluate(layer: Layer, values: Value[], tensors: Tensors, image: Parameters<typeof interpret>[2]): Value {
  switch (layer.op) {
    case 'input':
      return { channels: layer.channels, ...image, data: Float64Array.from(image.data) };
    case 'conv':
      return conv(layer, values[layer.input]!, tensors);
    case 'batchNorm': {
      const { epsilon } = layer;
      const [mean, variance] = [tensors[layer.mean]!, tensors[layer.variance]!];
      const gamma = layer.gamma === undefined ? undefined : tensors[layer.gamma]!;
      const beta = layer.beta === undefined ? undefined : tensors[layer.beta]!;
      return map(values[layer.input]!, (x, c) => {
        const normal = (x - mean[c]!) / Math.sqrt(variance[c]! + epsilon);
        return normal * (gamma ? gamma[c]! : 1) + (beta ? beta[c]! : 0);
      });
    }
    case 'relu':
      return map(values[layer.input]!, (x) => Math.max(x, 0));
    case 'sigmoid':
      return map(values[layer.input]!, (x) => 1 / (1 + Math.exp(-x)));
    case 'shuffle': {
      const from = values[layer.input]!;
      const [area, width] = [from.height * from.width, from.channels / layer.groups];
      const to = { ...from, data: new Float64Array(from.data.length) };
      for (let i = 0; i < layer.groups; i++) {
        for (let j = 0; j < width; j++) {
          const plane = from.data.subarray((i * width + j) * area, (i * width + j + 1) * area);
          to.data.set(plane, (j * layer.groups + i) * area);
        }
      }
      return to;
    }
    case 'maxPool':
      return pool(layer, values[layer.input]!, (cells) => Math.max(...cells));
    case 'avgPool': {
      const from = values[layer.input]!;
      const { padding } = layer;
      if (padding !== 'same' && padding.reflect) {
        const inside = { ...layer, padding: { begin: 0, end: 0 } };
        return pool(inside, mirrored(layer.name, from, padding), (cells) => sum(cells) / cells.length);
      }
      return pool(layer, from, (cells, padded) => sum(cells) / (layer.countPadding ? padded : cells.length));
    }
    case 'globalPool': {
      const { channels, height, width, data } = values[layer.input]!;
      const area = height * width;
      const planes = Array.from({ length: channels }, (_, c) => data.subarray(c * area, (c + 1) * area));
      const of = (plane: Float64Array) =>
        layer.mode === 'avg' ? sum(plane) / area : plane.reduce((a, b) => Math.max(a, b), -Infinity);
      return { channels, height: 1, width: 1, data: Float64Array.from(planes, of) };
    }
    case 'fullyConnected': {
      const from = values[layer.input]!;
      if (from.height * from.width !== 1) throw new Impossible(`${layer.name} is not on a 1x1 plane`);
      const { outFeatures, weight, bias } = layer;
      const shape = { outChannels: outFeatures, kernel: 1, stride: 1, groups: 1, padding: { begin: 0, end: 0 } };
      return conv({ ...shape, weight, ...(bias !== undefined && { bias }), name: layer.name }, from, tensors);
    }
    case 'add': {
      const [a, b] = joined(layer, values);
      return { ...a, data: a.data.map((x, i) => x + b.data[i]!) };
    }
    case 'concat': {
      const [a, b] = joined(layer, values);
      const data = new Float64Array(a.data.length + b.data.length);
      data.set(a.data);
      data.set(b.data, a.data.length);
      return { ...a, channels: a.channels + b.channels, data };
    }
    case 'scale': {
      const [a, factor] = [values[layer.inputs[0]]!, values[layer.inputs[1]]!];
      return map(a, (x, c) => x * factor.data[c]!);
    }
  }
}

function joined({ name, inputs }: { name: string; inputs: [number, number] }, values: Value[]): [Value, Value] {
  const [a, b] = [values[inputs[0]]!, values[inputs[1]]!];
  if (a.height !== b.height || a.width !== b.width) throw new Impossible(`${name} joins planes of different size`);
  return [a, b];
}

function map(from: Value, f: (x: number, channel: number) => number): Value {
  const area = from.height * from.width;
  const data = new Float64Array(from.data.length);
  for (let i = 0; i < data.length; i++) data[i] = f(from.data[i]!, Math.floor(i / area));
  return { ...from, data };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Where windows start along one axis of a plane, and the axis with its padding: cells [low, high). */
export function windows(size: number, kernel: number, stride: number, padding: Padding) {
  const at = (count: number, low: number) => Array.from({ length: count }, (_, i) => low + i * stride);
  let count = 0;
  if (padding === 'same') {
    while (count * stride < size) count++;
    const missing = Math.max(0, (count - 1) * stride + kernel - size);
    const low = -Math.floor(missing / 2);
    return { starts: at(count, low), low, high: size + missing + low };
  }
  const { begin, end, ceil } = padding;
  const padded = begin + size + end;
  if (ceil) {
    // Until the end is covered, but no window starts in the padding after the plane.
    while ((count - 1) * stride + kernel < padded) count++;
    if ((count - 1) * stride >= begin + size) count--;
  } else {
    while (count * stride + kernel <= padded) count++;
  }
  return { starts: at(count, -begin), low: -begin, high: size + end };
}

type Window = { name: string; kernel: number; stride: number; padding: Padding };

function place({ name, kernel, stride, padding }: Window, from: Value) {
  const rows = windows(from.height, kernel, stride, padding);
  const columns = windows(from.width, kernel, stride, padding);
  if (!rows.starts.length || !columns.starts.length) throw new Impossible(`no window of ${name} fits`);
  return { rows, columns, height: rows.starts.length, width: columns.starts.length };
}

function conv(
  layer: Window & { outChannels: number; groups: number; weight: string; bias?: string },
  from: Value,
  tensors: Tensors,
): Value {
  const { outChannels, groups, kernel } = layer;
  const { rows, columns, height, width } = place(layer, from);
  const [ins, outs] = [from.channels / groups, outChannels / groups];
  const weights = tensors[layer.weight]!;
  const bias = layer.bias === undefined ? undefined : tensors[layer.bias]!;
  const data = new Float64Array(outChannels * height * width);
  const patch = new Float64Array(ins * kernel * kernel);
  for (let group = 0; group < groups; group++) {
    for (let oy = 0; oy < height; oy++) {
      for (let ox = 0; ox < width; ox++) {
        let next = 0;
        for (let i = group * ins; i < (group + 1) * ins; i++) {
          for (let y = rows.starts[oy]!; y < rows.starts[oy]! + kernel; y++) {
            for (let x = columns.starts[ox]!; x < columns.starts[ox]! + kernel; x++) {
              const inside = y >= 0 && y < from.height && x >= 0 && x < from.width;
              patch[next++] = inside ? from.data[(i * from.height + y) * from.width + x]! : 0;
            }
          }
        }
        for (let o = group * outs; o < (group + 1) * outs; o++) {
          let total = bias ? bias[o]! : 0;
          for (let i = 0; i < patch.length; i++) total += weights[o * patch.length + i]! * patch[i]!;
          data[(o * height + oy) * width + ox] = total;
        }
      }
    }
  }
  return { channels: outChannels, height, width, data };
}

/** Planes with mirrored cells round them. */
function mirrored(name: string, from: Value, { begin, end }: { begin: number; end: number }): Value {
  const around = (size: number) => {
    if (Math.max(begin, end) >= size) throw new Impossible(`${name} has nothing to reflect`);
    const cells = Array.from({ length: size }, (_, i) => i);
    return [...cells.slice(1, 1 + begin).reverse(), ...cells, ...cells.slice(size - 1 - end, size - 1).reverse()];
  };
  const [rows, columns] = [around(from.height), around(from.width)];
  const planes = Array.from({ length: from.channels }, (_, c) =>
    rows.flatMap((y) => columns.map((x) => from.data[(c * from.height + y) * from.width + x]!)),
  );
  const data = Float64Array.from(planes.flat());
  return { channels: from.channels, height: rows.length, width: columns.length, data };
}

/** `of` gets the real cells of a window, and how many there are with padding. */
function pool(layer: Window, from: Value, of: (cells: number[], padded: number) => number): Value {
  const { rows, columns, height, width } = place(layer, from);
  const { channels } = from;
  const data = new Float64Array(channels * height * width);
  let next = 0;
  for (let c = 0; c < channels; c++) {
    for (const top of rows.starts) {
      for (const left of columns.starts) {
        const cells: number[] = [];
        let padded = 0;
        for (let y = top; y < top + layer.kernel; y++) {
          for (let x = left; x < left + layer.kernel; x++) {
            if (y < rows.high && x < columns.high) padded++;
            if (y < 0 || y >= from.height || x < 0 || x >= from.width) continue;
            cells.push(from.data[(c * from.height + y) * from.width + x]!);
          }
        }
        data[next++] = of(cells, padded);
      }
    }
  }
  return { channels, height, width, data };
}
