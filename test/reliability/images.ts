/**
 * Corrupt and hostile images: an error of this package's or a classification, each in bounded time and memory. Never a
 * crash, never another error.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { ShuffleNet, ShuffleNetError, type Image } from '../../lib';
import { example, inParallel, round, seeded, within, type Outcome } from './measure';

const codes = ['ERR_IMAGE', 'ERR_IMAGE_LIMIT', 'ERR_INPUT', 'ERR_FILE'];
const longest = 10_000;
/** For images up to the default limit of 50 million pixels, of which a decoder may need all at once, two at a time. */
const mostMegabytes = 1024;

async function encoded(): Promise<Record<string, Buffer>> {
  const photo = sharp(example('coffee.jpg')).resize(120, 90);
  return {
    jpeg: await photo.clone().jpeg().toBuffer(),
    progressive: await photo.clone().jpeg({ progressive: true }).toBuffer(),
    png: await photo.clone().png().toBuffer(),
    interlaced: await photo.clone().png({ progressive: true }).toBuffer(),
    webp: await photo.clone().webp().toBuffer(),
    lossless: await photo.clone().webp({ lossless: true }).toBuffer(),
    gif: await photo.clone().gif().toBuffer(),
    tiff: await photo.clone().tiff({ compression: 'lzw' }).toBuffer(),
    avif: await photo.clone().avif({ effort: 0 }).toBuffer(),
  };
}

/** A PNG that claims a size; one row of pixels follows. */
function pngOf(width: number, height: number, ...more: [type: string, data: Buffer][]): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const bytes = Buffer.alloc(8 + body.length);
    bytes.writeUInt32BE(data.length, 0);
    body.copy(bytes, 4);
    bytes.writeUInt32BE(crc(body), 4 + body.length);
    return bytes;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const row = deflateSync(Buffer.alloc(1 + 3 * Math.min(width, 65536)));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    ...more.map(([type, data]) => chunk(type, data)),
    chunk('IDAT', row),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function gifOf(width: number, height: number): Buffer {
  const bytes = Buffer.from('4749463839610000000080000000000000ffffff2c00000000000000000002024401003b', 'hex');
  bytes.writeUInt16LE(width, 6);
  bytes.writeUInt16LE(height, 8);
  bytes.writeUInt16LE(width, 24);
  bytes.writeUInt16LE(height, 26);
  return bytes;
}

/** A lossless WebP's header says its size in 14 bits each. */
async function webpOf(width: number, height: number): Promise<Buffer> {
  const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .webp({ lossless: true })
    .toBuffer();
  bytes.writeUInt32LE(((width - 1) | ((height - 1) << 14)) >>> 0, bytes.indexOf('VP8L') + 9);
  return bytes;
}

/** Those with real pixels have sides of up to `side`. */
async function hostile(folder: string, side: number): Promise<[name: string, image: Image][]> {
  const flat = (width: number, height: number) =>
    sharp({
      create: { width, height, channels: 3, background: { r: 20, g: 90, b: 200 } },
      limitInputPixels: false,
    });
  const jpeg = await readFile(example('coffee.jpg'));
  const disguised = path.join(folder, 'photo.png');
  await writeFile(disguised, jpeg);
  const wide = await flat(2 * side, side / 2)
    .jpeg({ progressive: true, quality: 50 })
    .toBuffer();
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
  const entities = `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>${svg}`;
  const pixels = new Uint8Array(3 * 20_000);
  const zeros = (bytes: number) =>
    Buffer.concat([Buffer.from('x\0\0'), deflateSync(Buffer.alloc(side < 7000 ? 1e6 : bytes))]);
  return [
    ['PNG of 2^31 - 1 squared', pngOf(0x7fffffff, 0x7fffffff)],
    ['PNG of 100000 squared', pngOf(100_000, 100_000)],
    ['PNG of 50 million pixels without them', pngOf(7071, 7071)],
    ['PNG of no width', pngOf(0, 16)],
    ['PNG with a profile of 100 MB of zeros', pngOf(16, 16, ['iCCP', zeros(1e8)])],
    ['PNG with a text of 500 MB of zeros', pngOf(16, 16, ['zTXt', zeros(5e8)])],
    ['GIF of 65535 squared', gifOf(65535, 65535)],
    ['GIF of 7000 squared', gifOf(7000, 7000)],
    ['GIF of no size', gifOf(0, 0)],
    ['WebP of 16384 squared', await webpOf(16384, 16384)],
    ['WebP of 7000 squared', await webpOf(7000, 7000)],
    ['PNG of real pixels', await flat(side, side).png().toBuffer()],
    ['progressive JPEG', wide],
    ['progressive JPEG, 30 more scans', repeatScans(wide, 30)],
    [
      'GIF of real pixels',
      await flat(side, side / 2)
        .gif()
        .toBuffer(),
    ],
    ['WebP of real pixels', await flat(side, side).webp({ effort: 0 }).toBuffer()],
    ['TIFF of real pixels', await flat(side, side).tiff({ compression: 'deflate' }).toBuffer()],
    [
      'AVIF of real pixels',
      await flat(side / 2, side / 2)
        .avif({ effort: 0 })
        .toBuffer(),
    ],
    ['1 x 20000', await flat(1, 20_000).png().toBuffer()],
    ['20000 x 1', await flat(20_000, 1).png().toBuffer()],
    ['1 x 65000, JPEG', await flat(1, 65_000).jpeg().toBuffer()],
    ['1 x 1', await flat(1, 1).png().toBuffer()],
    ['raw 1 x 20000', { data: pixels, width: 1, height: 20_000, channels: 3 }],
    ['raw 20000 x 1', { data: pixels, width: 20_000, height: 1, channels: 3 }],
    ['raw of no size', { data: new Uint8Array(0), width: 0, height: 0, channels: 3 }],
    ['raw of another size', { data: pixels, width: 1e9, height: 1e9, channels: 3 }],
    ['nothing', new Uint8Array(0)],
    ['one byte', new Uint8Array(1)],
    ['a megabyte of zeros', new Uint8Array(1e6)],
    ['text', Buffer.from('This is not an image.\n'.repeat(100))],
    ['SVG', Buffer.from(svg)],
    ['SVG with entities', Buffer.from(entities)],
    ['PDF', Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF')],
    ['JPEG named .png', disguised],
    ['PNG signature and JPEG', Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), jpeg])],
    ['JPEG and JPEG', Buffer.concat([jpeg, jpeg])],
    ['a folder', folder],
    ['a file that is missing', path.join(folder, 'missing.jpg')],
  ];
}

/** Each scan makes the decoder pass over the whole image again. */
function repeatScans(jpeg: Buffer, times: number): Buffer {
  const last = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
  const end = jpeg.lastIndexOf(Buffer.from([0xff, 0xd9]));
  return Buffer.concat([
    jpeg.subarray(0, end),
    ...Array<Buffer>(times).fill(jpeg.subarray(last, end)),
    jpeg.subarray(end),
  ]);
}

export async function measure(short: boolean): Promise<Outcome> {
  const folder = await mkdtemp(path.join(tmpdir(), 'shufflenet-images-'));
  const model = await ShuffleNet.load();
  const broken: string[] = [];
  const outcomes: Record<string, number> = {};
  let slowest = { what: '', ms: 0 };
  const attempt = async (what: string, image: Image) => {
    const from = performance.now();
    let outcome = 'classified';
    try {
      const best = await within(longest, what, model.classify(image, { topK: 1 }));
      if (!(best[0]!.score > 0)) broken.push(`${what}: a score of ${best[0]!.score}`);
    } catch (error) {
      outcome = error instanceof ShuffleNetError ? error.code : 'another error';
      if (!codes.includes(outcome)) broken.push(`${what}: ${error}`);
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const ms = round(performance.now() - from);
    if (ms > slowest.ms) slowest = { what, ms };
    if (broken.length > 20) throw new Error(broken.join('\n'));
  };

  const peak = () => process.resourceUsage().maxRSS / 1000;
  const photos = await encoded();
  await attempt('a photo', photos['jpeg']!);
  const bombs = await hostile(folder, short ? 1500 : 7000);
  const before = peak();
  await inParallel(bombs.length, 2, (i) => attempt(...bombs[i]!));

  const cuts = short ? 5 : 200;
  const flips = short ? 10 : 1000;
  const random = seeded(3);
  for (const [format, bytes] of Object.entries(photos)) {
    await inParallel(cuts, 4, (i) => {
      const length = Math.floor((i * bytes.length) / cuts);
      return attempt(`${format} cut to ${length} bytes`, bytes.subarray(0, length));
    });
    await inParallel(flips, 4, (i) => {
      const flipped = Buffer.from(bytes);
      // Near the beginning lies what says how to read the rest.
      const end = i % 2 ? Math.min(200, bytes.length) : bytes.length;
      for (let n = 1 + (i % 4); n > 0; n--) flipped[Math.floor(random() * end)]! ^= 1 + Math.floor(random() * 255);
      return attempt(`${format}, flip ${i} of seed 3`, flipped);
    });
  }
  const best = await model.classify(example('chelsea.jpg'), { topK: 1 });
  if (best[0]!.label !== 'Egyptian cat') broken.push(`after all this a cat is ${best[0]!.label}`);
  const grownMB = round(peak() - before);
  if (!(grownMB <= mostMegabytes)) broken.push(`${grownMB} MB more resident memory at the peak`);
  await rm(folder, { recursive: true });
  const formats = Object.keys(photos);
  const each = { cuts, flips };
  return { figures: { bombs: bombs.length, formats, each, outcomes, slowest, peakMB: round(peak()), grownMB }, broken };
}

/** zlib's, which Node 20 has only in its later versions. */
function crc(bytes: Uint8Array): number {
  if (crc32) return crc32(bytes);
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}
