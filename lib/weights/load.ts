import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setImmediate } from 'node:timers/promises';
import { types } from 'node:util';
import { ShuffleNetError } from '../errors';
import type { Preprocess } from '../image/preprocess';
import type { NetworkOptions } from '../network/options';
import { parameters } from '../network/parameters';
import { resolveNetwork, type Network } from '../network/table';
import { describe, isObject } from './json';
import { checkNames, checkPreprocess, defaultPreprocess, readMetadata } from './metadata';
import { resolveTensors, type RawTensor } from './resolve';
import { readStored } from './formats/read';

/** Each part wins over what the file says; needed only for what the file does not say. */
export interface WeightsOptions {
  /** Field by field, also within `variant`; needed for files without `shufflenet.config`. */
  network?: NetworkOptions;
  /**
   * Field by field (`resize` and `crop` as a whole). Without it and without the file's, torchvision's: the shorter side
   * to 256 (linear), crop 224x224, RGB, scale 1/255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225].
   */
  preprocess?: Partial<Preprocess>;
  /** One for each class. */
  labels?: string[];
}

export interface Weights {
  /** The file's path, or '<bytes>'. */
  file: string;
  network: Network;
  preprocess: Preprocess;
  /** One for each class; undefined when neither file nor options have them. */
  labels: string[] | undefined;
  /** WordNet ids, one for each class. */
  synsets: string[] | undefined;
  /** Free text of the file. */
  source: string | undefined;
  license: string | undefined;
  accuracy: string | undefined;
  /**
   * Views of the file's bytes, which are nobody else's memory, by canonical name, in PyTorch order (convolution
   * [out, in/groups, kh, kw], fully connected [out, in]). Their values are not yet checked.
   */
  tensors: Record<string, RawTensor>;
}

const defaultFile = path.join(__dirname, '../../../weights/shufflenet-1x-g3-tiny-imagenet.safetensors');

/**
 * Loads weights from a safetensors file: its path, its file: URL, or its bytes, which are copied. Without `source`:
 * this package's own.
 *
 * Rejects with ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR for what is wrong with the file; ERR_OPTION or
 * ERR_NETWORK for what is wrong with the arguments.
 */
export async function loadWeights(source?: string | URL | Uint8Array, options: WeightsOptions = {}): Promise<Weights> {
  if (!isObject(options)) throw new ShuffleNetError('ERR_OPTION', `options must be an object, is ${describe(options)}`);
  if (types.isUint8Array(source)) return parseWeights(await copy(source), '<bytes>', options);
  const file = source === undefined ? defaultFile : filePath(source);
  return parseWeights(await readBytes(file, source === undefined), file, options);
}

function filePath(source: unknown): string {
  if (typeof source === 'string') return source;
  if (source instanceof URL) {
    try {
      return fileURLToPath(source);
    } catch (cause) {
      throw new ShuffleNetError('ERR_OPTION', `${source.href}: ${(cause as Error).message}`, { cause });
    }
  }
  throw new ShuffleNetError(
    'ERR_OPTION',
    `weights must be a path, a file: URL or a Uint8Array, is ${describe(source)}`,
  );
}

async function readBytes(file: string, own: boolean): Promise<Uint8Array> {
  const unreadable = (detail: string, options?: { cause: unknown }) =>
    new ShuffleNetError('ERR_FILE', `${file}: ${detail}`, options);
  let bytes: Uint8Array;
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw unreadable('is a directory, pass the .safetensors file in it');
    // A device or pipe might never end.
    if (!stats.isFile()) throw unreadable('is not a regular file, pass a .safetensors file or its bytes');
    bytes = await readFile(file);
  } catch (cause) {
    if (cause instanceof ShuffleNetError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw unreadable(`cannot be read: ${message}`, { cause });
    throw unreadable(own ? 'is missing, reinstall shufflenet-native' : 'does not exist, check the path', { cause });
  }
  if (bytes.length === 0) throw unreadable('is empty, copy or download it again');
  return bytes;
}

/**
 * The caller or another thread could change or detach the memory between a check and its use on the addon's thread, and
 * models that share packed weights would all have the change. A millisecond's worth at a time.
 */
async function copy(source: Uint8Array): Promise<Uint8Array> {
  const step = 2 ** 20;
  const { length } = source;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += step) {
    if (at > 0) await setImmediate();
    if (source.length !== length) {
      throw new ShuffleNetError('ERR_OPTION', 'weights: the bytes were detached or resized before they were read');
    }
    bytes.set(source.subarray(at, at + step), at);
  }
  return bytes;
}

async function parseWeights(bytes: Uint8Array, file: string, options: WeightsOptions): Promise<Weights> {
  const { metadata, tensors: stored } = await readStored({ bytes, file });
  // About a millisecond so far, and as much again to come.
  await setImmediate();
  const { network: config, preprocess, labels, synsets, ...texts } = readMetadata(metadata, file);

  if (!config && options.network === undefined) {
    throw new ShuffleNetError(
      'ERR_OPTION',
      `${file} has no metadata "shufflenet.config": pass the network's options, such as { network: { groups: 3 } }`,
    );
  }
  const network = resolveNetwork(mergeNetwork(config, options.network));
  const tensors = resolveTensors(stored, parameters(network), file);

  // After the tensors: when these do not fit the classes either, it is the options that are wrong, not the names.
  const perClass = (names: string[] | undefined, what: string, code: 'ERR_OPTION' | 'ERR_WEIGHTS_FORMAT') => {
    if (names && names.length !== network.classes) {
      throw new ShuffleNetError(code, `${what}: ${names.length} names for ${network.classes} classes`);
    }
    return names;
  };
  const optionError = (name: string) => (detail: string) =>
    new ShuffleNetError('ERR_OPTION', `options.${name}: ${detail}`);
  return {
    file,
    network,
    preprocess: checkPreprocess(
      merge(preprocess ?? defaultPreprocess, options.preprocess, 'preprocess'),
      optionError('preprocess'),
    ),
    labels:
      options.labels === undefined
        ? perClass(labels, `${file}: metadata "shufflenet.labels"`, 'ERR_WEIGHTS_FORMAT')
        : perClass(checkNames(options.labels, optionError('labels')), 'options.labels', 'ERR_OPTION'),
    synsets: perClass(synsets, `${file}: metadata "shufflenet.synsets"`, 'ERR_WEIGHTS_FORMAT'),
    ...texts,
    tensors,
  };
}

function mergeNetwork(file: NetworkOptions = {}, own: NetworkOptions | undefined): NetworkOptions {
  const merged = merge(file, own, 'network');
  if (file.variant && own?.variant) merged.variant = merge(file.variant, own.variant, 'network.variant');
  return merged;
}

/** `own` over `file`, field by field; undefined leaves the file's. */
function merge<T extends object>(file: T, own: Partial<T> | undefined, option: string): T {
  if (own === undefined) return file;
  if (!isObject(own)) {
    throw new ShuffleNetError('ERR_OPTION', `options.${option} must be an object, is ${describe(own)}`);
  }
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...file, ...Object.fromEntries(given) };
}
