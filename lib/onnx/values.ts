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

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (fraction + (exponent ? 0x400 : 0)) * lastBit[exponent]!;
}
