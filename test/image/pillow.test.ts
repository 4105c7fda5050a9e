import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import sharp from 'sharp';

import { imageToTensor } from '../../lib/image/tensor';
import { difference, example, fixture, levels } from './images';

const imagenet = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

function readFloats(path: string): Float32Array {
  const file = readFileSync(path);
  const start = 10 + file.readUInt16LE(8);
  return new Float32Array(file.buffer.slice(file.byteOffset + start, file.byteOffset + file.length));
}

for (const name of ['chelsea', 'coffee']) {
  test(`${name}: reduced within half a grey level of Pillow's Lanczos`, async () => {
    const preprocess = { ...levels(64), ...imagenet } as ReturnType<typeof levels>;
    const { data, width, height } = await imageToTensor(example(`${name}.jpg`), preprocess);
    assert.deepEqual([width, height, data.length], [64, 64, 3 * 64 * 64]);

    const toLevels = (values: Float32Array) =>
      values.map((value, i) => (value * imagenet.std[i >> 12]! + imagenet.mean[i >> 12]!) * 255);
    const { mean, max } = difference(toLevels(data), toLevels(readFloats(fixture('weights', `${name}.input.npy`))));
    assert.ok(mean <= 0.5, `mean ${mean}`);
    assert.ok(max <= 13, `max ${max}`);
  });
}

for (const kernel of ['linear', 'cubic', 'lanczos3'] as const) {
  test(`a small image is enlarged as by Pillow, ${kernel}`, async () => {
    const expected = await sharp(fixture('image', `chelsea-40x30-pillow-${kernel}.png`))
      .raw()
      .toBuffer();
    const { data } = await imageToTensor(fixture('image', 'chelsea-40x30.png'), levels(64, kernel));
    const planes = Float32Array.from(data, (_, i) => expected[(i % 4096) * 3 + (i >> 12)]!);
    const { mean, max } = difference(data, planes);
    assert.ok(mean <= 0.1 && max <= 1, `mean ${mean}, max ${max}`);
  });
}
