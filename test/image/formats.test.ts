import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import sharp from 'sharp';
import type { Sharp } from 'sharp';

import { displayName } from '../../lib/image/labels';
import { imageToTensor } from '../../lib/image/tensor';
import { colour, difference, example, levels } from './images';

const folder = mkdtempSync(join(tmpdir(), 'shufflenet-image-'));
after(() => rmSync(folder, { recursive: true }));

const solid = (red: number, green: number, blue: number, alpha?: number) =>
  sharp({
    create: {
      width: 16,
      height: 16,
      channels: alpha === undefined ? 3 : 4,
      background: { r: red, g: green, b: blue, ...(alpha !== undefined && { alpha }) },
    },
  });

function near(got: number[], expected: number[], tolerance = 1): void {
  assert.ok(difference(got, expected).max <= tolerance, `${got} instead of ${expected}`);
}

const encodings: [string, (image: Sharp) => Sharp, number][] = [
  ['JPEG', (image) => image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }), 2],
  ['progressive JPEG', (image) => image.jpeg({ quality: 95, progressive: true }), 3],
  ['PNG', (image) => image.png(), 0],
  ['interlaced PNG', (image) => image.png({ progressive: true }), 0],
  ['WebP', (image) => image.webp({ quality: 95 }), 3],
  ['lossless WebP', (image) => image.webp({ lossless: true }), 0],
  ['AVIF', (image) => image.avif({ quality: 90 }), 2],
  ['GIF', (image) => image.gif(), 6],
  ['TIFF', (image) => image.tiff({ compression: 'lzw' }), 0],
];
for (const [name, encode, tolerance] of encodings) {
  test(`${name} by path, URL and bytes, whatever the extension`, async () => {
    const photo = sharp(example('coffee.jpg')).resize(180, 120);
    const { data, info } = await photo.clone().raw().toBuffer({ resolveWithObject: true });
    const expected = await imageToTensor({ data, width: info.width, height: info.height, channels: 3 }, levels(64));
    const bytes = await encode(photo).toBuffer();
    const result = await imageToTensor(bytes, levels(64));
    const { mean } = difference(result.data, expected.data);
    assert.ok(mean <= tolerance, `mean ${mean}`);

    const path = join(folder, 'a photo #1.txt');
    writeFileSync(path, bytes);
    assert.deepEqual(await imageToTensor(path, levels(64)), result);
    assert.deepEqual(await imageToTensor(pathToFileURL(path), levels(64)), result);
    assert.deepEqual(await imageToTensor(new Uint8Array(bytes), levels(64)), result);
  });
}

test('grey JPEG and PNG', async () => {
  const grey = solid(90, 90, 90).toColourspace('b-w');
  near(await colour(await grey.clone().jpeg().toBuffer()), [90, 90, 90]);
  near(await colour(await grey.clone().png().toBuffer()), [90, 90, 90]);
});

test('alpha lies on white', async () => {
  for (const format of ['png', 'webp', 'avif', 'tiff'] as const) {
    const encode = (image: Sharp) => image.toFormat(format, format === 'tiff' ? { compression: 'lzw' } : {}).toBuffer();
    near(await colour(await encode(solid(200, 100, 0, 0.5))), [227, 177, 127], 2);
    near(await colour(await encode(solid(200, 100, 0, 0))), [255, 255, 255], 0);
  }
  near(await colour(await solid(200, 100, 0, 0).gif().toBuffer()), [255, 255, 255], 1);
});

test('grey with alpha lies on white', async () => {
  const data = Buffer.from(Array.from({ length: 64 }, () => [100, 128]).flat());
  const raw = { width: 8, height: 8, channels: 2 } as const;
  const png = await sharp(data, { raw }).toColourspace('b-w').png().toBuffer();
  assert.equal((await sharp(png).metadata()).channels, 2);
  near(await colour(png), [177, 177, 177]);
});

test('a palette PNG', async () => {
  near(await colour(await solid(200, 100, 50).png({ palette: true }).toBuffer()), [200, 100, 50]);
});

test('CMYK JPEG, with and without a profile', async () => {
  for (const cmyk of [solid(230, 40, 40).toColourspace('cmyk'), solid(230, 40, 40).withIccProfile('cmyk')]) {
    const jpeg = await cmyk.jpeg({ quality: 100 }).toBuffer();
    assert.equal((await sharp(jpeg).metadata()).space, 'cmyk');
    // Cyan, magenta, yellow and black do not reach this red.
    near(await colour(jpeg), [230, 40, 40], 40);
  }
});

test('the ICC profile is applied', async () => {
  const png = await solid(200, 100, 50).withIccProfile('p3').png().toBuffer();
  assert.ok((await sharp(png).metadata()).icc);
  const asStored = [...(await sharp(png).keepIccProfile().raw().toBuffer())].slice(0, 3);
  assert.ok(difference(asStored, [200, 100, 50]).max > 5, 'the file itself must not hold sRGB values');
  near(await colour(png), [200, 100, 50]);
});

function sixteenBit(pixel: number[]): Sharp {
  const data = new Uint16Array(Array.from({ length: 64 }, () => pixel).flat());
  return sharp(data, { raw: { width: 8, height: 8, channels: pixel.length as 1 | 3 | 4 } });
}

test('16-bit PNG: colours with and without a profile, grey, alpha', async () => {
  for (const profile of [undefined, 'srgb', 'p3']) {
    const image = solid(200, 100, 50);
    const png = await (profile ? image.withIccProfile(profile) : image).png().toBuffer();
    const deep = await sharp(png).keepIccProfile().toColourspace('rgb16').png().toBuffer();
    const { depth, icc } = await sharp(deep).metadata();
    assert.deepEqual([depth, Boolean(icc)], ['ushort', Boolean(profile)]);
    near(await colour(deep), [200, 100, 50]);
  }
  const grey = await sixteenBit([32896]).toColourspace('grey16').png().toBuffer();
  assert.equal((await sharp(grey).metadata()).space, 'grey16');
  near(await colour(grey), [128, 128, 128]);
  const halfRed = await sixteenBit([65535, 0, 0, 32896]).toColourspace('rgb16').png().toBuffer();
  near(await colour(halfRed), [255, 127, 127]);
});

for (const format of ['gif', 'webp'] as const) {
  test(`the first frame of an animated ${format}`, async () => {
    const frames = await Promise.all([solid(250, 0, 0), solid(0, 250, 0)].map((frame) => frame.png().toBuffer()));
    const animation = await sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    assert.equal((await sharp(animation).metadata()).pages, 2);
    near(await colour(animation, { limitPixels: 256 }), [250, 0, 0], 4);
  });
}

test('display names are first synonyms', () => {
  assert.equal(displayName('tailed frog, bell toad, ribbed toad'), 'tailed frog');
  assert.equal(displayName('Egyptian cat'), 'Egyptian cat');
});
