import type { PlacedTensor } from '../families/family';
import { half } from '../values';

/** A small tensor of known values, row-major: what exporters compute shapes with. */
export interface Numbers {
  kind: 'numbers';
  shape: number[];
  values: number[];
  /** Whether division leaves fractions. */
  float: boolean;
}

/** Shapes have a handful of values, orders of channels some thousand. */
const maxValues = 65536;

/** undefined for more values than any shape has, and for types that shapes do not have. */
export function numbersOf({ shape, parts: [tensor], axes }: PlacedTensor): Numbers | undefined {
  const count = shape.reduce((product, side) => product * side, 1);
  const read = tensor && readers[tensor.dtype];
  if (!tensor || !read || axes || count > maxValues) return undefined;
  const { bytes, dtype } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = count === 0 ? 0 : bytes.length / count;
  return {
    kind: 'numbers',
    shape: [...shape],
    values: Array.from({ length: count }, (_, i) => read(view, i * size)),
    float: dtype.startsWith('F'),
  };
}

const readers: Partial<Record<string, (view: DataView, at: number) => number>> = {
  F16: (view, at) => half(view.getUint16(at, true)),
  F32: (view, at) => view.getFloat32(at, true),
  F64: (view, at) => view.getFloat64(at, true),
  I32: (view, at) => view.getInt32(at, true),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
};

export function vector(values: readonly number[]): Numbers {
  return { kind: 'numbers', shape: [values.length], values: [...values], float: false };
}

/** One by one; a single value goes with all. undefined where the shapes do not suit. */
export function elementwise(a: Numbers, b: Numbers, operation: (a: number, b: number) => number): Numbers | undefined {
  const [one, two] = [a.values.length, b.values.length];
  if (one !== two && one !== 1 && two !== 1) return undefined;
  const longer = one >= two ? a : b;
  const float = a.float || b.float;
  const values = longer.values.map((_, i) => {
    const value = operation(a.values[one === 1 ? 0 : i]!, b.values[two === 1 ? 0 : i]!);
    return float ? value : Math.trunc(value);
  });
  return {
    kind: 'numbers',
    shape: one === two && a.shape.length > b.shape.length ? a.shape : longer.shape,
    values,
    float,
  };
}

/** Lists end to end. undefined for anything else than lists, and for too many values. */
export function joinLists(lists: readonly Numbers[]): Numbers | undefined {
  const count = lists.reduce((sum, { values }) => sum + values.length, 0);
  if (count > maxValues || lists.some(({ shape }) => shape.length !== 1)) return undefined;
  return { ...vector(lists.flatMap(({ values }) => values)), float: lists.some(({ float }) => float) };
}

/** Of a list: by one index, or by several. undefined where there is no such value. */
export function gather({ shape, values, float }: Numbers, indices: Numbers): Numbers | undefined {
  if (shape.length !== 1) return undefined;
  const found = indices.values.map((index) => values[index < 0 ? index + values.length : index]);
  const known = found.filter((value) => value !== undefined);
  if (known.length !== found.length) return undefined;
  return { kind: 'numbers', shape: indices.shape, values: known, float };
}

/** Python's list[start:end:step] for a positive step. */
export function slice({ shape, values, float }: Numbers, start: number, end: number, step = 1): Numbers | undefined {
  if (shape.length !== 1 || !Number.isInteger(step) || step < 1) return undefined;
  const at = (index: number) => Math.min(Math.max(index < 0 ? index + values.length : index, 0), values.length);
  return { ...vector(values.slice(at(start), at(end)).filter((_, i) => i % step === 0)), float };
}

/** Without the sides of 1 at `axes`, all of them by default. undefined where one of these is not 1. */
export function squeezed(shape: readonly number[], axes?: readonly number[]): number[] | undefined {
  const chosen = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
  if (chosen?.some((axis) => shape[axis] !== 1)) return undefined;
  return shape.filter((side, axis) => (chosen ? !chosen.includes(axis) : side !== 1));
}

/** With sides of 1 so that these are at `axes` of the result. undefined where there is no such result. */
export function unsqueezed(shape: readonly number[], axes: readonly number[]): number[] | undefined {
  const rank = shape.length + axes.length;
  const chosen = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (new Set(chosen).size !== axes.length || chosen.some((axis) => axis < 0 || axis >= rank)) return undefined;
  const left = [...shape];
  return Array.from({ length: rank }, (_, axis) => (chosen.includes(axis) ? 1 : left.shift()!));
}

/** What `target` makes of a shape: 0 keeps a side (unless `zeros`), -1 is what is left. undefined where nothing is. */
export function reshaped(shape: readonly number[], target: readonly number[], zeros: boolean): number[] | undefined {
  const sides = target.map((side, axis) => (side === 0 && !zeros ? (shape[axis] ?? NaN) : side));
  const count = shape.reduce((product, side) => product * side, 1);
  const known = sides.reduce((product, side) => (side === -1 ? product : product * side), 1);
  if (sides.filter((side) => side === -1).length > 1) return undefined;
  const result = sides.map((side) => (side === -1 ? count / known : side));
  const whole = result.every((side) => Number.isSafeInteger(side) && side >= 0);
  return whole && result.reduce((product, side) => product * side, 1) === count ? result : undefined;
}
