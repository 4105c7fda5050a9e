import path from 'node:path';
import { quote } from '../json';
import type { Dtype, Source, StoredFile, StoredTensor } from '../stored';
import { crcInTurns } from './crc';
import { checkedTensor, ProtobufFile } from './protobuf';
import { readTable, unmasked } from './sstable';

/** By number, of https://github.com/tensorflow/tensorflow/blob/v2.15.0/tensorflow/core/framework/types.proto */
// biome-ignore format: a table
const dtypes: Readonly<Partial<Record<number, Dtype>>> = {
  1: 'F32', 2: 'F64', 3: 'I32', 4: 'U8', 5: 'I16', 6: 'I8', 8: 'C64', 9: 'I64', 10: 'BOOL', 14: 'BF16', 17: 'U16', 19: 'F16',
  22: 'U32', 23: 'U64',
};

/** Texts, resources and objects of any kind. */
const noTensors = [7, 20, 21];

interface Entry {
  name: string;
  dtype: number;
  shape: bigint[];
  shard: number;
  offset: number;
  size: number;
  crc: number;
}

/**
 * Reads a TensorFlow checkpoint, of which the file is the index (`model.ckpt-1.index`): the tensors lie in shards beside
 * it (`model.ckpt-1.data-00000-of-00001`), of which they are views. Field numbers are those of
 * https://github.com/tensorflow/tensorflow/blob/v2.15.0/tensorflow/core/protobuf/tensor_bundle.proto. Texts are passed
 * over. Checks all CRCs. Rejects with ERR_FILE for shards.
 */
export async function readTensorflow({ bytes, file: name, sibling }: Source): Promise<StoredFile> {
  const file = new ProtobufFile(name);
  if (!sibling) throw file.malformed('was given as bytes, but its weights are in other files: pass its path');
  if (!name.endsWith('.index')) throw file.malformed('an index, whose data lie beside X.index: expected such a name');
  const [header, ...rest] = readTable(bytes, file);
  if (header?.key !== '') throw file.malformed('an index without a header, expected a TensorFlow checkpoint');
  const shards = readHeader(file, header.value);
  const entries = rest.map(({ key, value }) => readEntry(file, Buffer.from(key, 'latin1').toString(), value));
  const byShard = new Map<number, Entry[]>();
  for (const entry of entries) {
    if (noTensors.includes(entry.dtype)) continue;
    if (!(entry.shard >= 0 && entry.shard < shards)) {
      throw file.malformed(`tensor ${quote(entry.name)} lies in shard ${entry.shard} of ${shards}`);
    }
    if (!byShard.has(entry.shard)) byShard.set(entry.shard, []);
    byShard.get(entry.shard)!.push(entry);
  }

  const tensors = new Map<string, StoredTensor>();
  const number = (value: number) => String(value).padStart(5, '0');
  for (const [shard, own] of byShard) {
    const dataName = `${path.basename(name, '.index')}.data-${number(shard)}-of-${number(shards)}`;
    await readShard(file, dataName, await sibling(dataName), own, tensors);
  }
  return { format: 'tensorflow', tensors, metadata: Object.create(null) };
}

/** How many shards there are. */
function readHeader(file: ProtobufFile, bytes: Uint8Array): number {
  let [shards, endianness, minConsumer] = [0, 0, 0];
  file.read(bytes, 'BundleHeaderProto', {
    1: (field) => (shards = field.integer()),
    2: (field) => (endianness = field.integer()),
    3: (field) => file.read(field.bytes(), 'VersionDef', { 2: (field) => (minConsumer = field.integer()) }),
  });
  if (endianness !== 0) throw file.malformed('was written by a big-endian machine, expected a little-endian one');
  if (minConsumer > 1) throw file.malformed(`needs version ${minConsumer} of TensorFlow's checkpoints, expected 1`);
  return shards;
}

function readEntry(file: ProtobufFile, name: string, bytes: Uint8Array): Entry {
  const entry: Entry = { name, dtype: 0, shape: [], shard: 0, offset: 0, size: 0, crc: 0 };
  file.read(bytes, 'BundleEntryProto', {
    1: (field) => (entry.dtype = field.integer()),
    2: (field) =>
      file.read(field.bytes(), 'TensorShapeProto', {
        2: (field) => {
          let side = 0n;
          file.read(field.bytes(), 'Dim', { 1: (field) => (side = field.integers().at(-1) ?? 0n) });
          entry.shape.push(side);
        },
      }),
    3: (field) => (entry.shard = field.integer()),
    4: (field) => (entry.offset = field.integer()),
    5: (field) => (entry.size = field.integer()),
    6: (field) => (entry.crc = unmasked(field.fixed32())),
    7: () => {
      throw file.malformed(`tensor ${quote(name)} is partitioned into slices, expected whole variables`);
    },
  });
  return entry;
}

/** Adds the tensors of a shard, which lie side by side in any order. */
async function readShard(
  file: ProtobufFile,
  dataName: string,
  data: Uint8Array,
  entries: Entry[],
  tensors: Map<string, StoredTensor>,
): Promise<void> {
  entries.sort((a, b) => a.offset - b.offset || a.size - b.size);
  let end = 0;
  for (const { name, dtype, shape, offset, size, crc } of entries) {
    const words = `tensor ${quote(name)}`;
    const place = `${size} bytes at byte ${offset} of ${quote(dataName)}`;
    if (offset < 0 || size < 0 || offset + size > data.length) {
      throw file.malformed(`${words} is ${place}, which has ${data.length}: is it truncated?`);
    }
    // Each byte is looked at once, whatever the index says.
    if (offset < end) throw file.malformed(`${words}, ${place}, overlaps the one before it`);
    end = offset + size;
    const type = dtypes[dtype];
    if (!type) throw file.malformed(`${words} has data type ${dtype} of TensorFlow, which weights do not have`);
    if (tensors.has(name)) throw file.malformed(`the ${words} occurs twice`);
    const tensor = checkedTensor(file, name, type, shape, data.subarray(offset, end));
    const found = await crcInTurns('crc32c', tensor.bytes);
    if (found !== crc) throw file.malformed(`${words}, ${place}, has CRC ${found}, expected ${crc}: is it damaged?`);
    tensors.set(name, tensor);
  }
}
