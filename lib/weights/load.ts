import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setImmediate } from 'node:timers/promises';
import { types } from 'node:util';
import { ShuffleNetError } from '../errors';
import type { Preprocess } from '../image/preprocess';
import type { NetworkOptions } from '../network/options';
import { parameters } from '../network/parameters';
import { resolveNetwork, type Network } from '../network/table';
import { anything, flag, type Check } from '../network/validate';
import { arrangeTensors } from './arrange';
import type { PlacedTensor, Recognised } from './families/family';
import { isSafetensors, readSafetensors } from './formats/safetensors';
import { bothNames, describe, isObject, quote } from './json';
import { imagenetNames } from './labels';
import { checkNames, checkPreprocess, defaultPreprocess, readMetadata, type FileMetadata } from './metadata';
import { resolveTensors, type RawTensor } from './resolve';
import type { Source, StoredFile } from './stored';

/** Each part wins over what the file says or its names and shapes tell. */
export interface WeightsOptions {
  /**
   * Whose layout and conventions the file has, such as 'megvii', 'pytorchcv' or 'canonical' (this package's own names).
   * Default: told by the names, shapes and graph, or the paper's network as the file's metadata describe it.
   */
  family?: string | undefined;
  /** Field by field, also within `variant`: what neither metadata nor family get right. */
  network?: NetworkOptions;
  /**
   * Field by field (`resize` and `crop` as a whole). Default: the file's, else the family's, else torchvision's: the
   * shorter side to 256 (linear), crop 224x224, RGB, scale 1/255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225].
   */
  preprocess?: Partial<Preprocess>;
  /** One for each class. Without it and without the file's, a network of 1000 classes has ImageNet's, in their order. */
  labels?: string[];
  /**
   * Whether an ONNX model's tensors may lie in other files ("external data"), of the same folder only. Default false: such a
   * model is ERR_WEIGHTS_FORMAT.
   */
  externalData?: boolean | undefined;
}

/** The others are checked along with the file. */
export const weightsChecks: Readonly<Record<keyof WeightsOptions, Check>> = {
  family: anything,
  network: anything,
  preprocess: anything,
  labels: anything,
  externalData: flag,
};

export interface Weights {
  /** The file's path, or '<bytes>'. */
  file: string;
  format: StoredFile['format'];
  /** Whose conventions the network has: a family's name, 'canonical' for the paper's and those in metadata. */
  family: string;
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
  /** Of the tensors, if convertWeights() wrote the file. */
  checksum: string | undefined;
  /**
   * By canonical name, in PyTorch order (convolution [out, in/groups, kh, kw], fully connected [out, in]); in memory that
   * is nobody else's, views of the file's bytes where these lie so. Their values are not yet checked.
   */
  tensors: Record<string, RawTensor>;
  /** The file's names of tensors, by canonical name, where they differ. */
  renamed: ReadonlyMap<string, string>;
}

const defaultFile = path.join(__dirname, '../../../weights/shufflenet-1x-g3-tiny-imagenet.safetensors');

/**
 * Loads weights from a file of any format and family that is known: its path, its file: URL, or its bytes, which are
 * copied. Without `source`: this package's own.
 *
 * Rejects with ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR for what is wrong with the file; ERR_OPTION or
 * ERR_NETWORK for what is wrong with the arguments.
 */
export async function loadWeights(source?: string | URL | Uint8Array, options: WeightsOptions = {}): Promise<Weights> {
  if (!isObject(options)) throw new ShuffleNetError('ERR_OPTION', `options must be an object, is ${describe(options)}`);
  if (types.isUint8Array(source)) return parseWeights({ bytes: await copy(source), file: '<bytes>' }, options);
  const file = source === undefined ? defaultFile : filePath(source);
  const bytes = await readBytes(file, source === undefined);
  return parseWeights({ bytes, file, sibling: (name) => readSibling(file, name) }, options);
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
    if (stats.isDirectory()) throw unreadable('is a directory, pass the weights file in it');
    // A device or pipe might never end.
    if (!stats.isFile()) throw unreadable('is not a regular file, pass a weights file or its bytes');
    bytes = await readFile(file);
  } catch (cause) {
    if (cause instanceof ShuffleNetError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw unreadable(`cannot be read: ${message}`, { cause });
    const index = `${file}.index`;
    const isPrefix = await stat(index).then(
      () => true,
      () => false,
    );
    if (isPrefix)
      throw unreadable(`is the name of a TensorFlow checkpoint, pass its ${path.basename(index)}`, { cause });
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

/** A shard of `file`. Not one elsewhere, which a file could use to have any other shown or taken for weights. */
async function readSibling(file: string, name: string): Promise<Uint8Array> {
  const beside = path.join(path.dirname(file), name);
  const refuse = (detail: string) =>
    new ShuffleNetError('ERR_FILE', `${file}: names the file ${quote(name)}, ${detail}`);
  if (name !== path.basename(name) || name.includes('\\') || /^\.*$/.test(name)) {
    throw refuse('expected a plain name in the same folder');
  }
  const [folder, real] = await Promise.all([realpath(path.dirname(file)), realpath(beside).catch(() => undefined)]);
  if (real !== undefined && path.dirname(real) !== folder) throw refuse('which is a link out of the folder');
  return readBytes(beside, false);
}

async function parseWeights(source: Source, options: WeightsOptions): Promise<Weights> {
  const { file } = source;
  const stored = await readFormat({ ...source, externalData: options.externalData });
  // About a millisecond so far, and as much again to come.
  await setImmediate();
  const { network: config, preprocess, labels, synsets, family, ...texts } = readMetadata(stored.metadata, file);
  const recognised = readFamily(stored, config, family, file, options.family);
  const network = resolve(recognised.network, options.network, file);
  const placed = resolveTensors(recognised.tensors, recognised.unplaced, parameters(network), file);
  const tensors = await arrangeTensors(placed);

  // After the tensors: when these do not fit the classes either, it is the options that are wrong, not the names.
  const perClass = (names: string[] | undefined, what: string, code: 'ERR_OPTION' | 'ERR_WEIGHTS_FORMAT') => {
    if (names && names.length !== network.classes) {
      throw new ShuffleNetError(code, `${what}: ${names.length} names for ${network.classes} classes`);
    }
    return names;
  };
  const optionError = (name: string) => (detail: string) =>
    new ShuffleNetError('ERR_OPTION', `options.${name}: ${detail}`);
  const unnamed = !labels && !synsets && options.labels === undefined;
  const names = unnamed && network.classes === 1000 ? imagenetNames() : { labels, synsets };
  return {
    file,
    format: stored.format,
    family: recognised.family,
    network,
    preprocess: checkPreprocess(
      merge(preprocess ?? recognised.preprocess ?? defaultPreprocess, options.preprocess, 'preprocess'),
      optionError('preprocess'),
    ),
    labels:
      options.labels === undefined
        ? perClass(names.labels, `${file}: metadata "shufflenet.labels"`, 'ERR_WEIGHTS_FORMAT')
        : perClass(checkNames(options.labels, optionError('labels')), 'options.labels', 'ERR_OPTION'),
    synsets: perClass(names.synsets, `${file}: metadata "shufflenet.synsets"`, 'ERR_WEIGHTS_FORMAT'),
    ...texts,
    license: texts.license ?? recognised.license,
    tensors,
    renamed: new Map([...placed].flatMap(([name, { from }]) => (from === name ? [] : [[name, from]]))),
  };
}

/** The other readers, and the libraries that some need, are loaded for those who have such files. */
async function readFormat(source: Source): Promise<StoredFile> {
  const { bytes, file } = source;
  if (isSafetensors(bytes)) return { format: 'safetensors', ...readSafetensors(bytes, file) };
  return (require('./formats/read') as typeof import('./formats/read')).readStored(source);
}

/** Files that say all themselves, such as this package's own, need no other family, nor the time to load them. */
function readFamily(
  stored: StoredFile,
  config: NetworkOptions | undefined,
  family: FileMetadata['family'],
  file: string,
  wanted: string | undefined,
): Recognised & { family: string; license?: string | undefined } {
  if (config && stored.format === 'safetensors' && (wanted === undefined || wanted === 'canonical')) {
    const tensors = new Map<string, PlacedTensor>();
    for (const [name, tensor] of stored.tensors) {
      if (!/(^|\.)num_batches_tracked$/.test(name))
        tensors.set(name, { from: name, shape: tensor.shape, parts: [tensor] });
    }
    return { family: family ?? 'canonical', network: config, tensors, unplaced: new Map() };
  }
  const { recognise } = require('./families/recognise') as typeof import('./families/recognise');
  const { family: found, ...recognised } = recognise(stored, file, wanted);
  const license = found.license && `code: ${found.license}; weights: as their publisher says`;
  return { ...recognised, family: found.name, license };
}

/** An error about a value of a tensor, of what knows canonical names only, with the file and its own name. */
export function withFileNames(error: unknown, { file, renamed }: Weights): unknown {
  if (!(error instanceof ShuffleNetError && error.code.startsWith('ERR_WEIGHTS'))) return error;
  const message = error.message.replace(/tensor '([^']+)'/, (text, name: string) => {
    const from = renamed.get(name);
    return from === undefined ? text : `tensor ${bothNames(name, from)}`;
  });
  const cause = error.cause === undefined ? undefined : { cause: error.cause };
  return new ShuffleNetError(error.code, `${file}: ${message}`, cause);
}

function resolve(file: NetworkOptions, own: NetworkOptions | undefined, name: string): Network {
  if (own !== undefined) return resolveNetwork(mergeNetwork(file, own));
  try {
    return resolveNetwork(file);
  } catch (cause) {
    if (!(cause instanceof ShuffleNetError)) throw cause;
    throw new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${name}: its shapes make no network: ${cause.message}`, { cause });
  }
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
