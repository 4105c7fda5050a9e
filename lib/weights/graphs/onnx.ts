import { ShuffleNetError } from '../../errors';
import type { Padding } from '../../network/layers';
import type { Shape } from '../../network/shapes';
import type { PlacedTensor } from '../families/family';
import { formatShape, quote } from '../json';
import type { StoredFile, StoredGraph, StoredInput, StoredTensor } from '../stored';
import { axesShape, reshapeAxes, transposed, wholeAxes } from './axes';
import { GraphBuilder, type ImportedGraph, type Placing } from './builder';
import { elementwise, gather, joinLists, reshaped, slice, squeezed, unsqueezed, vector } from './numbers';
import { nameOf, Operation, type Activation, type Cells, type Constant, type Failed, type Value } from './operation';

/** Sides of an image of any size: those that ImageNet's networks are made for. */
const usualSide = 224;
const maxSide = 4096;

/**
 * The layers of an ONNX graph of any operator set that is in use (7 to 21). Shapes are computed as a runtime would, for
 * the image size that the file declares or 224x224, so that a shuffle is found however its shapes are written.
 * Dropout, casts and a softmax at the end are left out.
 *
 * Throws ERR_WEIGHTS_TENSOR naming the operator that no ShuffleNet V1 has.
 */
export function importOnnx({ tensors, graph }: StoredFile & { graph: StoredGraph }, file: string): ImportedGraph {
  const builder = new GraphBuilder(file);
  const values = new Map<string, Value | Failed>();
  for (const [from, tensor] of tensors) values.set(from, constant(from, tensor));
  const [image, ...others] = graph.inputs;
  if (!image) throw builder.fail('the graph', 'has no input');
  values.set(image.name, inputValue(image, builder));
  for (const { name } of others) {
    values.set(name, { kind: 'failed', error: builder.fail(`input ${quote(name)}`, 'expected one input, the image') });
  }
  for (const operator of graph.operators) {
    const results = evaluate(new Operation(operator, values, builder));
    operator.outputs.forEach((output, index) => {
      // Masks and statistics of training.
      const words = `expected nothing to use output ${index} (${quote(output)})`;
      const unused = (): Failed => ({ kind: 'failed', error: builder.fail(nameOf(operator), words) });
      if (output !== '') values.set(output, Array.isArray(results) ? (results[index] ?? unused()) : results);
    });
  }
  const found = graph.outputs.map((name) => values.get(name)).filter((value) => value !== undefined);
  const logits = found.find(
    (value) => value.kind === 'activation' && builder.layers[value.layer]!.op === 'fullyConnected',
  );
  const output = logits ?? found[0];
  if (output?.kind === 'failed') throw output.error;
  if (output?.kind !== 'activation') throw builder.fail('the graph', 'has no output that is computed from the image');
  return builder.finish(output.layer);
}

/** Of all outputs, or of the first ones. */
function evaluate(operation: Operation): Value[] | Failed {
  const handler = handlers.get(operation.type);
  try {
    if (!handler) throw operation.fail('this kind of operator is not part of any ShuffleNet V1');
    return [handler(operation)].flat();
  } catch (error) {
    if (error instanceof ShuffleNetError) return { kind: 'failed', error };
    throw error;
  }
}

function constant(from: string, tensor: StoredTensor): Constant {
  return { kind: 'constant', tensor: { from, shape: tensor.shape, parts: [tensor] } };
}

/** N, C, H, W; or N, H, W, C, as TensorFlow's converters have it. */
function inputValue({ name, shape = [] }: StoredInput, builder: GraphBuilder): Activation {
  const words = `input ${quote(name)}`;
  if (shape.length !== 4 && shape.length !== 0) {
    throw builder.fail(words, `expected four sides (batch, channels, height, width), has ${shape.length}`);
  }
  const last = shape[3] === 3 && shape[1] !== 3;
  const [batch = 1, channels = 3, height = usualSide, width = usualSide] = last
    ? [shape[0], shape[3], shape[1], shape[2]]
    : shape;
  if (Math.max(batch, height, width) > maxSide) throw builder.fail(words, `is larger than ${maxSide} in some side`);
  builder.batch = batch;
  const layer = builder.input(channels, height, width);
  const axes = wholeAxes([batch, channels, height, width]);
  return { kind: 'activation', layer, axes: last ? [axes[0]!, axes[2]!, axes[3]!, axes[1]!] : axes };
}

type Handler = (op: Operation) => Value | Value[];

function conv(op: Operation): Value {
  const input = op.paddedPlane(0);
  const weight = op.constant(1);
  const { stride, padding } = placing(op, input, weight.shape[2] ?? 0);
  return op.made(
    op.builder.conv(op.name, input.layer, weight, op.optionalConstant(2), {
      stride,
      padding,
      groups: op.number('group', 1),
    }),
  );
}

/** Sides, stride and padding of a window, which have to be the same for height and width. */
function placing(op: Operation, input: { layer: number } & Cells, kernel: number): Placing {
  const pair = (name: string, absent: number) => {
    const [height = absent, width = absent, ...more] = op.list(name) ?? [];
    if (height !== width || more.length > 0 || !Number.isInteger(height) || height < 1 || height > maxSide) {
      throw op.fail(`${name} has to be two equal numbers, is ${formatShape([height, width, ...more])}`);
    }
    return height;
  };
  const sides = { kernel: pair('kernel_shape', kernel), stride: pair('strides', 1) };
  if (pair('dilations', 1) !== 1) throw op.fail('dilations have to be 1');
  const padding = windowPadding(op, sides, op.builder.shape(input.layer));
  if (input.begin + input.end === 0) return { ...sides, padding };
  if (padding === 'same') throw op.fail('has auto_pad behind a padding');
  const { reflect } = input;
  if (reflect && (padding.ceil || padding.begin + padding.end > 0))
    throw op.fail('adds to a padding of mirrored cells');
  const cells = { begin: padding.begin + input.begin, end: padding.end + input.end };
  return { ...sides, padding: { ...padding, ...cells, ...(reflect && { reflect }) } };
}

function windowPadding(op: Operation, { kernel, stride }: Omit<Placing, 'padding'>, { height, width }: Shape): Padding {
  const ceil = op.number('ceil_mode', 0) !== 0 && { ceil: true };
  switch (op.text('auto_pad', 'NOTSET')) {
    case 'SAME_UPPER':
      return 'same';
    case 'SAME_LOWER': {
      const total = (size: number) => Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
      const [rows, columns] = [total(height), total(width)];
      if (rows !== columns) throw op.fail(`SAME_LOWER pads the sides of ${height}x${width} differently`);
      return { begin: Math.ceil(rows / 2), end: Math.floor(rows / 2) };
    }
    case 'VALID':
      return { begin: 0, end: 0, ...ceil };
    default: {
      const pads = op.list('pads') ?? [0, 0, 0, 0];
      const [top = 0, left, bottom = 0, right] = pads;
      if (pads.length !== 4 || top !== left || bottom !== right || !(Math.min(top, bottom) >= 0)) {
        throw op.fail(`pads have to be the same for height and width, are ${formatShape(pads)}`);
      }
      return { begin: top, end: bottom, ...ceil };
    }
  }
}

function batchNorm(op: Operation): Value {
  if (op.number('spatial', 1) !== 1 || op.number('training_mode', 0) !== 0) {
    throw op.fail('expected spatial to be 1 and training_mode 0: export the network in evaluation mode');
  }
  return op.made(
    op.builder.batchNorm(op.name, op.plane(0), op.number('epsilon', 1e-5), {
      gamma: op.constant(1),
      beta: op.constant(2),
      mean: op.constant(3),
      variance: op.constant(4),
    }),
  );
}

function relu(op: Operation): Value {
  const { layer, order } = op.ordered(0);
  return op.made(op.builder.relu(op.name, layer), order);
}

function sigmoid(op: Operation): Value {
  const { layer, order } = op.ordered(0);
  return op.made(op.builder.sigmoid(op.name, layer), order);
}

function maxPool(op: Operation): Value {
  const input = op.paddedPlane(0);
  const sides = placing(op, input, 0);
  const most = Math.max(input.begin, input.end);
  // Mirrored cells are the window's own, where they are less than half of it.
  if (input.reflect && 2 * most < sides.kernel) sides.padding = { begin: input.begin, end: input.end };
  // Zeros are less than nothing only where no value is negative.
  else if (most > 0 && op.builder.layers[input.layer]!.op !== 'relu') {
    throw op.fail('has cells before it that could be the greatest values');
  }
  return op.made(op.builder.pool(op.name, input.layer, 'max', sides, true));
}

function averagePool(op: Operation): Value {
  const input = op.paddedPlane(0);
  const counts = op.number('count_include_pad', 0) !== 0;
  const sides = placing(op, input, 0);
  const padded = input.begin + input.end > 0;
  if (padded && !counts && sides.padding !== 'same') {
    const { kernel, stride, padding } = sides;
    const own = padding.end - input.end;
    // Cells at the end that do not count, as many as rounding up would add.
    const rounding = own > 0 && own === Math.min(stride - 1, kernel - 1 - input.end);
    if (padding.begin !== input.begin || (own !== 0 && !rounding)) {
      throw op.fail('counts some of the padding and some not');
    }
    if (rounding) sides.padding = { begin: input.begin, end: input.end, ceil: true };
  }
  return op.made(op.builder.pool(op.name, input.layer, 'avg', sides, counts || padded));
}

function globalPool(mode: 'avg' | 'max'): Handler {
  return (op) => op.made(op.builder.globalPool(op.name, op.plane(0), mode));
}

/** Over height and width. */
function reduce(mode: 'avg' | 'max'): Handler {
  return (op) => {
    const { layer, order } = op.ordered(0);
    const axes = op.listOrInput('axes', 1) ?? [];
    const reduced = axes.map((axis) => op.axis(axis, order)).sort();
    if (reduced.join() !== '2,3') throw op.fail(`expected the axes of height and width, are ${formatShape(axes)}`);
    const left = op.number('keepdims', 1) ? order : order.filter((axis) => axis < 2);
    return op.made(op.builder.globalPool(op.name, layer, mode), left);
  };
}

function gemm(op: Operation): Value {
  if (op.number('alpha', 1) !== 1 || op.number('beta', 1) !== 1 || op.number('transA', 0) !== 0) {
    throw op.fail('alpha and beta have to be 1, and transA 0');
  }
  const weight = op.number('transB', 0) ? op.constant(1) : turned(op, op.constant(1), [1, 0]);
  return op.made(op.builder.fullyConnected(op.name, op.features(0), weight, op.optionalConstant(2)), [0, 1]);
}

function matMul(op: Operation): Value {
  const weight = turned(op, op.constant(1), [1, 0]);
  return op.made(op.builder.fullyConnected(op.name, op.features(0), weight, undefined), [0, 1]);
}

/** Axis i of the result is axis order[i]. */
function turned(op: Operation, { axes, ...tensor }: PlacedTensor, order: readonly number[]): PlacedTensor {
  const shape = transposed(tensor.shape, order);
  const own = transposed(axes ?? tensor.shape.map((_, axis) => axis), order);
  if (!shape || !own) {
    const words = `${quote(tensor.from)} ${formatShape(tensor.shape)}`;
    throw op.fail(`cannot turn ${words}, the order ${formatShape(order)} is not one of its axes`);
  }
  // Turned back it lies as in the file.
  const asItLies = own.every((axis, index) => axis === index);
  return { ...tensor, shape, ...(!asItLies && { axes: own }) };
}

/**
 * Of numbers; of a layer and one constant for each channel, `identity` being the constant that changes nothing; or of two
 * layers, by what `layers` names. Without that the order matters, and constants come second.
 */
function combined(
  operation: (a: number, b: number) => number,
  identity: 0 | 1,
  layers?: 'add' | 'scale',
): (op: Operation) => Value {
  return (op) => {
    if (op.inputCount !== 2) throw op.fail(`has ${op.inputCount} inputs, expected two`);
    const [a, b] = [0, 1].map((index) => op.value(index).kind === 'activation');
    if (!a && !b) {
      const result = elementwise(op.numbers(0), op.numbers(1), operation);
      if (!result) throw op.fail('the shapes of its inputs do not suit each other');
      return result;
    }
    if (b && !layers) throw op.fail('expected a constant as its second input');
    if (a && b) {
      const { layers: inputs, order } = op.allOrdered(layers === 'scale');
      return op.made(op.builder[layers!](op.name, inputs[0]!, inputs[1]!), order);
    }
    const { layer, order } = op.ordered(a ? 0 : 1);
    const { channels } = op.builder.shape(layer);
    const constant = op.byChannels(a ? 1 : 0, channels, order);
    // A bias stays as the file has it.
    const bias = layers === 'add' && constant.kind === 'constant' ? constant.tensor : undefined;
    const biased = bias && op.builder.addBias(op.name, layer, bias);
    if (biased !== undefined) return op.made(biased, order);
    const { values } = op.numbers(a ? 1 : 0);
    op.builder.spend(op.name, 4 * channels);
    const own = Array.from({ length: channels }, (_, i) => operation(identity, values[values.length === 1 ? 0 : i]!));
    const others = own.map(() => 1 - identity);
    const affine = identity === 1 ? { factors: own, summands: others } : { factors: others, summands: own };
    return op.made(op.builder.affine(op.name, layer, affine), order);
  };
}

function concat(op: Operation): Value {
  if (op.value(0).kind !== 'activation') {
    const joined = joinLists(Array.from({ length: op.inputCount }, (_, index) => op.numbers(index)));
    if (!joined) throw op.fail('expected lists to join');
    return joined;
  }
  const { layers, order } = op.allOrdered();
  if (op.axis(op.number('axis', 1), order) !== 1) throw op.fail('expected values to join by channels');
  return op.made(op.builder.concat(op.name, layers), order);
}

/** Parts of the channels. */
function split(op: Operation): Value[] {
  const { layer, order } = op.ordered(0);
  if (op.axis(op.number('axis', 0), order) !== 1) throw op.fail('expected channels to be split');
  const { channels } = op.builder.shape(layer);
  const even = Math.ceil(channels / op.outputCount);
  const sizes = op.listOrInput('split', 1) ?? Array<number>(op.outputCount).fill(even);
  let begin = 0;
  // Where they are not even, the last one is smaller.
  return sizes.slice(0, op.outputCount).map((size) => {
    const part = partOf(op, layer, begin, Math.min(begin + size, channels));
    begin += size;
    return op.made(part, order);
  });
}

function partOf(op: Operation, layer: number, begin: number, end: number, step = 1): number {
  const { channels } = op.builder.shape(layer);
  const sound = [begin, end, step].every(Number.isInteger) && begin >= 0 && begin < end && step >= 1;
  if (!sound || end > channels) throw op.fail(`has no channels ${begin} to ${end} of ${channels} by steps of ${step}`);
  return op.builder.part(op.name, layer, begin, Math.ceil((end - begin) / step), step);
}

/** The same elements in the dimensions that `change` makes of the present ones. */
function shaped(op: Operation, change: (shape: number[]) => number[] | undefined): Value {
  const value = op.value(0);
  const from =
    value.kind === 'activation' ? axesShape(value.axes) : value.kind === 'constant' ? value.tensor.shape : value.shape;
  const shape = change([...from]);
  const impossible = () => op.fail(`cannot make ${shape ? formatShape(shape) : 'its shape'} of ${formatShape(from)}`);
  if (!shape || shape.length > 16) throw impossible();
  if (value.kind === 'numbers') return { ...value, shape };
  if (value.kind === 'constant') {
    const { tensor } = value;
    if (tensor.axes) throw impossible();
    return { kind: 'constant', tensor: { ...tensor, shape, parts: tensor.parts.map((part) => ({ ...part, shape })) } };
  }
  const { layer, axes, padding } = op.activation(0);
  const pieced = reshapeAxes(axes, shape);
  if (!pieced || padding) throw impossible();
  return { kind: 'activation', layer, axes: pieced };
}

function reshape(op: Operation): Value {
  const target = op.listOrInput('shape', 1) ?? [];
  return shaped(op, (shape) => reshaped(shape, target, op.number('allowzero', 0) !== 0));
}

function flatten(op: Operation): Value {
  return shaped(op, (shape) => {
    const axis = op.number('axis', 1);
    const split = axis < 0 ? axis + shape.length : axis;
    const product = (sides: number[]) => sides.reduce((all, side) => all * side, 1);
    return [product(shape.slice(0, split)), product(shape.slice(split))];
  });
}

function unsqueeze(op: Operation): Value {
  return shaped(op, (shape) => unsqueezed(shape, op.listOrInput('axes', 1) ?? []));
}

function transpose(op: Operation): Value {
  const value = op.value(0);
  const order = op.list('perm');
  const reversed = (sides: readonly unknown[]) => sides.map((_, axis) => axis).reverse();
  if (value.kind === 'constant') {
    return { kind: 'constant', tensor: turned(op, value.tensor, order ?? reversed(value.tensor.shape)) };
  }
  const own = op.activation(0);
  const axes = transposed(own.axes, order ?? reversed(own.axes));
  if (!axes) throw op.fail(`perm ${formatShape(order ?? [])} is not an order of ${own.axes.length} axes`);
  return { ...own, axes };
}

/** Channels in a constant order, or values of a shape. */
function gatherAny(op: Operation): Value {
  const indices = op.numbers(1);
  const axis = op.number('axis', 0);
  if (op.value(0).kind !== 'activation') {
    const found = gather(op.numbers(0), indices);
    if (!found || axis !== 0) throw op.fail('has no such values');
    return found;
  }
  const { layer, order } = op.ordered(0);
  if (op.axis(axis, order) !== 1 || indices.shape.length !== 1) throw op.fail('expected channels in another order');
  const { channels } = op.builder.shape(layer);
  const places = indices.values.map((place) => (place < 0 ? place + channels : place));
  return op.made(op.builder.reorder(op.name, layer, places), order);
}

function shapeOf(op: Operation): Value {
  const value = op.value(0);
  const shape =
    value.kind === 'activation' ? axesShape(value.axes) : value.kind === 'constant' ? value.tensor.shape : value.shape;
  return slice(vector(shape), op.number('start', 0), op.number('end', shape.length)) ?? vector([]);
}

function sliceAny(op: Operation): Value {
  const starts = op.listOrInput('starts', 1) ?? [];
  const ends = op.listOrInput('ends', 2) ?? [];
  const axes = op.listOrInput('axes', 3) ?? starts.map((_, axis) => axis);
  const steps = op.has(4) ? op.numbers(4).values : [];
  if (op.value(0).kind !== 'activation') {
    const found = slice(op.numbers(0), starts[0] ?? 0, ends[0] ?? 0, steps[0]);
    if (!found || axes[0] !== 0 || starts.length > 1) throw op.fail('expected a slice of a list');
    return found;
  }
  const { layer, order } = op.ordered(0);
  const sides = op.shape4(layer);
  let part = layer;
  axes.forEach((given, i) => {
    const axis = op.axis(given, order) ?? NaN;
    const side = sides[axis] ?? 0;
    const at = (index = 0) => Math.min(Math.max(index < 0 ? index + side : index, 0), side);
    const [begin, end, step = 1] = [at(starts[i]), at(ends[i]), steps[i]];
    if (axis === 1 && part === layer) part = partOf(op, layer, begin, end, step);
    else if (begin !== 0 || end !== side || step !== 1) throw op.fail('expected a slice of the channels alone');
  });
  return op.made(part, order);
}

function rounded(round: (value: number) => number): Handler {
  return (op) => {
    const numbers = op.numbers(0);
    return { ...numbers, values: numbers.values.map(round) };
  };
}

function cast(op: Operation): Value {
  const value = op.value(0);
  if (value.kind === 'activation') return value;
  const to = op.number('to', 1);
  const float = [1, 10, 11, 16].includes(to);
  // Weights keep the precision in which they are stored.
  if (value.kind === 'constant' && float) return value;
  const numbers = op.numbers(0);
  return { ...numbers, float, values: float ? numbers.values : numbers.values.map(Math.trunc) };
}

function pad(op: Operation): Value {
  const pads = op.listOrInput('pads', 1) ?? op.list('paddings') ?? [];
  if (pads.length > 0 && pads.every((cells) => cells === 0)) return op.activation(0);
  const { layer, order } = op.ordered(0);
  const axes = op.has(3) ? op.numbers(3).values.map((axis) => op.axis(axis, order)) : order;
  const of = (axis: number, end: 0 | 1) => pads[axes.indexOf(axis) + end * axes.length] ?? 0;
  const [begin, end] = [of(2, 0), of(2, 1)];
  const around = axes.map((axis) => axis === 2 || axis === 3);
  const expected = [begin, end].flatMap((cells) => around.map((side) => (side ? cells : 0)));
  const filled = op.has(2) ? op.numbers(2).values[0] : op.number('value', 0);
  const mode = op.text('mode', 'constant');
  const reflect = mode === 'reflect';
  const known = reflect || (mode === 'constant' && filled === 0);
  const both = axes.includes(2) && axes.includes(3) && Math.min(begin, end) >= 0;
  if (!known || !both || pads.join() !== expected.join()) {
    throw op.fail(
      `expected zeros or mirrored cells round the plane, the same for height and width; pads ${formatShape(pads)}`,
    );
  }
  return { ...op.made(layer, order), padding: { begin, end, reflect } };
}

function constantNode(op: Operation): Value {
  const value = op.attribute('value');
  if (typeof value === 'object' && !Array.isArray(value)) return constant(op.name, value);
  for (const [name, float] of [
    ['value_int', false],
    ['value_ints', false],
    ['value_float', true],
    ['value_floats', true],
  ] as const) {
    const own = op.attribute(name);
    if (typeof own === 'number') return { kind: 'numbers', shape: [], values: [own], float };
    if (Array.isArray(own)) return { ...vector(own), float };
  }
  throw op.fail('has no value that weights or shapes could have');
}

/** A factor for each channel becomes a plane of it, by its shape or by that of what it is multiplied with. */
function expand(op: Operation): Value {
  const value = op.activation(0);
  if (!op.builder.isPooled(value.layer)) throw op.fail('expected a global pool before it');
  return { ...value, expanded: true };
}

const same: Handler = (op) => op.value(0);

const handlers: ReadonlyMap<string, Handler> = new Map([
  ['Conv', conv],
  ['BatchNormalization', batchNorm],
  ['Relu', relu],
  ['Sigmoid', sigmoid],
  ['Expand', expand],
  ['MaxPool', maxPool],
  ['AveragePool', averagePool],
  ['GlobalAveragePool', globalPool('avg')],
  ['GlobalMaxPool', globalPool('max')],
  ['ReduceMean', reduce('avg')],
  ['ReduceMax', reduce('max')],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Add', combined((a, b) => a + b, 0, 'add')],
  ['Sum', combined((a, b) => a + b, 0, 'add')],
  ['Sub', combined((a, b) => a - b, 0)],
  ['Mul', combined((a, b) => a * b, 1, 'scale')],
  ['Div', combined((a, b) => a / b, 1)],
  ['Concat', concat],
  ['Split', split],
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['Squeeze', (op) => shaped(op, (shape) => squeezed(shape, op.listOrInput('axes', 1)))],
  ['Unsqueeze', unsqueeze],
  ['Transpose', transpose],
  ['Gather', gatherAny],
  ['Pad', pad],
  ['Softmax', (op) => ({ ...op.activation(0), softmax: true })],
  ['LogSoftmax', (op) => ({ ...op.activation(0), softmax: true })],
  ['Dropout', same],
  ['Identity', same],
  ['Cast', cast],
  ['Constant', constantNode],
  ['Shape', shapeOf],
  ['Slice', sliceAny],
  ['Floor', rounded(Math.floor)],
  ['Ceil', rounded(Math.ceil)],
]);
