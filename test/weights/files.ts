import assert from 'node:assert/strict';
import { ShuffleNetError, type ShuffleNetErrorCode } from '../../lib/errors';
import type { NetworkOptions } from '../../lib/network/options';
import { parameters } from '../../lib/network/parameters';
import { resolveNetwork } from '../../lib/network/table';
import type { RawTensor } from '../../lib/weights/resolve';

/** A safetensors file of any header text, sound or not. */
export function makeFile(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Buffer {
  const text = Buffer.from(header as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

export interface Source {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

export function writeSafetensors(tensors: Iterable<[string, Source]>, metadata?: Record<string, string>): Buffer {
  const entries: [string, unknown][] = metadata ? [['__metadata__', metadata]] : [];
  const data: Uint8Array[] = [];
  let begin = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    entries.push([name, { dtype, shape, data_offsets: [begin, begin + bytes.length] }]);
    data.push(bytes);
    begin += bytes.length;
  }
  return makeFile(JSON.stringify(Object.fromEntries(entries)), Buffer.concat(data));
}

export function float32(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** The float32 values of a tensor as a file has it, worked out the slow way. */
export function valuesOf({ dtype, bytes }: RawTensor): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = dtype === 'F32' ? 4 : 2;
  return Float32Array.from({ length: bytes.byteLength / size }, (_, i) => {
    if (dtype === 'F32') return view.getFloat32(4 * i, true);
    const bits = view.getUint16(2 * i, true);
    const single = new DataView(new ArrayBuffer(4));
    if (dtype === 'BF16') {
      single.setUint32(0, bits << 16);
      return single.getFloat32(0);
    }
    // F16's exponent and fraction in float32's place, and the difference of their biases.
    single.setUint32(0, (bits & 0x7fff) << 13);
    const magnitude = (bits & 0x7c00) === 0x7c00 ? (bits & 0x3ff ? NaN : Infinity) : single.getFloat32(0) * 2 ** 112;
    return bits & 0x8000 ? -magnitude : magnitude;
  });
}

/** A network of a few hundred values, batch norm included. */
export const smallOptions: NetworkOptions = { groups: 1, scale: 1 / 64, classes: 3, shallow: true };

/** All tensors of smallOptions, F32: value i of a tensor is (i + 1) / 8. */
export function smallTensors(options: NetworkOptions = smallOptions): Map<string, Source> {
  const tensors = new Map<string, Source>();
  for (const [name, { shape }] of parameters(resolveNetwork(options))) {
    const length = shape.reduce((product, n) => product * n, 1);
    tensors.set(name, { dtype: 'F32', shape, bytes: float32(Array.from({ length }, (_, i) => (i + 1) / 8)) });
  }
  return tensors;
}

/** Passes if the error is a ShuffleNetError of this code whose message holds every one of `parts`. */
export function failure(code: ShuffleNetErrorCode, ...parts: string[]) {
  return (error: unknown): true => {
    assert.ok(error instanceof ShuffleNetError, `not a ShuffleNetError: ${error}`);
    assert.equal(error.code, code, error.message);
    assert.ok(!('cause' in error) || error.cause instanceof Error, `cause is ${error.cause}`);
    for (const part of parts) assert.ok(error.message.includes(part), `no ${part} in: ${error.message}`);
    return true;
  };
}
