import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrangeTensors } from '../../lib/weights/arrange';
import type { PlacedTensor } from '../../lib/weights/families/family';
import { inPyTorchOrder } from '../../lib/weights/families/names';
import type { StoredTensor } from '../../lib/weights/stored';
import { float32, valuesOf } from './files';

/** Values that tell where they are from: 1000 a + 100 b + 10 c + d of [a, b, c, d]. */
function numbered(shape: number[], dtype: 'F32' | 'F64' = 'F32', offset = 0): StoredTensor {
  let values = [offset];
  for (const length of shape) values = values.flatMap((value) => Array.from({ length }, (_, i) => 10 * value + i));
  const bytes = dtype === 'F32' ? float32(values) : new Uint8Array(Float64Array.from(values).buffer);
  return { dtype, shape, bytes };
}

async function arranged(tensor: PlacedTensor) {
  const { x } = await arrangeTensors(new Map([['x', tensor]]));
  return { ...x!, values: Array.from(valuesOf(x!)) };
}

test('what lies in order is not copied', async () => {
  const tensor = numbered([2, 3]);
  assert.equal((await arranged({ from: 'x', shape: [2, 3], parts: [tensor] })).bytes, tensor.bytes);
});

test('F64 is rounded to F32, at any address', async () => {
  const values = Float64Array.of(0.1, -1e-50, 3, 1e300);
  const memory = Buffer.alloc(values.byteLength + 1);
  memory.set(new Uint8Array(values.buffer), 1);
  const tensor: StoredTensor = { dtype: 'F64', shape: [4], bytes: memory.subarray(1) };
  const { dtype, values: found } = await arranged({ from: 'x', shape: [4], parts: [tensor] });
  assert.deepEqual([dtype, found], ['F32', [Math.fround(0.1), -0, 3, Infinity]]);
});

test("TensorFlow's axes become PyTorch's", async () => {
  // [kh, kw, in, out]
  const conv = inPyTorchOrder('conv1.weight', 'k', [numbered([2, 2, 3, 4])], 'tensorflow');
  assert.deepEqual(conv.shape, [4, 3, 2, 2]);
  const at = (o: number, i: number, y: number, x: number) => 1000 * y + 100 * x + 10 * i + o;
  const expected = [0, 1, 2, 3].flatMap((o) =>
    [0, 1, 2].flatMap((i) => [at(o, i, 0, 0), at(o, i, 0, 1), at(o, i, 1, 0), at(o, i, 1, 1)]),
  );
  assert.deepEqual((await arranged(conv)).values, expected);

  // [kh, kw, channels, 1]
  const depthwise = inPyTorchOrder('stage2.0.dwconv.weight', 'k', [numbered([2, 2, 3, 1], 'F64')], 'tensorflow');
  assert.deepEqual(depthwise.shape, [3, 1, 2, 2]);
  assert.deepEqual((await arranged(depthwise)).values, [0, 100, 1000, 1100, 10, 110, 1010, 1110, 20, 120, 1020, 1120]);

  const dense = inPyTorchOrder('fc.weight', 'k', [numbered([2, 3])], 'tensorflow');
  assert.deepEqual(
    [dense.shape, (await arranged(dense)).values],
    [
      [3, 2],
      [0, 10, 1, 11, 2, 12],
    ],
  );
});

test('a 1x1 convolution can be the classifier', async () => {
  const torch = inPyTorchOrder('fc.weight', 'k', [numbered([2, 3, 1, 1])], 'pytorch');
  assert.deepEqual(
    [torch.shape, (await arranged(torch)).values],
    [
      [2, 3],
      [0, 100, 200, 1000, 1100, 1200],
    ],
  );
  const tensorflow = inPyTorchOrder('fc.weight', 'k', [numbered([1, 1, 3, 2])], 'tensorflow');
  assert.deepEqual(
    [tensorflow.shape, (await arranged(tensorflow)).values],
    [
      [2, 3],
      [0, 10, 20, 1, 11, 21],
    ],
  );
});

test('groups follow each other, each in its order, halves as they are', async () => {
  const parts = [numbered([1, 1, 2, 2]), numbered([1, 1, 2, 2], 'F32', 5)];
  const split = inPyTorchOrder('stage2.1.gconv1.weight', 'k', parts, 'tensorflow');
  assert.deepEqual(split.shape, [4, 2, 1, 1]);
  const base = 50_000;
  assert.deepEqual((await arranged(split)).values, [0, 10, 1, 11, base, base + 10, base + 1, base + 11]);

  const halves = (...bits: number[]): StoredTensor => ({
    dtype: 'F16',
    shape: [1, 2, 1, 1],
    bytes: new Uint8Array(Uint16Array.from(bits).buffer),
  });
  const { dtype, values } = await arranged(
    inPyTorchOrder('stage2.1.gconv1.weight', 'k', [halves(0x3c00, 0xc000), halves(0x4000, 0)], 'pytorch'),
  );
  assert.deepEqual([dtype, values], ['F16', [1, -2, 2, 0]]);
});
