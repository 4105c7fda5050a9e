import { inspect, types } from 'node:util';
import { ShuffleNetError } from '../errors';
import { imageSides } from '../network/complexity';
import { imageChannels } from '../network/table';

/** float32 values, row-major in the order of `shape`. */
export interface Tensor {
  /** As many as the product of `shape`. */
  data: Float32Array;
  /** Images: [n, 3, height, width]. */
  shape: readonly number[];
}

/**
 * What the network sees on the way, for n images: float32, NCHW, after the last operation of each stage (ReLU, in the
 * paper's network). Sides are the image's divided by 8, 16 and 32, rounded as the paddings say; channels as in
 * `network.stages`.
 */
export interface Features {
  /** Shape [n, channels, height / 8, width / 8]. */
  stage2: Tensor;
  /** Shape [n, channels, height / 16, width / 16]. */
  stage3: Tensor;
  /** Shape [n, channels, height / 32, width / 32]. */
  stage4: Tensor;
}

/** What a network makes of n images: one row of values, before softmax, for each. */
export interface Logits {
  /** n * classes values. */
  data: Float32Array;
  /** As many images as the input had, and the network's classes. */
  shape: [n: number, classes: number];
}

export interface ImageBatch {
  data: Float32Array;
  n: number;
  height: number;
  width: number;
}

/**
 * A tensor as images: shape [n, 3, height, width], n at most `most`, sides of 32 to 4096, and as many values. Throws
 * ERR_INPUT naming what was expected; also for memory that another thread or the owner could take away during a run.
 */
export function checkImages(tensor: Tensor, most = 2 ** 20): ImageBatch {
  const fail = (what: string, expected: string, value: unknown): never => {
    const brief = { depth: 0, breakLength: Infinity, maxArrayLength: 8 };
    const got = typeof value === 'string' ? value : inspect(value, brief);
    throw new ShuffleNetError('ERR_INPUT', `${what}: expected ${expected}, got ${got}`);
  };
  const { data, shape } = tensor ?? {};
  if (!types.isFloat32Array(data)) {
    const got = Object.prototype.toString.call(data ?? tensor).slice(8, -1);
    fail('input', '{ data: Float32Array, shape: [n, 3, height, width] }', data ? `data: ${got}` : got);
  }
  const sides = `${imageSides.min} to ${imageSides.max}`;
  const [n, channels, height, width] = Array.isArray(shape) ? (shape as number[]) : [];
  if (
    !isInteger(n, 1, most) ||
    channels !== imageChannels ||
    !isInteger(height, imageSides.min, imageSides.max) ||
    !isInteger(width, imageSides.min, imageSides.max) ||
    shape.length !== 4
  ) {
    const first = most === 1 ? '1' : 'n';
    return fail('input.shape', `[${first}, ${imageChannels}, height, width] with sides of ${sides}`, shape);
  }
  const length = n * channels * height * width;
  if (data.length !== length) {
    const got = data.length === 0 ? '0 (is it detached?)' : String(data.length);
    fail('input.data', `${length} values for shape [${n}, ${channels}, ${height}, ${width}]`, got);
  }
  if (types.isSharedArrayBuffer(data.buffer)) {
    fail('input.data', 'memory of its own', 'a SharedArrayBuffer; pass a copy, such as data.slice()');
  }
  if ((data.buffer as { resizable?: boolean }).resizable) {
    fail('input.data', 'memory of fixed length', 'a resizable ArrayBuffer; pass a copy, such as data.slice()');
  }
  return { data, n, height, width };
}

/**
 * Where a run may write `length` values: `output`, or a new array. Throws ERR_OPTION naming what was expected, for
 * memory that could go away, and for memory that the input is read from at the same time.
 */
export function checkOutput(output: Float32Array | undefined, length: number, input: Float32Array): Float32Array {
  if (output === undefined) return new Float32Array(length);
  const fail = (expected: string, got: string): never => {
    throw new ShuffleNetError('ERR_OPTION', `output: expected ${expected}, got ${got}`);
  };
  if (!types.isFloat32Array(output)) {
    return fail(`a Float32Array of ${length} values`, Object.prototype.toString.call(output).slice(8, -1));
  }
  if (output.length !== length) {
    fail(`a Float32Array of ${length} values`, output.length === 0 ? '0 (is it detached?)' : String(output.length));
  }
  const { buffer, byteOffset } = output;
  if (types.isSharedArrayBuffer(buffer)) fail('memory of its own', 'a SharedArrayBuffer');
  if ((buffer as { resizable?: boolean }).resizable) fail('memory of fixed length', 'a resizable ArrayBuffer');
  if (
    buffer === input.buffer &&
    byteOffset < input.byteOffset + input.byteLength &&
    input.byteOffset < byteOffset + output.byteLength
  ) {
    fail('memory apart from the input', 'an overlap');
  }
  return output;
}

function isInteger(value: number | undefined, min: number, max: number): value is number {
  return Number.isInteger(value) && value! >= min && value! <= max;
}
