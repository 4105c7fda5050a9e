import assert from 'node:assert/strict';
import { test } from 'node:test';

import sharp from 'sharp';

import type { Pixels } from '../../lib/image/decode';
import { imageToTensor } from '../../lib/image/tensor';
import { colour, difference, example, levels, pattern } from './images';

// Enlarged, untouched, reduced in one step, reduced in two.
for (const side of [100, 60, 32, 9]) {
  test(`pixels take the same path as a file, 60 -> ${side}`, async () => {
    const pixels = pattern(90, 60);
    const { data, ...raw } = pixels;
    const png = await sharp(data, { raw }).png().toBuffer();
    const fromFile = await imageToTensor(png, levels(side));
    for (const view of [data, new Uint8ClampedArray(data), Buffer.from(data)]) {
      assert.deepEqual(await imageToTensor({ ...pixels, data: view }, levels(side)), fromFile);
    }
  });

  test(`grey pixels fill three channels, 60 -> ${side}`, async () => {
    const grey = pattern(90, 60, 1);
    const data = Uint8Array.from({ length: 3 * 5400 }, (_, i) => grey.data[Math.floor(i / 3)]!);
    const expected = await imageToTensor({ ...grey, data, channels: 3 }, levels(side));
    assert.ok(difference((await imageToTensor(grey, levels(side))).data, expected.data).max <= 1);
  });

  test(`opaque alpha changes nothing, 60 -> ${side}`, async () => {
    const rgba = await imageToTensor(pattern(90, 60, 4), levels(side));
    assert.ok(difference(rgba.data, (await imageToTensor(pattern(90, 60), levels(side))).data).max <= 1);
  });
}

test('transparent pixels are white', async () => {
  const data = Buffer.from(Array.from({ length: 64 }, () => [200, 100, 0, 0]).flat());
  assert.deepEqual(await colour({ data, width: 8, height: 8, channels: 4 }), [255, 255, 255]);
});

test('pixels of the right size are not changed', async () => {
  const pixels = pattern(64, 64);
  const { data } = await imageToTensor(pixels, levels(64, 'mitchell'));
  assert.deepEqual(
    data,
    Float32Array.from(data, (_, i) => pixels.data[(i % 4096) * 3 + (i >> 12)]!),
  );
});

const wrong: [string, unknown, RegExp][] = [
  ['few bytes', { data: Buffer.alloc(11), width: 2, height: 2, channels: 3 }, /12 bytes for 2 x 2 x 3, got 11/],
  ['many bytes', { data: Buffer.alloc(13), width: 2, height: 2, channels: 3 }, /expected 12 bytes.*got 13/],
  ['no width', { data: Buffer.alloc(0), width: 0, height: 2, channels: 3 }, /width.*got 0/],
  ['a fractional height', { data: Buffer.alloc(12), width: 2, height: 2.5, channels: 3 }, /height.*got 2\.5/],
  ['2 channels', { data: Buffer.alloc(8), width: 2, height: 2, channels: 2 }, /1, 3 or 4 channels, got 2/],
  ['floats', { data: new Float32Array(12), width: 2, height: 2, channels: 3 }, /Uint8Array/],
  ['null', null, /Uint8Array/],
  ['a number', 7, /Uint8Array/],
];
for (const [what, image, message] of wrong) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(imageToTensor(image as Pixels, levels(2)), { code: 'ERR_INPUT', message });
  });
}

test('the pixel limit covers decoded pixels', async () => {
  await assert.rejects(imageToTensor(pattern(90, 60), levels(8), { limitPixels: 5399 }), { code: 'ERR_IMAGE_LIMIT' });
  await imageToTensor(pattern(90, 60), levels(8), { limitPixels: 5400 });
});

test('decoding leaves the event loop alone', async () => {
  const large = await sharp(example('chelsea.jpg')).resize(4000).jpeg().toBuffer();
  let turns = 0;
  let busy = true;
  const count = () => {
    turns++;
    if (busy) setImmediate(count);
  };
  setImmediate(count);
  await imageToTensor(large, levels(64));
  busy = false;
  assert.ok(turns > 100, `${turns} turns`);
});
