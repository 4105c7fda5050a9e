import { inTurns } from '../image/turns';
import type { PlacedTensor } from './families/family';
import type { RawTensor } from './resolve';
import { dtypeBits } from './stored';
import { rowMajorStrides, toRowMajor } from './strides';

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

async function arrange({ shape, parts, axes }: PlacedTensor): Promise<RawTensor> {
  const { dtype } = parts[0]!;
  const size = dtypeBits[dtype] / 8;
  const length = shape.reduce((product, n) => product * n, 1);
  const bytes = new Uint8Array(length * size);
  let end = 0;
  for (const part of parts) {
    const strides = rowMajorStrides(part.shape);
    const inOrder = axes ? await toRowMajor(part.bytes, size, pick(part.shape, axes), pick(strides, axes)) : part.bytes;
    bytes.set(inOrder, end);
    end += inOrder.length;
  }
  if (dtype !== 'F64') return { dtype: dtype as RawTensor['dtype'], bytes };
  const doubles = new Float64Array(bytes.buffer);
  const floats = new Float32Array(length);
  const piece = 100_000;
  await inTurns(Math.ceil(length / piece), (turn) => {
    floats.set(doubles.subarray(turn * piece, (turn + 1) * piece), turn * piece);
  });
  return { dtype: 'F32', bytes: new Uint8Array(floats.buffer) };
}

function pick(of: readonly number[], axes: readonly number[]): number[] {
  return axes.map((axis) => of[axis]!);
}
