import assert from 'node:assert/strict';
import path from 'node:path';
import { readStored } from '../../../lib/weights/formats/read';
import type { Dtype, StoredFile, StoredTensor } from '../../../lib/weights/stored';
import { failure, valuesOf } from '../files';

/** Of those that test/weights/make-fixtures/readers.py writes. */
export const fixture = (name: string) => path.join(__dirname, '../../../../test/fixtures/checkpoints/readers', name);

export const read = (bytes: Uint8Array): Promise<StoredFile> => readStored({ file: 'x', bytes });

const readers: Partial<Record<Dtype, (view: DataView, at: number) => number>> = {
  F64: (view, at) => view.getFloat64(at, true),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
  U64: (view, at) => Number(view.getBigUint64(at, true)),
  I32: (view, at) => view.getInt32(at, true),
  U32: (view, at) => view.getUint32(at, true),
  I16: (view, at) => view.getInt16(at, true),
  U16: (view, at) => view.getUint16(at, true),
  I8: (view, at) => view.getInt8(at),
  U8: (view, at) => view.getUint8(at),
  BOOL: (view, at) => view.getUint8(at),
  // Real and imaginary parts.
  C64: (view, at) => view.getFloat32(at, true),
};

/** A tensor's values. */
export function numbers({ dtype, shape, bytes }: StoredTensor): number[] {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return [...valuesOf({ dtype, bytes })];
  const length = dtype === 'C64' ? 2 * (bytes.length / 8) : shape.reduce((product, n) => product * n, 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length }, (_, i) => readers[dtype]!(view, (i * bytes.length) / length));
}

/** Type, shape and values of every tensor, in the file's order. */
export const contents = ({ tensors }: StoredFile): [string, unknown][] =>
  [...tensors].map(([name, tensor]) => [name, [tensor.dtype, tensor.shape, numbers(tensor)]]);

/** ERR_WEIGHTS_FORMAT that names the file and has these parts, in no time that tests side by side could need. */
export async function refuses(bytes: Uint8Array, ...parts: string[]): Promise<void> {
  const start = performance.now();
  await assert.rejects(read(bytes), failure('ERR_WEIGHTS_FORMAT', 'x: ', ...parts));
  assert.ok(performance.now() - start < 5000, `${parts.join()}: ${performance.now() - start} ms`);
}
