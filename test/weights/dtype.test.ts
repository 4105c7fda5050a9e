import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFloat32 } from '../../lib/weights/dtype';

const allPatterns = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);

test('F16: values computed with numpy', () => {
  const cases: [number, number][] = [
    [0x0000, 0], [0x8000, -0], [0x3c00, 1], [0xc000, -2], [0x3555, 0.333251953125], [0x7bff, 65504],
    [0x0001, 5.960464477539063e-8], [0x8001, -5.960464477539063e-8], [0x03ff, 6.097555160522461e-5],
    [0x0400, 6.103515625e-5], [0x7c00, Infinity], [0xfc00, -Infinity], [0x7e00, NaN], [0x7c01, NaN], [0xffff, NaN],
  ];
  const values = toFloat32('F16', new Uint8Array(Uint16Array.from(cases, ([pattern]) => pattern).buffer));
  cases.forEach(([pattern, expected], i) => assert.ok(Object.is(values[i], expected), `${pattern}: ${values[i]}`));
});

test('F16: every pattern, against moving the bits into a float32', () => {
  const values = toFloat32('F16', allPatterns);
  const moved = new DataView(new ArrayBuffer(4));
  for (let pattern = 0; pattern < 65536; pattern++) {
    moved.setUint32(0, (pattern & 0x7fff) << 13);
    let expected = moved.getFloat32(0) * 2 ** 112;
    if ((pattern & 0x7c00) === 0x7c00) expected = pattern & 0x3ff ? NaN : Infinity;
    if (pattern & 0x8000) expected = -expected;
    assert.ok(Object.is(values[pattern], expected), `${pattern}: ${values[pattern]}, expected ${expected}`);
  }
});

test('BF16: every pattern is the upper half of a float32', () => {
  const bits = new Uint32Array(toFloat32('BF16', allPatterns).buffer);
  for (let pattern = 0; pattern < 65536; pattern++) assert.equal(bits[pattern], pattern * 65536);
});

test('F32: bits are kept, with denormals and the payload of NaN', () => {
  const patterns = [0x00000001, 0x80000001, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc12345, 0x807fffff];
  const values = toFloat32('F32', new Uint8Array(Uint32Array.from(patterns).buffer));
  assert.deepEqual([...new Uint32Array(values.buffer)], patterns);
  assert.equal(values[0], 1.401298464324817e-45);
});

test('any alignment; the result is a copy', () => {
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    const sound = allPatterns.slice(0x7000, 0x7100);
    const expected = toFloat32(dtype, sound);
    for (let offset = 0; offset < 8; offset++) {
      const shifted = new Uint8Array(sound.length + offset);
      shifted.set(sound, offset);
      const values = toFloat32(dtype, shifted.subarray(offset));
      shifted.fill(0xff);
      assert.deepEqual(values, expected);
    }
    assert.equal(toFloat32(dtype, new Uint8Array(0)).length, 0);
  }
});
