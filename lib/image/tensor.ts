import { ShuffleNetError } from '../errors';
import { decodeRgb, openImage, pixelsPipeline } from './decode';
import type { Image, ImageOptions, OpenedImage, Pixels } from './decode';
import { centreCrop, resizedSize } from './preprocess';
import type { Preprocess } from './preprocess';
import { enlarge } from './resample';
import { inTurns } from './turns';

/** One image, ready for the network. */
export interface ImageTensor {
  /** NCHW with N = 1: 3 x height x width values. */
  data: Float32Array;
  height: number;
  width: number;
}

/**
 * Decodes, resizes, crops and normalises an image. EXIF orientation is applied, transparent parts become white, greys,
 * CMYK, 16-bit and ICC colours become 8-bit sRGB, and of animations the first frame counts. Decoding and reducing run
 * off the event loop. Throws ERR_FILE, ERR_IMAGE, ERR_IMAGE_LIMIT, ERR_INPUT, or ERR_OPTION if the crop does not fit
 * into the resized image. The other fields of `preprocess` were checked when the weights were loaded.
 */
export async function imageToTensor(
  image: Image,
  preprocess: Preprocess,
  { signal, ...options }: ImageOptions & { signal?: AbortSignal | undefined } = {},
): Promise<ImageTensor> {
  const opened = await openImage(image, options);
  // Nobody waits for an image any more once its call was aborted; those that queue should not be decoded for nothing.
  signal?.throwIfAborted();
  return normalise(await resizeAndCrop(opened, preprocess), preprocess);
}

async function resizeAndCrop(image: OpenedImage, { resize, crop }: Preprocess): Promise<Pixels> {
  const { shorterSide, kernel } = resize;
  const size = resizedSize(image, shorterSide);
  if (crop.width > size.width || crop.height > size.height) {
    throw new ShuffleNetError(
      'ERR_OPTION',
      `${image.name}: ${size.width} x ${size.height} after resizing is smaller than preprocess.crop ` +
        `(${crop.width} x ${crop.height}); a shorterSide of ${Math.max(crop.width, crop.height)} fits every image`,
    );
  }
  const window = centreCrop(size, crop);

  const shorter = Math.min(image.width, image.height);
  if (shorter <= shorterSide || kernel === 'nearest') {
    const given = image.pixels?.channels === 4 ? undefined : image.pixels;
    const pixels = given ?? (await decodeRgb(image, image.pipeline()));
    // Without a change of size every kernel is exact but mitchell, which blurs.
    return enlarge(pixels, size, window, shorter === shorterSide ? 'nearest' : kernel);
  }

  // fastShrinkOnLoad would let the JPEG and WebP decoders do most of the reduction with a box filter.
  const how = { fit: 'fill', kernel, fastShrinkOnLoad: false } as const;
  let pipeline = image.pipeline();
  if (shorter >= 4 * shorterSide) {
    // From 4 : 1 on libvips also averages whole pixels before it applies the kernel, and photos come out up to 1.4 grey
    // levels (mean) from Pillow's. With a last step of exactly 3 : 1 it is half a level.
    pipeline = pixelsPipeline(await decodeRgb(image, pipeline.resize(3 * size.width, 3 * size.height, how)));
  }
  return decodeRgb(image, pipeline.resize(size.width, size.height, how).extract(window));
}

async function normalise({ data, width, height, channels }: Pixels, preprocess: Preprocess): Promise<ImageTensor> {
  const { channelOrder, scale, mean, std } = preprocess;
  const plane = height * width;
  const values = new Float32Array(3 * plane);
  const levels = [0, 1, 2].map((c) => Float32Array.from({ length: 256 }, (_, i) => (i * scale - mean[c]!) / std[c]!));
  await inTurns(height, (y) => {
    for (let c = 0; c < 3; c++) {
      const offset = channels === 1 ? 0 : channelOrder === 'RGB' ? c : 2 - c;
      const table = levels[c]!;
      const end = (y + 1) * width;
      for (let i = y * width; i < end; i++) values[c * plane + i] = table[data[i * channels + offset]!]!;
    }
  });
  return { data: values, height, width };
}
