import { inTurns } from '../../image/turns';
import { quote } from '../json';
import type { Dtype, Source, StoredFile, StoredTensor } from '../stored';
import { crcInTurns } from './crc';
import { checkedTensor, joined, ProtobufFile } from './protobuf';
import { isEncryptedMindspore } from './protobuf-kinds';

/** Of what MindSpore writes as its words for them. */
// biome-ignore format: a table
const dtypes: Readonly<Record<string, Dtype>> = {
  Float64: 'F64', Float32: 'F32', Float16: 'F16', BFloat16: 'BF16', Int64: 'I64', Int32: 'I32', Int16: 'I16', Int8: 'I8',
  UInt64: 'U64', UInt32: 'U32', UInt16: 'U16', UInt8: 'U8', Bool: 'BOOL',
};

/** Texts that were saved along with the network, and the state of random operators. */
const noTensors = ['str', 'random_op'];

/** After all values, if MindSpore was told to check them: this and a number of ten bytes. */
const crcMark = Buffer.from('crc_num');

interface Value {
  tag: string;
  /** undefined of a hash table (MapTensorProto), which no convolution has. */
  tensor?: Tensor;
}

interface Tensor {
  dims: bigint[];
  type: string;
  content: Uint8Array;
}

/**
 * Reads a checkpoint of MindSpore (`.ckpt`). Field numbers are those of
 * https://github.com/mindspore-ai/mindspore/blob/v2.2.0/mindspore/ccsrc/utils/checkpoint.proto. Values of one name that
 * follow each other are parts of one tensor; whole ones are views of the file. Texts, hash tables and the state of random
 * operators are passed over. Checks the CRC of files that have one.
 */
export async function readMindspore({ bytes, file: name }: Source): Promise<StoredFile> {
  const file = new ProtobufFile(name);
  if (isEncryptedMindspore(bytes)) {
    throw file.malformed('an encrypted checkpoint of MindSpore, expected one that was saved without enc_key');
  }
  const found: Uint8Array[] = [];
  file.read(await withoutCrc(file, bytes), 'Checkpoint', { 1: (field) => found.push(field.bytes()) });
  const values: Value[] = [];
  await inTurns(found.length, (index) => values.push(readValue(file, found[index]!)));

  const tensors = new Map<string, StoredTensor>();
  for (let i = 0; i < values.length; ) {
    const { tag, tensor } = values[i]!;
    const parts: Uint8Array[] = [];
    for (; values[i]?.tag === tag; i++) parts.push(values[i]!.tensor?.content ?? new Uint8Array(0));
    if (!tensor || noTensors.includes(tensor.type)) continue;
    const { dims, type } = tensor;
    if (!Object.hasOwn(dtypes, type)) {
      const known = Object.keys(dtypes).join(', ');
      throw file.malformed(`tensor ${quote(tag)}: type must be one of ${known}, is ${quote(type)}`);
    }
    if (tensors.has(tag)) throw file.malformed(`the tensor ${quote(tag)} occurs twice`);
    const content = joined(file, parts);
    // Some versions write scalars so. There are no empty tensors.
    const shape = dims.length === 1 && dims[0] === 0n ? [] : dims;
    tensors.set(tag, checkedTensor(file, tag, dtypes[type]!, shape, content));
  }
  return { format: 'mindspore', tensors, metadata: Object.create(null) };
}

async function withoutCrc(file: ProtobufFile, bytes: Uint8Array): Promise<Uint8Array> {
  const trailer = Buffer.from(bytes.subarray(-crcMark.length - 10));
  if (trailer.length < crcMark.length + 10 || !trailer.subarray(0, crcMark.length).equals(crcMark)) return bytes;
  const content = bytes.subarray(0, -trailer.length);
  const expected = BigInt(`0x${trailer.toString('hex', crcMark.length)}`);
  const found = await crcInTurns('crc32', content);
  if (BigInt(found) !== expected) throw file.malformed(`its CRC is ${found}, expected ${expected}: is it damaged?`);
  return content;
}

function readValue(file: ProtobufFile, bytes: Uint8Array): Value {
  const value: Value = { tag: '' };
  let hashTable = false;
  file.read(bytes, 'Checkpoint.Value', {
    1: (field) => (value.tag = field.text()),
    2: (field) => {
      const tensor: Tensor = (value.tensor = { dims: [], type: '', content: new Uint8Array(0) });
      file.read(field.bytes(), 'TensorProto', {
        1: (field) => tensor.dims.push(...field.integers()),
        2: (field) => (tensor.type = field.text()),
        3: (field) => (tensor.content = field.bytes()),
      });
    },
    3: () => (hashTable = true),
  });
  if (value.tensor || hashTable) return value;
  throw file.malformed(`${quote(value.tag)} has no value, expected a tensor`);
}
