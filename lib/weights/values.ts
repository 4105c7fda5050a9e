import { ShuffleNetError } from '../errors';
import type { RawTensor } from './resolve';

/** The values of a tensor as float32, in memory of their own. Throws ERR_WEIGHTS_VALUE naming the first not finite. */
export function floatValues({ dtype, bytes }: RawTensor, name: string): Float32Array {
  // A copy, as the file may have the tensor at any address.
  const { buffer } = new Uint8Array(bytes);
  const values = dtype === 'F32' ? new Float32Array(buffer) : converted[dtype](new Uint16Array(buffer));
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return values;
  throw new ShuffleNetError(
    'ERR_WEIGHTS_VALUE',
    `tensor '${name}' holds ${values[wrong]} at index ${wrong}; weights must be finite`,
  );
}

const converted: Record<'F16' | 'BF16', (bits: Uint16Array) => Float32Array> = {
  // Not Float32Array.from(), which takes ten times as long.
  F16: (bits) => {
    const values = new Float32Array(bits.length);
    for (let i = 0; i < bits.length; i++) values[i] = half(bits[i]!);
    return values;
  },
  // The upper half of a float32.
  BF16: (bits) => new Float32Array(new Uint32Array(bits).map((value) => value << 16).buffer),
};

/** What the last bit of the fraction is worth, by exponent; denormals have that of exponent 1. */
const lastBit = Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** The value of a half with these bits. */
export function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (fraction + (exponent ? 0x400 : 0)) * lastBit[exponent]!;
}

/**
 * float32 values in another dtype's bytes, each rounded to the nearest, ties to even. Throws ERR_WEIGHTS_VALUE naming
 * the first that is beyond what the dtype holds.
 */
export function encodeValues(values: Float32Array, dtype: RawTensor['dtype'], name: string): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const { round, infinity } = rounded[dtype];
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const magnitude = round(bits[i]! & 0x7fffffff);
    if (magnitude >= infinity) {
      throw new ShuffleNetError(
        'ERR_WEIGHTS_VALUE',
        `tensor '${name}' holds ${values[i]} at index ${i}, which is beyond ${dtype}`,
      );
    }
    out[i] = ((bits[i]! >>> 16) & 0x8000) | magnitude;
  }
  return new Uint8Array(out.buffer);
}

/** From the bits of a positive float32, in which adding one to the last bit carries into the exponent as it should. */
const rounded: Record<'F16' | 'BF16', { round: (bits: number) => number; infinity: number }> = {
  BF16: { round: (bits) => dropBits(bits, 16), infinity: 0x7f80 },
  F16: {
    round: (bits) => {
      // From 2^-14 on, the exponents differ by a bias alone.
      if (bits >= 0x38800000) return dropBits(bits - 0x38000000, 13);
      // Below, halves are multiples of 2^-24: 24 bits of significand, less one for each power of two; 2^-25 is a tie.
      const exponent = bits >>> 23;
      return exponent < 102 ? 0 : dropBits((bits & 0x7fffff) | 0x800000, 126 - exponent);
    },
    infinity: 0x7c00,
  },
};

function dropBits(bits: number, count: number): number {
  const odd = (bits >>> count) & 1;
  return (bits + 2 ** (count - 1) - 1 + odd) >>> count;
}
