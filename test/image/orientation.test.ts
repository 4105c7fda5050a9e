import assert from 'node:assert/strict';
import { test } from 'node:test';

import sharp from 'sharp';

import type { Pixels } from '../../lib/image/decode';
import { imageToTensor } from '../../lib/image/tensor';
import { difference, levels, pattern } from './images';

/** Where the upright pixel (x, y) is stored, by EXIF orientation; w and h are the upright size. */
const stored: ((x: number, y: number, w: number, h: number) => [number, number])[] = [
  (x, y) => [x, y],
  (x, y, w) => [w - 1 - x, y],
  (x, y, w, h) => [w - 1 - x, h - 1 - y],
  (x, y, _, h) => [x, h - 1 - y],
  (x, y) => [y, x],
  (x, y, w) => [y, w - 1 - x],
  (x, y, w, h) => [h - 1 - y, w - 1 - x],
  (x, y, _, h) => [h - 1 - y, x],
];

function withOrientation(upright: Pixels, orientation: number) {
  const { width: w, height: h } = upright;
  const [width, height] = orientation < 5 ? [w, h] : [h, w];
  const data = Buffer.alloc(3 * w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [sx, sy] = stored[orientation - 1]!(x, y, w, h);
      for (let c = 0; c < 3; c++) data[(sy * width + sx) * 3 + c] = upright.data[(y * w + x) * 3 + c]!;
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } }).withMetadata({ orientation });
}

for (let orientation = 1; orientation <= 8; orientation++) {
  test(`EXIF orientation ${orientation}`, async () => {
    const upright = pattern(120, 80);
    const file = withOrientation(upright, orientation);
    // Enlarged, as it is, reduced in one step, reduced in two. Rows and columns are reduced in turn, each rounded.
    for (const [side, tolerance] of [
      [100, 0],
      [80, 0],
      [32, 2],
      [12, 2],
    ] as const) {
      const expected = await imageToTensor(upright, levels(side));
      for (const encoded of [file.clone().png(), file.clone().webp({ lossless: true })]) {
        const { data } = await imageToTensor(await encoded.toBuffer(), levels(side));
        const { max } = difference(data, expected.data);
        assert.ok(max <= tolerance, `${side}: ${max}`);
      }
    }
  });

  test(`EXIF orientation ${orientation} of a JPEG reduced while decoding`, async () => {
    const upright = pattern(960, 640);
    const expected = await imageToTensor(upright, levels(32));
    const jpeg = await withOrientation(upright, orientation).jpeg({ quality: 100 }).toBuffer();
    const { mean } = difference((await imageToTensor(jpeg, levels(32))).data, expected.data);
    assert.ok(mean <= 1, `${mean}`);
  });
}
