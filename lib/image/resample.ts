import type { Pixels } from './decode';
import type { ResizeKernel, Size, Window } from './preprocess';
import { inTurns } from './turns';

/** Half width of each kernel, in source pixels, and its weight at a distance below that. */
const kernels: Record<ResizeKernel, { support: number; weight(distance: number): number }> = {
  nearest: { support: 0.5, weight: () => 1 },
  linear: { support: 1, weight: (x) => 1 - x },
  cubic: { support: 2, weight: (x) => bicubic(x, 0, 0.5) },
  mitchell: { support: 2, weight: (x) => bicubic(x, 1 / 3, 1 / 3) },
  lanczos2: { support: 2, weight: (x) => sinc(x) * sinc(x / 2) },
  lanczos3: { support: 3, weight: (x) => sinc(x) * sinc(x / 3) },
};

/** The Mitchell-Netravali family; B = 0, C = 1/2 is Catmull-Rom. */
function bicubic(x: number, b: number, c: number): number {
  return x < 1
    ? ((12 - 9 * b - 6 * c) * x ** 3 + (-18 + 12 * b + 6 * c) * x ** 2 + (6 - 2 * b)) / 6
    : ((-b - 6 * c) * x ** 3 + (6 * b + 30 * c) * x ** 2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/**
 * Enlarges `pixels` to `size` and returns the part in `window`; 'nearest' reduces too. Pixel centres are aligned as in
 * Pillow, PyTorch and OpenCV, where libvips aligns corners when it enlarges and so moves the image by half a source
 * pixel. Only the window is computed, so a 1 x 20000 image costs no more than a square one. Rows are computed in turns
 * of the event loop.
 */
export async function enlarge(pixels: Pixels, size: Size, window: Window, kernel: ResizeKernel): Promise<Pixels> {
  const { data, width: sourceWidth, channels } = pixels;
  const columns = taps(sourceWidth, size.width, window.left, window.width, kernel);
  const rows = taps(pixels.height, size.height, window.top, window.height, kernel);
  const firstRow = rows.first[0]!;
  const rowCount = rows.first[window.height - 1]! + rows.count - firstRow;
  const stride = window.width * channels;

  const widened = new Uint8ClampedArray(rowCount * stride);
  await inTurns(rowCount, (y) => {
    for (let x = 0; x < window.width; x++) {
      const from = ((firstRow + y) * sourceWidth + columns.first[x]!) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < columns.count; i++) {
          sum += data[from + i * channels + c]! * columns.weights[x * columns.count + i]!;
        }
        widened[y * stride + x * channels + c] = sum;
      }
    }
  });

  const result = new Uint8ClampedArray(window.height * stride);
  await inTurns(window.height, (y) => {
    const from = (rows.first[y]! - firstRow) * stride;
    for (let x = 0; x < stride; x++) {
      let sum = 0;
      for (let i = 0; i < rows.count; i++) sum += widened[from + i * stride + x]! * rows.weights[y * rows.count + i]!;
      result[y * stride + x] = sum;
    }
  });
  return { data: result, width: window.width, height: window.height, channels };
}

/** Output position start + i of one axis is the sum of `count` source pixels from first[i], weights[i * count ...]. */
function taps(source: number, target: number, start: number, length: number, kernel: ResizeKernel) {
  const { support, weight } = kernels[kernel];
  const count = Math.min(2 * support, source);
  const first = new Int32Array(length);
  const weights = new Float64Array(length * count);
  for (let i = 0; i < length; i++) {
    const centre = ((start + i + 0.5) * source) / target - 0.5;
    const from = Math.min(Math.max(Math.floor(centre - support + 1), 0), source - count);
    let sum = 0;
    for (let j = 0; j < count; j++) {
      const distance = Math.abs(from + j - centre);
      const value = distance <= support ? weight(distance) : 0;
      weights[i * count + j] = value;
      sum += value;
    }
    for (let j = 0; j < count; j++) weights[i * count + j]! /= sum;
    first[i] = from;
  }
  return { first, weights, count };
}
