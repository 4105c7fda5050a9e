import { ShuffleNetError } from '../errors';
import type { Preprocess, ResizeKernel } from '../image/preprocess';
import type { NetworkOptions } from '../network/options';
import { resolveNetwork } from '../network/table';
import { describe, isObject, parseJson, quote } from './json';

const resizeKernels: ResizeKernel[] = ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'];

/** For files that do not say: what PyTorch's ImageNet networks use. */
export const defaultPreprocess: Preprocess = {
  resize: { shorterSide: 256, kernel: 'linear' },
  crop: { width: 224, height: 224 },
  channelOrder: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Large enough for any classifier; a file must not make a small image fill the memory. */
const maxSide = 8192;

/** What a weights file says about itself. Absent keys are undefined. */
export interface FileMetadata {
  network: NetworkOptions | undefined;
  preprocess: Preprocess | undefined;
  labels: string[] | undefined;
  /** WordNet ids. */
  synsets: string[] | undefined;
  /** Whose conventions the network has; free text. */
  family: string | undefined;
  /** Free text. */
  source: string | undefined;
  license: string | undefined;
  accuracy: string | undefined;
  /** Of the tensors, as convertWeights() wrote them. */
  checksum: string | undefined;
}

/**
 * Reads the `shufflenet.*` keys of a file's `__metadata__`; other keys are passed over. Throws ERR_WEIGHTS_FORMAT
 * naming the key whose value is malformed.
 */
export function readMetadata(metadata: Record<string, string>, file: string): FileMetadata {
  const refuse =
    (key: string): ErrorMaker =>
    (detail, options) =>
      new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: metadata "${key}": ${detail}`, options);

  function read<T>(key: string, check: (value: unknown, error: ErrorMaker) => T): T | undefined {
    const text = metadata[key];
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = parseJson(text);
    } catch (error) {
      throw refuse(key)(`not valid JSON: ${(error as Error).message}`, { cause: error });
    }
    return check(value, refuse(key));
  }

  const version = metadata['shufflenet.version'];
  if (version !== undefined && version !== '1') {
    throw refuse('shufflenet.version')(`this release reads version 1, the file is ${quote(version)}`);
  }
  return {
    network: read('shufflenet.config', checkConfig),
    preprocess: read('shufflenet.preprocess', checkPreprocess),
    labels: read('shufflenet.labels', checkNames),
    synsets: read('shufflenet.synsets', checkNames),
    family: metadata['shufflenet.family'],
    source: metadata['shufflenet.source'],
    license: metadata['license'],
    accuracy: metadata['shufflenet.accuracy'],
    checksum: metadata['shufflenet.checksum'],
  };
}

/** What readMetadata() reads, for a file of this network. */
export function writeMetadata(
  { preprocess, labels, synsets, family, source, license, accuracy }: Omit<FileMetadata, 'network' | 'checksum'>,
  network: NetworkOptions,
): Record<string, string> {
  const texts = {
    'shufflenet.version': '1',
    'shufflenet.config': JSON.stringify(network),
    'shufflenet.preprocess': JSON.stringify(preprocess),
    'shufflenet.labels': labels && JSON.stringify(labels),
    'shufflenet.synsets': synsets && JSON.stringify(synsets),
    'shufflenet.family': family,
    'shufflenet.source': source,
    'shufflenet.accuracy': accuracy,
    license,
  };
  const present = (entry: [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
  return Object.fromEntries(Object.entries(texts).filter(present));
}

/** Makes the error that names where the value comes from. */
export type ErrorMaker = (detail: string, options?: { cause: unknown }) => ShuffleNetError;

function checkConfig(value: unknown, error: ErrorMaker): NetworkOptions {
  if (!isObject(value)) throw error(`expected an object, is ${describe(value)}`);
  try {
    resolveNetwork(value);
  } catch (cause) {
    // What is the caller's mistake elsewhere is the file's here.
    throw cause instanceof ShuffleNetError ? error(cause.message, { cause }) : cause;
  }
  return value;
}

/** An array of strings. */
export function checkNames(value: unknown, error: ErrorMaker): string[] {
  if (!Array.isArray(value)) throw error(`expected an array of strings, is ${describe(value)}`);
  const wrong = value.findIndex((name) => typeof name !== 'string');
  if (wrong >= 0) throw error(`[${wrong}] must be a string, is ${describe(value[wrong])}`);
  return [...(value as string[])];
}

/**
 * Every field present and no other: sides of 1 to 8192 pixels, the crop's at most `resize.shorterSide` so that it lies
 * inside every image; `scale` and `std` positive. Returns a copy.
 */
export function checkPreprocess(value: unknown, error: ErrorMaker): Preprocess {
  function fields(value: unknown, path: string, names: string[]): Record<string, unknown> {
    if (!isObject(value)) throw error(`${path || 'the value'} must be an object, is ${describe(value)}`);
    const prefix = path && `${path}.`;
    const missing = names.find((name) => !Object.hasOwn(value, name));
    if (missing !== undefined) throw error(`${prefix}${missing} is missing`);
    const unknown = Object.keys(value).find((name) => !names.includes(name));
    if (unknown !== undefined) throw error(`${path || 'the value'} has an unknown field ${quote(unknown)}`);
    return value;
  }
  function side(value: unknown, path: string, max: number, why = ''): number {
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max) {
      throw error(`${path} must be a whole number of pixels from 1 to ${max}${why}, is ${describe(value)}`);
    }
    return value as number;
  }
  function finite(value: unknown, path: string, positive: boolean): number {
    if (!Number.isFinite(value) || (positive && (value as number) <= 0)) {
      throw error(`${path} must be a ${positive ? 'positive' : 'finite'} number, is ${describe(value)}`);
    }
    return value as number;
  }
  function oneOf<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
    if (!choices.includes(value as T)) {
      throw error(`${path} must be one of ${choices.join(', ')}, is ${describe(value)}`);
    }
    return value as T;
  }
  function triple(value: unknown, path: string, positive: boolean): [number, number, number] {
    if (!Array.isArray(value) || value.length !== 3) {
      throw error(`${path} must be an array of 3 numbers, is ${describe(value)}`);
    }
    const at = (i: number) => finite(value[i], `${path}[${i}]`, positive);
    return [at(0), at(1), at(2)];
  }

  const all = fields(value, '', ['resize', 'crop', 'channelOrder', 'scale', 'mean', 'std']);
  const resize = fields(all['resize'], 'resize', ['shorterSide', 'kernel']);
  const crop = fields(all['crop'], 'crop', ['width', 'height']);
  const shorterSide = side(resize['shorterSide'], 'resize.shorterSide', maxSide);
  const inside = ' (resize.shorterSide)';
  return {
    resize: { shorterSide, kernel: oneOf(resize['kernel'], 'resize.kernel', resizeKernels) },
    crop: {
      width: side(crop['width'], 'crop.width', shorterSide, inside),
      height: side(crop['height'], 'crop.height', shorterSide, inside),
    },
    channelOrder: oneOf(all['channelOrder'], 'channelOrder', ['RGB', 'BGR']),
    scale: finite(all['scale'], 'scale', true),
    mean: triple(all['mean'], 'mean', false),
    std: triple(all['std'], 'std', true),
  };
}
