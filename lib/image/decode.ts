import { readFile } from 'node:fs/promises';

import type { Metadata, Sharp, SharpOptions } from 'sharp';

import { ShuffleNetError } from '../errors';
import type { Size } from './preprocess';
import { nextTurn } from './turns';

/** 8-bit pixels in rows from the top, channels interleaved: height x width x channels bytes. */
export interface Pixels {
  /** Exactly height * width * channels bytes. */
  data: Uint8Array | Uint8ClampedArray;
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** 1: grey, 3: RGB, 4: RGB and alpha, not premultiplied. All in sRGB. */
  channels: 1 | 3 | 4;
}

/**
 * A path, a file: URL, the bytes of an encoded image, or decoded pixels. Encoded images are JPEG, PNG, WebP, AVIF, GIF
 * or TIFF, told apart by content. Bytes and pixels must not change before the result is there.
 */
export type Image = string | URL | Uint8Array | Pixels;

/** What is accepted as an image. */
export interface ImageOptions {
  /** Largest width * height accepted, checked before decoding. Default 50,000,000. */
  limitPixels?: number;
}

/** An image whose size is known and whose pixels are not yet decoded. */
export interface OpenedImage extends Size {
  /** The path, or what stands for it in messages. */
  name: string;
  /** Present if the pixels were given decoded. */
  pixels?: Pixels;
  /** A new pipeline that begins with upright, opaque, sRGB pixels. */
  pipeline(): Sharp;
}

const formats = 'JPEG, PNG, WebP, AVIF, GIF or TIFF';

/**
 * Finds the size of an image, after EXIF orientation. Throws ERR_FILE (unreadable), ERR_IMAGE (not one of the formats,
 * or a broken header), ERR_IMAGE_LIMIT, ERR_INPUT (pixels that do not fit their size) or ERR_OPTION.
 */
export async function openImage(image: Image, { limitPixels = 50_000_000 }: ImageOptions = {}): Promise<OpenedImage> {
  if (!Number.isSafeInteger(limitPixels) || limitPixels < 1) {
    throw new ShuffleNetError('ERR_OPTION', `limitPixels: expected a positive whole number, got ${limitPixels}`);
  }
  if (typeof image === 'string') return openEncoded(await readImageFile(image), image, limitPixels);
  if (image instanceof Uint8Array) return openEncoded(image, 'buffer', limitPixels);
  if (image instanceof URL) {
    if (image.protocol !== 'file:') {
      throw new ShuffleNetError('ERR_OPTION', `${image.href}: expected a file: URL; images are not downloaded`);
    }
    return openEncoded(await readImageFile(image), image.href, limitPixels);
  }
  return openPixels(image, limitPixels);
}

/**
 * Decodes what a pipeline of `image` leaves to RGB. Truncated files are errors. What decoders only warn of is not
 * (sharp's failOn 'error'), as in Pillow: many phones write JPEGs that libjpeg warns about.
 */
export async function decodeRgb(image: OpenedImage, pipeline: Sharp): Promise<Pixels> {
  let result;
  await nextTurn();
  try {
    result = await pipeline.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  } catch (cause) {
    throw new ShuffleNetError('ERR_IMAGE', `${image.name}: truncated or corrupt image: ${firstLine(cause)}`, { cause });
  }
  const { data, info } = result;
  if (info.channels !== 3) {
    throw new ShuffleNetError('ERR_IMAGE', `${image.name}: expected colours or greys, got ${info.channels} channels`);
  }
  return { data, width: info.width, height: info.height, channels: 3 };
}

/** A pipeline over decoded pixels. Alpha is flattened. */
export function pixelsPipeline({ data, width, height, channels }: Pixels): Sharp {
  return opaque(loadSharp()(data, { raw: { width, height, channels }, limitInputPixels: false }));
}

/** Reads the whole file: size and pixels then belong to the same bytes, and sharp's cache by path is out of the way. */
async function readImageFile(path: string | URL): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const name = path instanceof URL ? path.href : path;
    throw new ShuffleNetError('ERR_FILE', `${name}: cannot be read: ${firstLine(cause)}`, { cause });
  }
}

async function openEncoded(bytes: Uint8Array, name: string, limitPixels: number): Promise<OpenedImage> {
  if (bytes.length === 0) throw new ShuffleNetError('ERR_IMAGE', `${name}: is empty; expected ${formats}`);
  const sharp = loadSharp();
  let metadata: Metadata;
  // To prepare a call of sharp takes some tenths of a millisecond, and files read at once arrive at once.
  await nextTurn();
  try {
    // Only the header is read here. The limit is checked below, with both numbers in the message.
    metadata = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (cause) {
    throw new ShuffleNetError('ERR_IMAGE', `${name}: expected ${formats}: ${firstLine(cause)}`, { cause });
  }
  if (!isAccepted(metadata)) {
    const format = metadata.compression ?? metadata.format;
    throw new ShuffleNetError('ERR_IMAGE', `${name}: expected ${formats}, got ${format}`);
  }
  const { width, height } = metadata.autoOrient;
  checkLimit(name, { width, height }, limitPixels);

  const options: SharpOptions = { autoOrient: true, failOn: 'error', limitInputPixels: limitPixels };
  return {
    name,
    width,
    height,
    pipeline: () => {
      const pipeline = opaque(sharp(bytes, options));
      // sharp takes 16-bit colours with an ICC profile to Display P3, and the raw pixels stay there.
      return metadata.space === 'rgb16' ? pipeline.pipelineColourspace('srgb') : pipeline;
    },
  };
}

/** Other formats that sharp may know (SVG, PDF, camera raw) stay out: scripts, external files, less tested decoders. */
function isAccepted({ format, compression }: Metadata): boolean {
  return ['jpeg', 'png', 'webp', 'gif', 'tiff'].includes(format) || (format === 'heif' && compression === 'av1');
}

function openPixels(pixels: Pixels, limitPixels: number): OpenedImage {
  const name = 'pixels';
  const { data, width, height, channels } = pixels ?? {};
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ShuffleNetError(
      'ERR_INPUT',
      'image: expected a path, a file: URL, a Uint8Array, or { data: Uint8Array, width, height, channels }',
    );
  }
  for (const [side, value] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ShuffleNetError('ERR_INPUT', `${name}: expected ${side} to be a positive whole number, got ${value}`);
    }
  }
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new ShuffleNetError('ERR_INPUT', `${name}: expected 1, 3 or 4 channels, got ${channels}`);
  }
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new ShuffleNetError(
      'ERR_INPUT',
      `${name}: expected ${expected} bytes for ${width} x ${height} x ${channels}, got ${data.length}`,
    );
  }
  checkLimit(name, { width, height }, limitPixels);
  return { name, width, height, pixels, pipeline: () => pixelsPipeline(pixels) };
}

function checkLimit(name: string, { width, height }: Size, limitPixels: number): void {
  if (width * height > limitPixels) {
    throw new ShuffleNetError(
      'ERR_IMAGE_LIMIT',
      `${name}: ${width} x ${height} is ${width * height} pixels, more than limitPixels (${limitPixels})`,
    );
  }
}

/** Puts transparent images on white, the page most of them are drawn for. */
function opaque(pipeline: Sharp): Sharp {
  return pipeline.flatten({ background: '#ffffff' });
}

/** sharp costs tens of milliseconds and megabytes to load, and pixels of the right size do not need it. */
function loadSharp(): typeof import('sharp') {
  try {
    return require('sharp') as typeof import('sharp');
  } catch (cause) {
    const message = `sharp, which decodes and resizes images, could not be loaded: ${firstLine(cause)}`;
    throw new ShuffleNetError('ERR_IMAGE', `${message}; reinstall it for this platform`, { cause });
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n', 1)[0]!;
}
