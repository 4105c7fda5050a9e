import path from 'node:path';
import { ShuffleNetError } from '../errors';
import { inTurns } from '../image/turns';
import { parameters } from '../network/parameters';
import { networkOptions } from '../network/table';
import { anything, check, checkFields, oneOf, type Check } from '../network/validate';
import { writeSafetensors } from './formats/safetensors';
import { quote } from './json';
import { loadWeights, withFileNames, type Weights, weightsChecks, type WeightsOptions } from './load';
import { checkNames, writeMetadata } from './metadata';
import type { RawTensor } from './resolve';
import type { StoredTensor } from './stored';
import { encodeValues, floatValues } from './values';

/** Of convertWeights(). */
export interface ConvertOptions extends WeightsOptions {
  /**
   * Of convolution and classifier weights, each rounded to the nearest, ties to even; biases and batch norms are float32
   * then. Default: as the file has them, float64 as float32.
   */
  dtype?: 'f32' | 'f16' | 'bf16';
  /** WordNet ids, one for each class. Default: the file's. */
  synsets?: string[];
}

const optionChecks: Readonly<Record<keyof ConvertOptions, Check>> = {
  dtype: oneOf('f32', 'f16', 'bf16'),
  synsets: anything,
  ...weightsChecks,
};

/**
 * Weights of any format and family as a safetensors file of this package: canonical names, and metadata that say what
 * the network is, how to prepare images, what the classes are, and where it all comes from. The same for the same file
 * and options. Without `dtype` the logits are bit for bit those of the file itself.
 *
 * @param weights What ShuffleNet.load() takes. Default: the package's own.
 * @returns The bytes of a .safetensors file.
 * @throws ShuffleNetError (rejects) ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR, ERR_WEIGHTS_VALUE for the file,
 * the last also for a weight that `dtype` cannot hold; ERR_OPTION, ERR_NETWORK for the arguments.
 */
export async function convertWeights(
  weights?: string | URL | Uint8Array,
  options: ConvertOptions = {},
): Promise<Uint8Array> {
  checkFields('options', '', options, optionChecks);
  const { dtype, synsets, ...weightsOptions } = options;
  if (dtype !== undefined) check('dtype', dtype, optionChecks.dtype);
  const loaded = await loadWeights(weights, weightsOptions);
  const tensors = await convertTensors(loaded, dtype).catch((error: unknown) => {
    throw withFileNames(error, loaded);
  });
  const source = `${path.basename(loaded.file)} (${loaded.format}, ${loaded.family})`;
  const metadata = writeMetadata(
    {
      ...loaded,
      synsets: synsets === undefined ? loaded.synsets : ownSynsets(synsets, loaded),
      source: loaded.source ?? source,
    },
    networkOptions(loaded.network),
  );
  const bytes = writeSafetensors(tensors, metadata);
  return writeSafetensors(tensors, { ...metadata, 'shufflenet.checksum': checksum(bytes) });
}

/** Throws ERR_WEIGHTS_VALUE unless the tensors of a file are those that convertWeights() wrote, where it did. */
export function checkChecksum(bytes: Uint8Array, { file, format, checksum: expected }: Weights): void {
  if (format !== 'safetensors' || expected === undefined) return;
  const found = checksum(bytes);
  if (found === expected) return;
  throw new ShuffleNetError(
    'ERR_WEIGHTS_VALUE',
    `${file}: the tensors are not those that were written: checksum ${found}, expected ${quote(expected)}`,
  );
}

/** Of the tensors of a safetensors file, whatever its header says. */
function checksum(file: Uint8Array): string {
  // Takes milliseconds to load.
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const header = Number(Buffer.from(file.buffer, file.byteOffset, 8).readBigUInt64LE());
  return `sha256:${createHash('sha256')
    .update(file.subarray(8 + header))
    .digest('hex')}`;
}

function ownSynsets(synsets: string[], { network }: Weights): string[] {
  const error = (detail: string) => new ShuffleNetError('ERR_OPTION', `options.synsets: ${detail}`);
  const names = checkNames(synsets, error);
  if (names.length !== network.classes) throw error(`${names.length} names for ${network.classes} classes`);
  return names;
}

async function convertTensors(loaded: Weights, wanted: ConvertOptions['dtype']): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  const entries = [...parameters(loaded.network)];
  await inTurns(entries.length, (index) => {
    const [name, { shape, kind }] = entries[index]!;
    const raw = loaded.tensors[name]!;
    const rounded = wanted === undefined || kind !== 'weight' ? 'F32' : (wanted.toUpperCase() as RawTensor['dtype']);
    const dtype = wanted === undefined ? raw.dtype : rounded;
    // Also where nothing is to be rounded: what is not finite would be found out only by those who load it.
    const values = floatValues(raw, name);
    const bytes = dtype === raw.dtype ? raw.bytes : encodeValues(values, dtype, name);
    tensors.set(name, { dtype, shape, bytes });
  });
  return tensors;
}
