import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeValues, floatValues } from '../../lib/weights/values';
import { failure } from './files';

describe('stored values become float32', () => {
  const bits = (...values: number[]) => new Uint8Array(Uint16Array.from(values).buffer);

  it('F16, computed with numpy', () => {
    const bytes = bits(0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x8001, 0x03ff, 0x0400, 0x0000);
    const values = [1, -2, 0.333251953125, 65504, 2 ** -24, -(2 ** -24), 6.097555160522461e-5, 6.103515625e-5, 0];
    assert.deepEqual(floatValues({ dtype: 'F16', bytes }, 'x'), Float32Array.from(values));
  });

  it('BF16: the upper half of a float32', () => {
    const bytes = bits(0x3f80, 0xc000, 0x3eab, 0x0001);
    const values = [1, -2, 0.333984375, 2 ** -133];
    assert.deepEqual(floatValues({ dtype: 'BF16', bytes }, 'x'), Float32Array.from(values));
  });

  it('at any address', () => {
    const values = Float32Array.of(1, -1.5, 3.4e38, 2 ** -126, 0.1);
    const memory = Buffer.alloc(values.byteLength + 1);
    memory.set(new Uint8Array(values.buffer), 1);
    assert.deepEqual(floatValues({ dtype: 'F32', bytes: memory.subarray(1) }, 'x'), values);
  });

  it('but not where they are not finite', () => {
    for (const [dtype, value, words] of [
      ['F16', 0x7c00, 'Infinity'],
      ['F16', 0xfc00, '-Infinity'],
      ['F16', 0xfc01, 'NaN'],
      ['BF16', 0x7f80, 'Infinity'],
      ['BF16', 0x7fc0, 'NaN'],
    ] as const) {
      const read = () => floatValues({ dtype, bytes: bits(0, value) }, 'x');
      assert.throws(read, failure('ERR_WEIGHTS_VALUE', `tensor 'x' holds ${words} at index 1`));
    }
  });
});

/** All finite values of a dtype in ascending order, without negative ones. */
function everyValue(dtype: 'F16' | 'BF16'): Float32Array {
  const count = dtype === 'F16' ? 0x7c00 : 0x7f80;
  return floatValues({ dtype, bytes: new Uint8Array(Uint16Array.from({ length: count }, (_, i) => i).buffer) }, 'x');
}

const words = (bytes: Uint8Array) => new Uint16Array(new Uint8Array(bytes).buffer);

describe('float32 as halves', () => {
  for (const dtype of ['F16', 'BF16'] as const) {
    it(`${dtype}: every value of the dtype is itself, with either sign`, () => {
      const values = everyValue(dtype);
      const same = Uint16Array.from(values, (_, i) => i);
      assert.deepEqual(words(encodeValues(values, dtype, 'x')), same);
      const negative = values.map((value) => -value);
      assert.deepEqual(
        words(encodeValues(negative, dtype, 'x')),
        same.map((value) => value | 0x8000),
      );
    });

    it(`${dtype}: between two, the nearest; in the middle the one with an even last bit`, () => {
      const values = everyValue(dtype);
      const below = values.subarray(0, -1);
      const middles = below.map((value, i) => value + (values[i + 1]! - value) / 2);
      // Where float32 itself has no value in the middle, its own rounding would decide.
      const exact = (i: number) => middles[i]! * 2 === values[i]! + values[i + 1]!;
      const even = words(encodeValues(middles, dtype, 'x'));
      let seen = 0;
      for (let i = 0; i < below.length; i++) {
        if (!exact(i)) continue;
        seen++;
        assert.equal(even[i], i + (i % 2), `${middles[i]}`);
      }
      assert.ok(seen > 30_000, `${seen} middles`);
      const towards = (share: number) =>
        below.map((value, i) => (exact(i) ? value + (values[i + 1]! - value) * share : value));
      const lower = words(encodeValues(towards(0.49), dtype, 'x'));
      const upper = words(encodeValues(towards(0.51), dtype, 'x'));
      const normal = dtype === 'F16' ? 1 : 0x80;
      for (let i = normal; i < below.length; i++) {
        if (exact(i)) assert.deepEqual([lower[i], upper[i]], [i, i + 1], `${middles[i]}`);
      }
    });
  }

  it('refuses what would become infinite, and nothing below', () => {
    const beyond = (value: number, dtype: 'F16' | 'BF16') => () =>
      encodeValues(Float32Array.of(0, value), dtype, 'conv1.weight');
    for (const value of [65520, -65536, 3e38]) {
      const words = ["tensor 'conv1.weight' holds", `${Math.fround(value)}`, 'at index 1', 'beyond F16'];
      assert.throws(beyond(value, 'F16'), failure('ERR_WEIGHTS_VALUE', ...words));
    }
    assert.deepEqual(words(beyond(65519.99, 'F16')()), Uint16Array.of(0, 0x7bff));
    assert.throws(beyond(3.4e38, 'BF16'), failure('ERR_WEIGHTS_VALUE', 'beyond BF16'));
    assert.deepEqual(words(beyond(-3.389e38, 'BF16')()), Uint16Array.of(0, 0xff7f));
  });
});
