import type { Dtype } from './safetensors';

/** The dtypes weights may have. */
export type FloatDtype = Extract<Dtype, 'F32' | 'F16' | 'BF16'>;

export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/**
 * Little-endian values at any alignment as a new array; every value exactly, with denormals, signed zeros, infinities
 * and NaN. `bytes` must hold a whole number of values. The host must be little-endian, as all the native core runs on.
 */
export function toFloat32(dtype: FloatDtype, bytes: Uint8Array): Float32Array {
  if (dtype === 'F32') return new Float32Array(new Uint8Array(bytes).buffer);
  const { buffer, byteOffset, length } = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  const patterns = new Uint16Array(buffer, byteOffset, length / 2);
  const values = new Float32Array(patterns.length);
  if (dtype === 'BF16') {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) bits[i] = patterns[i]! << 16;
  } else {
    const table = (halves ??= makeHalves());
    for (let i = 0; i < values.length; i++) values[i] = table[patterns[i]!]!;
  }
  return values;
}

/** The value of each of the 65,536 F16 bit patterns, made on first use. */
let halves: Float32Array | undefined;

function makeHalves(): Float32Array {
  const table = new Float32Array(65536);
  for (let exponent = 0; exponent < 32; exponent++) {
    for (let fraction = 0; fraction < 1024; fraction++) {
      let value: number;
      if (exponent === 31) value = fraction === 0 ? Infinity : NaN;
      // Denormals have the smallest exponent and no implied leading 1.
      else if (exponent === 0) value = fraction * 2 ** -24;
      else value = (1024 + fraction) * 2 ** (exponent - 25);
      const pattern = (exponent << 10) | fraction;
      table[pattern] = value;
      table[pattern | 0x8000] = -value;
    }
  }
  return table;
}
