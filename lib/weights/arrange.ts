import { inTurns } from '../image/turns';
import type { PlacedTensor } from './families/family';
import type { RawTensor } from './resolve';
import type { StoredTensor } from './stored';

/**
 * The bytes of checked tensors, row-major in the order of their shapes: the file's own where they lie so. Others are
 * put in order, their parts together, and F64 is rounded to F32, a millisecond's worth a turn.
 */
export async function arrangeTensors(placed: ReadonlyMap<string, PlacedTensor>): Promise<Record<string, RawTensor>> {
  const tensors: Record<string, RawTensor> = {};
  for (const [name, tensor] of placed) {
    const { dtype, bytes } = tensor.parts[0]!;
    const asItLies = tensor.parts.length === 1 && !tensor.axes && dtype !== 'F64';
    tensors[name] = asItLies ? { dtype: dtype as RawTensor['dtype'], bytes } : await arrange(tensor);
  }
  return tensors;
}

type Values = Float64Array | Float32Array | Uint16Array;

async function arrange({ shape, parts, axes }: PlacedTensor): Promise<RawTensor> {
  const { dtype } = parts[0]!;
  const length = shape.reduce((product, n) => product * n, 1);
  // Halves are moved as they are.
  const values = dtype === 'F16' || dtype === 'BF16' ? new Uint16Array(length) : new Float32Array(length);
  const rows = (shape[0] ?? 1) / parts.length;
  const row = length / rows / parts.length;
  const inner = shape.slice(1);
  let source: { part: number; values: Values } | undefined;
  await inTurns(rows * parts.length, (index) => {
    const part = Math.floor(index / rows);
    if (source?.part !== part) source = { part, values: aligned(parts[part]!) };
    const from = source.values;
    const first = index - part * rows;
    if (!axes) {
      values.set(from.subarray(first * row, (first + 1) * row), index * row);
      return;
    }
    const strides = stridesOf(parts[part]!.shape);
    const [outer = 1, ...steps] = axes.map((axis) => strides[axis]!);
    walk(inner, steps, first * outer, (at, i) => (values[index * row + i] = from[at]!));
  });
  return {
    dtype: dtype === 'F64' ? 'F32' : (dtype as RawTensor['dtype']),
    bytes: new Uint8Array(values.buffer),
  };
}

function aligned({ dtype, bytes }: StoredTensor): Values {
  const type = dtype === 'F64' ? Float64Array : dtype === 'F32' ? Float32Array : Uint16Array;
  const size = type.BYTES_PER_ELEMENT;
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new type(buffer as ArrayBuffer, byteOffset, bytes.byteLength / size);
}

function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Visits the elements of a box in row-major order: where each is, and how many came before. */
function walk(shape: readonly number[], steps: readonly number[], at: number, visit: (at: number, i: number) => void) {
  const index = shape.map(() => 0);
  const length = shape.reduce((product, n) => product * n, 1);
  for (let i = 0; i < length; i++) {
    visit(at, i);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += steps[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
