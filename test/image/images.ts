import { join } from 'node:path';

import type { Image, ImageOptions, Pixels } from '../../lib/image/decode';
import type { Preprocess, ResizeKernel } from '../../lib/image/preprocess';
import { imageToTensor } from '../../lib/image/tensor';

const root = join(__dirname, '..', '..', '..');

export const example = (name: string) => join(root, 'examples', name);
export const fixture = (...path: string[]) => join(root, 'test', 'fixtures', ...path);

/** A square crop and values that are the grey levels themselves. */
export function levels(side: number, kernel: ResizeKernel = 'lanczos3'): Preprocess {
  return {
    resize: { shorterSide: side, kernel },
    crop: { width: side, height: side },
    channelOrder: 'RGB',
    scale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}

/** The first pixel after reducing to 4 x 4: the colour of an image of one colour. */
export async function colour(image: Image, options?: ImageOptions): Promise<number[]> {
  const { data } = await imageToTensor(image, levels(4), options);
  return [data[0]!, data[16]!, data[32]!];
}

/** Differences of grey levels. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; max: number } {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let sum = 0;
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!);
    sum += distance;
    // Written so that NaN is not lost.
    if (!(distance <= max)) max = distance;
  }
  return { mean: sum / a.length, max };
}

/** Pixels without symmetry: a ramp in x, another in y, and a bright corner. */
export function pattern(width: number, height: number, channels: 1 | 3 | 4 = 3): Pixels {
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const corner = x < width / 3 && y < height / 3 ? 250 : 20;
      const values = [(255 * x) / width, (200 * y) / height, corner, 255];
      for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = values[c]!;
    }
  }
  return { data, width, height, channels };
}
