import assert from 'node:assert/strict';
import { test } from 'node:test';

import { centreCrop, resizedSize } from '../../lib/image/preprocess';
import { imageToTensor } from '../../lib/image/tensor';
import { difference, example, levels, pattern } from './images';

test('the longer side is rounded down', () => {
  assert.deepEqual(resizedSize({ width: 451, height: 300 }, 64), { width: 96, height: 64 });
  assert.deepEqual(resizedSize({ width: 320, height: 427 }, 256), { width: 256, height: 341 });
  assert.deepEqual(resizedSize({ width: 1, height: 20000 }, 64), { width: 64, height: 1280000 });
  assert.deepEqual(resizedSize({ width: 64, height: 64 }, 64), { width: 64, height: 64 });
});

test('half a pixel of crop offset is rounded to even', () => {
  const left = (width: number) => centreCrop({ width, height: 224 }, { width: 224, height: 224 }).left;
  assert.deepEqual([224, 225, 226, 227, 229, 341].map(left), [0, 0, 1, 2, 2, 58]);
});

test('crops need not be square', async () => {
  const image = pattern(90, 60);
  const { data, width, height } = await imageToTensor(image, { ...levels(60), crop: { width: 50, height: 24 } });
  assert.deepEqual([width, height, data.length], [50, 24, 3 * 24 * 50]);
  assert.equal(data[0], image.data[(18 * 90 + 20) * 3]);
  assert.equal(data[2 * 24 * 50 - 1], image.data[(41 * 90 + 69) * 3 + 1]);
});

test('a crop that the resized image does not fill is refused', async () => {
  const preprocess = { ...levels(60), crop: { width: 80, height: 60 } };
  assert.equal((await imageToTensor(pattern(90, 60), preprocess)).width, 80);
  await assert.rejects(imageToTensor(pattern(60, 90), preprocess), {
    code: 'ERR_OPTION',
    message: /^pixels: 60 x 90 .*80 x 60.* 80 /,
  });
});

test('BGR swaps the channels, and mean and std are in that order', async () => {
  const rgb = await imageToTensor(example('coffee.jpg'), levels(32));
  const bgr = await imageToTensor(example('coffee.jpg'), {
    ...levels(32),
    channelOrder: 'BGR',
    scale: 0.5,
    mean: [10, 20, 30],
    std: [2, 4, 8],
  });
  const expected = Float32Array.from(rgb.data, (_, i) => {
    const c = i >> 10;
    return (rgb.data[(2 - c) * 1024 + (i % 1024)]! * 0.5 - [10, 20, 30][c]!) / [2, 4, 8][c]!;
  });
  assert.ok(difference(bgr.data, expected).max < 1e-5);
});

for (const [width, height] of [
  [1, 20000],
  [20000, 1],
  [1, 1],
  [3, 20000],
  [20000, 70],
  [300, 20000],
] as const) {
  test(`an image of ${width} x ${height} gives a tensor soon`, async () => {
    const start = performance.now();
    const { data } = await imageToTensor({ ...pattern(width, height, 1) }, levels(64));
    assert.ok(data.every((value) => value >= 0 && value <= 255));
    assert.ok(performance.now() - start < 5000);
  });
}

test('the middle of an extreme image is what remains', async () => {
  const { data } = await imageToTensor(pattern(1, 20000, 3), levels(64));
  assert.ok(difference(data.subarray(4096, 8192), new Float32Array(4096).fill(100)).max <= 1);
});
