import type { ShuffleNetError } from '../../errors';
import type { PlacedTensor } from '../families/family';
import { formatShape, quote } from '../json';
import type { StoredOperator, StoredTensor } from '../stored';
import { axesOrder, axesShape, isVector, shuffleGroups, wholeAxes, type Axes } from './axes';
import type { GraphBuilder } from './builder';
import { numbersOf, type Numbers } from './numbers';

/** A tensor of the file, or one that is the same values in another shape or order. */
export interface Constant {
  kind: 'constant';
  tensor: PlacedTensor;
}

/** Of zeros, or mirrored. */
export interface Cells {
  begin: number;
  end: number;
  reflect: boolean;
}

/** What a layer makes, in dimensions that the operators since then have given it. */
export interface Activation {
  kind: 'activation';
  layer: number;
  axes: Axes;
  /** Before and after both sides of the plane, that no layer has yet. */
  padding?: Cells;
  /** Probabilities, no longer logits. */
  softmax?: boolean;
  /** One value for each channel, repeated for a whole plane, with which only a product can be made. */
  expanded?: boolean;
}

/** Thrown where the value is needed: what does not lead to the logits may be anything. */
export interface Failed {
  kind: 'failed';
  error: ShuffleNetError;
}

export type Value = Constant | Numbers | Activation;

export function nameOf({ name, type, outputs }: StoredOperator): string {
  return `node ${quote(name || (outputs[0] ?? ''))} (${quote(type).slice(1, -1)})`;
}

/** One operator, with what it is given in the form that it needs. Accessors throw ERR_WEIGHTS_TENSOR. */
export class Operation {
  readonly type: string;
  readonly name: string;

  constructor(
    private readonly operator: StoredOperator,
    private readonly values: ReadonlyMap<string, Value | Failed>,
    readonly builder: GraphBuilder,
  ) {
    this.type = operator.type;
    this.name = nameOf(operator);
  }

  fail(words: string): ShuffleNetError {
    return this.builder.fail(this.name, words);
  }

  get inputCount(): number {
    return this.operator.inputs.length;
  }

  get outputCount(): number {
    return this.operator.outputs.length;
  }

  has(index: number): boolean {
    return (this.operator.inputs[index] ?? '') !== '';
  }

  value(index: number): Value {
    const value = this.values.get(this.operator.inputs[index] ?? '');
    if (!value) throw this.fail(`input ${index} is missing`);
    if (value.kind === 'failed') throw value.error;
    return value;
  }

  numbers(index: number): Numbers {
    const value = this.value(index);
    if (value.kind !== 'activation') {
      const { shape } = value.kind === 'constant' ? value.tensor : value;
      this.builder.spend(
        this.name,
        shape.reduce((product, side) => product * side, 1),
      );
    }
    const numbers = value.kind === 'constant' ? numbersOf(value.tensor) : value;
    if (numbers?.kind !== 'numbers') throw this.fail(`input ${index} has to be known without an image`);
    return numbers;
  }

  constant(index: number): PlacedTensor {
    const value = this.value(index);
    if (value.kind !== 'constant') throw this.fail(`input ${index} has to be a tensor of the file`);
    return value.tensor;
  }

  optionalConstant(index: number): PlacedTensor | undefined {
    return this.has(index) ? this.constant(index) : undefined;
  }

  activation(index: number, allowExpanded = false): Activation {
    const value = this.value(index);
    if (value.kind !== 'activation') throw this.fail(`input ${index} has to be computed from the image`);
    if (value.softmax) throw this.fail('expected nothing behind the softmax');
    if (value.expanded && !allowExpanded) throw this.fail('expected only a product behind what is expanded');
    return value;
  }

  /** The layer whose value the input is, and in what order: 0 to 3 for N, C, H, W. For what orders do not matter to. */
  ordered(index: number, allowExpanded = false): { layer: number; order: readonly number[] } {
    const { layer, axes, padding } = this.activation(index, allowExpanded);
    const order = padding ? undefined : axesOrder(axes, this.shape4(layer));
    return order ? { layer, order } : { layer: this.plane(index), order: [0, 1, 2, 3] };
  }

  /** All inputs in the same order. */
  allOrdered(allowExpanded = false): { layers: number[]; order: readonly number[] } {
    const inputs = Array.from({ length: this.inputCount }, (_, index) => this.ordered(index, allowExpanded));
    const order = inputs[0]?.order ?? [];
    if (inputs.some((input) => input.order.join() !== order.join())) {
      throw this.fail('has inputs whose dimensions are in different orders');
    }
    return { layers: inputs.map(({ layer }) => layer), order };
  }

  /** `axis` as it is counted from the end, too: 0 to 3 for N, C, H, W. */
  axis(axis: number, order: readonly number[]): number | undefined {
    return order[axis < 0 ? axis + order.length : axis];
  }

  /** The layer whose value, N, C, H, W, the input is; a shuffle becomes one. */
  plane(index: number): number {
    return this.paddedPlane(index, false).layer;
  }

  paddedPlane(index: number, allowPadding = true): { layer: number } & Cells {
    const value = this.activation(index);
    const groups = shuffleGroups(value.axes, this.shape4(value.layer));
    if (groups === undefined) {
      throw this.fail(`input ${index} is ${this.words(value)} rearranged, which is no shuffle of its channels`);
    }
    if (value.padding && !allowPadding) throw this.fail('expected no padding before it');
    const cells = value.padding ?? { begin: 0, end: 0, reflect: false };
    if (groups !== 1) {
      value.layer = this.builder.shuffle(this.name, value.layer, groups);
      value.axes = wholeAxes(this.shape4(value.layer));
    }
    return { layer: value.layer, ...cells };
  }

  /** The layer whose channels in their order the input is. */
  features(index: number): number {
    const value = this.activation(index);
    if (!isVector(value.axes, this.shape4(value.layer))) {
      throw this.fail(`the classifier reads ${this.words(value)} as ${formatShape(axesShape(value.axes))}`);
    }
    return value.layer;
  }

  /** A layer's value. */
  made(layer: number, order: readonly number[] = [0, 1, 2, 3]): Activation {
    const axes = wholeAxes(this.shape4(layer));
    return { kind: 'activation', layer, axes: order.map((axis) => axes[axis]!) };
  }

  number(name: string, absent: number): number {
    const value = this.operator.attributes.get(name);
    if (value === undefined) return absent;
    if (typeof value !== 'number') throw this.fail(`attribute ${quote(name)} has to be a number`);
    return value;
  }

  text(name: string, absent: string): string {
    const value = this.operator.attributes.get(name);
    return typeof value === 'string' ? value : absent;
  }

  list(name: string): number[] | undefined {
    const value = this.operator.attributes.get(name);
    if (value !== undefined && !Array.isArray(value)) throw this.fail(`attribute ${quote(name)} has to be a list`);
    return value;
  }

  attribute(name: string): number | string | number[] | StoredTensor | undefined {
    return this.operator.attributes.get(name);
  }

  /** What is known without an image: one value for each channel of a value in this order, or one for all. */
  byChannels(index: number, channels: number, order: readonly number[]): Constant | Numbers {
    const value = this.value(index);
    if (value.kind === 'activation') throw this.fail(`input ${index} has to be known without an image`);
    const { shape } = value.kind === 'constant' ? value.tensor : value;
    const sides = order.map((_, i) => shape[i - order.length + shape.length] ?? 1);
    const expected = order.map((axis) => (axis === 1 ? channels : 1));
    const one = shape.every((side) => side === 1);
    if (shape.length <= order.length && (one || sides.join() === expected.join())) return value;
    throw this.fail(`input ${index} ${formatShape(shape)} is not one value for each of ${channels} channels`);
  }

  /** An attribute that later operator sets made an input. */
  listOrInput(name: string, index: number): number[] | undefined {
    return this.list(name) ?? (this.has(index) ? this.numbers(index).values : undefined);
  }

  shape4(layer: number): number[] {
    const { channels, height, width } = this.builder.shape(layer);
    return [this.builder.batch, channels, height, width];
  }

  private words({ layer }: Activation): string {
    return `${this.builder.layers[layer]!.name}'s ${formatShape(this.shape4(layer))}`;
  }
}
