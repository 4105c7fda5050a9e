import { ShuffleNetError } from '../errors';
import type { RawTensor } from '../weights/resolve';

/** The values of a tensor as float32, in memory of their own. Throws ERR_WEIGHTS_VALUE naming the first not finite. */
export function floatValues({ dtype, bytes }: RawTensor, name: string, file: string): Float32Array {
  // A copy, as the file may have the tensor at any address.
  const { buffer } = new Uint8Array(bytes);
  const values = dtype === 'F32' ? new Float32Array(buffer) : converted[dtype](new Uint16Array(buffer));
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return values;
  throw new ShuffleNetError(
    'ERR_WEIGHTS_VALUE',
    `${file}: tensor '${name}' holds ${values[wrong]} at index ${wrong}; weights must be finite`,
  );
}

const converted: Record<'F16' | 'BF16', (bits: Uint16Array) => Float32Array> = {
  F16: (bits) => Float32Array.from(bits, half),
  // The upper half of a float32.
  BF16: (bits) => new Float32Array(Uint32Array.from(bits, (value) => value << 16).buffer),
};

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 0x3ff) / 1024;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
}
