import { isUtf8 } from 'node:buffer';
import { ShuffleNetError } from '../../errors';
import { inTurns } from '../../image/turns';
import { describe, formatShape, isObject, parseJson, quote } from '../json';
import { dtypeBits, type Dtype, type Source, type StoredFile, type StoredTensor } from '../stored';

/** Parsing more would block the event loop for long; those of ShuffleNet have less than one. */
const maxLength = 16 * 2 ** 20;

/** Layers within models within graphs. */
const maxDepth = 64;

const dtypes: Readonly<Record<string, Dtype>> = {
  float32: 'F32',
  float16: 'F16',
  int32: 'I32',
  uint8: 'U8',
  uint16: 'U16',
  bool: 'BOOL',
  complex64: 'C64',
};

interface Weight {
  name: string;
  shape: number[];
  /** As it lies in the shards. */
  stored: Dtype;
  length: number;
  /** Stored value q means q * scale + min. */
  quantization?: { scale: number; min: number; whole: boolean };
}

/**
 * Reads TensorFlow.js' model.json and the shards that it names, which lie beside it: of layers and graph models, also
 * quantised ones. A tensor of 8 or 16 bits becomes F32. Rejects with ERR_WEIGHTS_FORMAT for anything that is not as the
 * manifest says, and with ERR_FILE for shards.
 */
export async function readTfjs({ bytes, file, sibling }: Source): Promise<StoredFile> {
  const malformed = (detail: string, options?: { cause: unknown }) =>
    new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`, options);
  if (bytes.length > maxLength) throw malformed(`${bytes.length} bytes of JSON, expected at most ${maxLength}`);
  if (!isUtf8(bytes)) throw malformed('is not valid UTF-8');
  let root: unknown;
  try {
    root = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(), maxDepth);
  } catch (cause) {
    throw malformed(`is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  const manifest = isObject(root) ? root['weightsManifest'] : undefined;
  if (!isObject(root) || !Array.isArray(manifest)) {
    throw malformed(`expected TensorFlow.js' "weightsManifest", an array, is ${describe(manifest)}`);
  }

  const tensors = new Map<string, StoredTensor>();
  const shards = new Set<string>();
  for (const [index, group] of manifest.entries()) {
    const at = `weightsManifest[${index}]`;
    const { paths, weights: entries }: Record<string, unknown> = isObject(group) ? group : {};
    if (!Array.isArray(paths) || !Array.isArray(entries)) throw malformed(`${at}: expected "paths" and "weights"`);
    const weights = entries.map((entry) => toWeight(entry, at, malformed));
    const expected = weights.reduce((sum, { length }) => sum + length, 0);
    const data: Uint8Array[] = [];
    let found = 0;
    for (const name of paths) {
      if (typeof name !== 'string') throw malformed(`${at}: paths must be strings, one is ${describe(name)}`);
      if (shards.has(name)) throw malformed(`${at}: the shard ${quote(name)} is named twice`);
      shards.add(name);
      if (!sibling) throw malformed('was given as bytes, but its weights are in other files: pass its path');
      const shard = await sibling(name);
      data.push(shard);
      found += shard.length;
      if (found > expected) break;
    }
    if (found !== expected) {
      const more = found > expected ? ' or more' : '';
      throw malformed(`${at}: its weights take ${expected} bytes, its ${paths.length} shards have ${found}${more}`);
    }
    const take = reader(data);
    for (const { name, shape, stored, length, quantization } of weights) {
      if (tensors.has(name)) throw malformed(`the tensor ${quote(name)} occurs twice`);
      const bytes = take(length);
      const tensor: StoredTensor = { dtype: stored, shape, bytes };
      tensors.set(name, quantization ? await dequantized(tensor, quantization) : tensor);
    }
  }
  return { format: 'tfjs', tensors, metadata: texts(root) };
}

function toWeight(entry: unknown, at: string, malformed: (detail: string) => ShuffleNetError): Weight {
  if (!isObject(entry)) throw malformed(`${at}: a weight must be an object, is ${describe(entry)}`);
  const { name, shape, dtype, quantization } = entry;
  if (typeof name !== 'string') throw malformed(`${at}: the name of a weight must be a string, is ${describe(name)}`);
  const tensor = `tensor ${quote(name)}`;
  if (!Array.isArray(shape) || !shape.every((n): n is number => Number.isSafeInteger(n) && n >= 0)) {
    throw malformed(`${tensor}: shape must be an array of non-negative integers up to 2^53 - 1`);
  }
  const known = (value: unknown, where: string): Dtype => {
    if (typeof value === 'string' && Object.hasOwn(dtypes, value)) return dtypes[value]!;
    throw malformed(`${tensor}: ${where} must be one of ${Object.keys(dtypes).join(', ')}, is ${describe(value)}`);
  };
  const original = known(dtype, 'dtype');
  if (quantization !== undefined && !isObject(quantization)) {
    throw malformed(`${tensor}: quantization must be an object, is ${describe(quantization)}`);
  }
  const stored = quantization ? known(quantization['dtype'], 'quantization.dtype') : original;
  const elements = shape.reduce((product, n) => product * n, 1);
  const length = (elements * dtypeBits[stored]) / 8;
  if (!Number.isSafeInteger(length)) throw malformed(`${tensor}: ${formatShape(shape)} takes more than 2^53 bytes`);
  const weight = { name, shape, stored, length };
  // Halves are what they say.
  if (!quantization || stored === 'F16') return weight;
  const { scale, min } = quantization;
  if ((stored !== 'U8' && stored !== 'U16') || (original !== 'F32' && original !== 'I32')) {
    throw malformed(`${tensor}: expected float32 or int32 quantised to uint8, uint16 or float16`);
  }
  if (typeof scale !== 'number' || typeof min !== 'number' || !Number.isFinite(scale) || !Number.isFinite(min)) {
    throw malformed(
      `${tensor}: quantization needs numbers as scale and min, has ${describe(scale)} and ${describe(min)}`,
    );
  }
  return { ...weight, quantization: { scale, min, whole: original === 'I32' } };
}

/** Takes bytes from arrays in their order: a view where it can, a copy of what lies in several. */
function reader(data: Uint8Array[]): (length: number) => Uint8Array {
  let index = 0;
  let at = 0;
  return (length) => {
    while (index < data.length - 1 && at === data[index]!.length) {
      index++;
      at = 0;
    }
    const first = data[index]?.subarray(at, at + length) ?? new Uint8Array(0);
    at += first.length;
    if (first.length === length) return first;
    const bytes = new Uint8Array(length);
    bytes.set(first);
    for (let done = first.length; done < length; ) {
      index++;
      const part = data[index]!.subarray(0, length - done);
      bytes.set(part, done);
      done += part.length;
      at = part.length;
    }
    return bytes;
  };
}

async function dequantized(
  { dtype, shape, bytes }: StoredTensor,
  { scale, min, whole }: { scale: number; min: number; whole: boolean },
): Promise<StoredTensor> {
  const size = dtypeBits[dtype] / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length / size;
  const values = whole ? new Int32Array(length) : new Float32Array(length);
  const step = 2 ** 16;
  await inTurns(Math.ceil(length / step), (turn) => {
    const end = Math.min(length, (turn + 1) * step);
    for (let i = turn * step; i < end; i++) {
      const value = (size === 1 ? view.getUint8(i) : view.getUint16(2 * i, true)) * scale + min;
      values[i] = whole ? Math.round(value) : value;
    }
  });
  return { dtype: whole ? 'I32' : 'F32', shape, bytes: new Uint8Array(values.buffer) };
}

/** What the file says of itself; the layers of a model as Keras' own files have them. */
function texts(root: Record<string, unknown>): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const name of ['format', 'generatedBy', 'convertedBy']) {
    const value = root[name];
    if (typeof value === 'string') metadata[name] = value;
  }
  const topology = root['modelTopology'];
  if (isObject(topology) && root['format'] !== 'graph-model') {
    metadata['model_config'] = JSON.stringify(topology['model_config'] ?? topology);
  }
  return metadata;
}
