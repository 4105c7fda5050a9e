import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import sharp from 'sharp';

import { ShuffleNetError } from '../../lib/errors';
import { imageToTensor } from '../../lib/image/tensor';
import { colour, example, levels } from './images';

const folder = mkdtempSync(join(tmpdir(), 'shufflenet-image-'));
after(() => rmSync(folder, { recursive: true }));

const photo = readFileSync(example('chelsea.jpg'));

async function rejects(image: string | URL | Buffer, code: string, message: RegExp): Promise<void> {
  await assert.rejects(imageToTensor(image, levels(64)), (error) => {
    assert.ok(error instanceof ShuffleNetError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

test('unreadable files', async () => {
  await rejects(join(folder, 'missing.jpg'), 'ERR_FILE', /missing\.jpg: cannot be read: ENOENT/);
  await rejects(folder, 'ERR_FILE', /EISDIR/);
  await rejects(new URL('file:///missing.jpg'), 'ERR_FILE', /missing\.jpg.*ENOENT/);
  await rejects(new URL('https://example.com/a.jpg'), 'ERR_OPTION', /https:\/\/example\.com\/a\.jpg.*file:/);
});

test('what is not an image names the file and the formats', async () => {
  const text = 'This is no image.\n';
  const contents = { empty: '', text, zeros: Buffer.alloc(5000), signature: photo.subarray(0, 3) };
  for (const [name, content] of Object.entries(contents)) {
    const path = join(folder, `${name}.jpg`);
    writeFileSync(path, content);
    await rejects(path, 'ERR_IMAGE', new RegExp(`${name}\\.jpg: .*expected JPEG, PNG, WebP, AVIF, GIF or TIFF`));
    await rejects(Buffer.from(content), 'ERR_IMAGE', /^buffer: .*expected JPEG/);
  }
});

test('formats outside the list are refused', async () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
  await rejects(Buffer.from(svg), 'ERR_IMAGE', /got svg/);
  await rejects(Buffer.from('%PDF-1.4\n1 0 obj\n'), 'ERR_IMAGE', /expected JPEG/);
  await rejects(Buffer.from('P6 1 1 255 abc'), 'ERR_IMAGE', /expected JPEG/);
});

for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const) {
  test(`a truncated ${format} is an error wherever it ends`, async () => {
    const whole = await sharp(photo).resize(96).toFormat(format).toBuffer();
    await imageToTensor(whole, levels(64));
    for (const part of [0.02, 0.3, 0.6, 0.9, 0.97]) {
      const bytes = whole.subarray(0, Math.floor(whole.length * part));
      await rejects(bytes, 'ERR_IMAGE', /^buffer: /);
    }
  });
}

test('corrupt pixel data', async () => {
  for (const format of ['png', 'webp', 'avif', 'gif'] as const) {
    const bytes = await sharp(photo).resize(200).toFormat(format).toBuffer();
    bytes.fill(0x5a, bytes.length >> 1, (bytes.length >> 1) + 40);
    await rejects(bytes, 'ERR_IMAGE', /^buffer: /);
  }
});

test('JPEGs that libjpeg only warns about are decoded', async () => {
  const tables = photo.indexOf(Buffer.from([0xff, 0xdb]));
  const stray = Buffer.concat([photo.subarray(0, tables), Buffer.from([1, 2, 3]), photo.subarray(tables)]);
  const expected = await imageToTensor(photo, levels(64));
  assert.deepEqual(await imageToTensor(stray, levels(64)), expected);
  // Some phones end their scans at coefficient 0.
  const scan = photo.indexOf(Buffer.from([0xff, 0xda]));
  const phone = Buffer.from(photo);
  phone[scan + photo.readUInt16BE(scan + 2)] = 0;
  await assert.rejects(sharp(phone).raw().toBuffer(), /Invalid SOS/);
  assert.deepEqual(await imageToTensor(phone, levels(64)), expected);
});

test('the pixel limit is checked before decoding', async () => {
  const create = { width: 8000, height: 8000, channels: 3, background: '#123456' } as const;
  const bomb = await sharp({ create }).png().toBuffer();
  assert.ok(bomb.length < 1_000_000);
  // The header alone: decoding would fail otherwise than by the limit.
  for (const bytes of [bomb, bomb.subarray(0, 1000)]) {
    await rejects(bytes, 'ERR_IMAGE_LIMIT', /^buffer: 8000 x 8000 is 64000000 pixels, .* limitPixels \(50000000\)$/);
  }
  assert.deepEqual(await colour(bomb, { limitPixels: 64_000_000 }), [0x12, 0x34, 0x56]);
  await assert.rejects(colour(photo, { limitPixels: 451 * 300 - 1 }), { code: 'ERR_IMAGE_LIMIT' });
  await colour(photo, { limitPixels: 451 * 300 });
  for (const limitPixels of [0, -1, 1.5, Number.NaN, '9' as unknown as number]) {
    await assert.rejects(colour(photo, { limitPixels }), { code: 'ERR_OPTION', message: /limitPixels/ });
  }
});

test('without sharp, pixels of the right size still work', () => {
  const script = `
    const Module = require('node:module');
    const load = Module._load;
    Module._load = (name, ...rest) => {
      if (name === 'sharp') throw new Error('no binary for this platform');
      return load(name, ...rest);
    };
    const { imageToTensor } = require(${JSON.stringify(require.resolve('../../lib/image/tensor'))});
    const preprocess = ${JSON.stringify(levels(4))};
    const pixels = { data: new Uint8Array(16).fill(9), width: 4, height: 4, channels: 1 };
    (async () => {
      console.log((await imageToTensor(pixels, preprocess)).data[0]);
      const photo = imageToTensor(${JSON.stringify(example('chelsea.jpg'))}, preprocess);
      await photo.catch((error) => console.log(error.code, error.message));
    })();
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.match(stdout, /^9\nERR_IMAGE sharp.*could not be loaded: no binary for this platform/);
});
