import { BinaryReader } from '@bufbuild/protobuf/wire';
import { inTurns } from '../../image/turns';
import { quote } from '../json';
import type { Dtype, Source, StoredFile, StoredInput, StoredOperator, StoredTensor } from '../stored';
import { checkedTensor, joined, ProtobufFile } from './protobuf';

/** TensorProto.DataType. */
const dtypes: Readonly<Record<number, Dtype>> = {
  1: 'F32',
  2: 'U8',
  3: 'I8',
  4: 'U16',
  5: 'I16',
  6: 'I32',
  7: 'I64',
  9: 'BOOL',
  10: 'F16',
  11: 'F64',
  12: 'U32',
  13: 'U64',
  16: 'BF16',
};

/** Bytes of another file: TensorProto.external_data. */
interface Place {
  words: string;
  location: string;
  offset: number;
  /** undefined: all that follow. */
  length: number | undefined;
}

/** Labels of a thousand classes are some 20 kB. */
const maxMetadata = 16 * 2 ** 20;

/**
 * Reads an ONNX model: its initialisers and constants, its graph and its `metadata_props`. Field numbers are those of
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Tensors are views of the file's bytes wherever these lie so.
 * Subgraphs are not read. Files beside the model are if `externalData` is set, for initialisers that lie there.
 */
export async function readOnnx(source: Source): Promise<StoredFile> {
  const { bytes } = source;
  const file = new ProtobufFile(source.file);
  const metadata: Record<string, string> = Object.create(null);
  const graphs: Uint8Array[] = [];
  file.read(bytes, 'ModelProto', {
    7: (field) => graphs.push(field.bytes()),
    14: (field) => {
      let [key, value] = ['', ''];
      file.read(field.bytes(), 'metadata_props', {
        1: (text) => (key = text.text()),
        2: (text) => (value = text.text(maxMetadata)),
      });
      metadata[key] = value;
    },
  });
  if (graphs.length !== 1) throw file.malformed(`an ONNX model has one graph, this file has ${graphs.length}`);

  const found = new Map<string, StoredTensor | (() => Promise<StoredTensor>)>();
  const external = siblings(file, source);
  const operators: StoredOperator[] = [];
  const declared: StoredInput[] = [];
  const outputs: string[] = [];
  const parts: (() => void)[] = [];
  const nodes: Uint8Array[] = [];
  file.read(graphs[0]!, 'GraphProto', {
    1: (field) => nodes.push(field.bytes()),
    5: (field) => {
      const initialiser = field.bytes();
      parts.push(() => {
        const { name, values, tensor } = readTensor(file, initialiser);
        if (found.has(name)) throw file.malformed(`two initialisers are called ${quote(name)}`);
        found.set(name, values instanceof Uint8Array ? tensor(values) : () => external(values).then(tensor));
      });
    },
    11: (field) => declared.push(readValueInfo(file, field.bytes())),
    12: (field) => outputs.push(readValueInfo(file, field.bytes()).name),
    15: () => {
      throw file.malformed('sparse initialisers are not supported');
    },
  });
  for (const node of nodes) parts.push(() => operators.push(readNode(file, node)));
  await inTurns(parts.length, (index) => parts[index]!());
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of found) tensors.set(name, typeof tensor === 'function' ? await tensor() : tensor);

  // Files of IR version 3 and before declare initialisers as inputs, too.
  const inputs = declared.filter((input) => !tensors.has(input.name));
  checkOrder(file, operators, [...inputs.map((input) => input.name), ...tensors.keys()]);
  return { format: 'onnx', tensors, metadata, graph: { vocabulary: 'onnx', operators, inputs, outputs } };
}

function readNode(file: ProtobufFile, bytes: Uint8Array): StoredOperator {
  const attributes = new Map<string, number | string | number[] | StoredTensor>();
  const operator = { type: '', name: '', inputs: [] as string[], outputs: [] as string[], attributes };
  let domain = '';
  file.read(bytes, 'NodeProto', {
    1: (field) => operator.inputs.push(field.text()),
    2: (field) => operator.outputs.push(field.text()),
    3: (field) => (operator.name = field.text()),
    4: (field) => (operator.type = field.text()),
    5: (field) => {
      const [key, value] = readAttribute(file, field.bytes());
      if (value !== undefined) attributes.set(key, value);
    },
    7: (field) => (domain = field.text()),
  });
  if (domain !== '' && domain !== 'ai.onnx') operator.type = `${domain}::${operator.type}`;
  return operator;
}

/** Value undefined for graphs and lists of tensors or texts, which no network of convolutions needs. */
function readAttribute(
  file: ProtobufFile,
  bytes: Uint8Array,
): [string, number | string | number[] | StoredTensor | undefined] {
  let name = '';
  let value: number | string | StoredTensor | undefined;
  const list: number[] = [];
  let [isList, type] = [false, 0];
  file.read(bytes, 'AttributeProto', {
    1: (field) => (name = field.text()),
    2: (field) => (value = field.float()),
    3: (field) => (value = field.integer()),
    4: (field) => (value = field.text()),
    5: (field) => {
      const { values, tensor, words } = readTensor(file, field.bytes());
      if (!(values instanceof Uint8Array)) throw file.malformed(`${words} is a constant in another file`);
      value = tensor(values);
    },
    7: (field) => {
      isList = true;
      const block = field.block();
      file.count(block.length / 4);
      const view = new DataView(block.buffer, block.byteOffset, block.length);
      for (let at = 0; at + 4 <= block.length; at += 4) list.push(view.getFloat32(at, true));
    },
    8: (field) => {
      isList = true;
      for (const item of field.integers()) list.push(Number(item));
    },
    20: (field) => (type = field.integer()),
  });
  // FLOATS and INTS: an empty list has no field of its own.
  if (isList || type === 6 || type === 7) return [name, list];
  return [name, value];
}

function readValueInfo(file: ProtobufFile, bytes: Uint8Array): StoredInput {
  let name = '';
  let shape: (number | undefined)[] | undefined;
  const dimension = (part: Uint8Array): number | undefined => {
    let side: number | undefined;
    file.read(part, 'Dimension', { 1: (field) => (side = field.integer()) });
    // 0 and -1 are what some writers put for any length.
    return side !== undefined && Number.isSafeInteger(side) && side > 0 ? side : undefined;
  };
  file.read(bytes, 'ValueInfoProto', {
    1: (field) => (name = field.text()),
    2: (type) =>
      file.read(type.bytes(), 'TypeProto', {
        1: (tensor) =>
          file.read(tensor.bytes(), 'TypeProto.Tensor', {
            2: (dims) => {
              const sides: (number | undefined)[] = [];
              file.read(dims.bytes(), 'TensorShapeProto', { 1: (dim) => sides.push(dimension(dim.bytes())) });
              shape = sides;
            },
          }),
      }),
  });
  return shape ? { name, shape } : { name };
}

/** A tensor whose values are in the file, or are to be had elsewhere: `tensor()` makes it of them. */
function readTensor(
  file: ProtobufFile,
  bytes: Uint8Array,
): { name: string; words: string; values: Uint8Array | Place; tensor: (values: Uint8Array) => StoredTensor } {
  let [name, type, isExternal] = ['', 0, false];
  const sides: bigint[] = [];
  let raw: Uint8Array | undefined;
  const floats: Uint8Array[] = [];
  const doubles: Uint8Array[] = [];
  const packed: Uint8Array[] = [];
  const longs: bigint[] = [];
  const place = new Map<string, string>();
  file.read(bytes, 'TensorProto', {
    1: (field) => field.integers().forEach((side) => sides.push(side)),
    2: (field) => (type = field.integer()),
    4: (field) => floats.push(field.block()),
    5: (field) => packed.push(field.bytes()),
    7: (field) => field.integers().forEach((value) => longs.push(value)),
    8: (field) => (name = field.text()),
    9: (field) => (raw = field.bytes()),
    10: (field) => doubles.push(field.block()),
    13: (field) => {
      isExternal = true;
      let [key, value] = ['', ''];
      file.read(field.bytes(), 'external_data', {
        1: (text) => (key = text.text()),
        2: (text) => (value = text.text()),
      });
      place.set(key, value);
    },
    // TensorProto.DataLocation.EXTERNAL.
    14: (field) => (isExternal ||= field.integer() === 1),
  });
  const words = `tensor ${quote(name)}`;
  const dtype = dtypes[type];
  if (!dtype) throw file.malformed(`${words} has data type ${type} of ONNX, which weights do not have`);
  const values = (): Uint8Array | Place => {
    if (isExternal) return readPlace(file, place, words);
    if (raw) return raw;
    if (dtype === 'F32') return joined(file, floats);
    if (dtype === 'F64') return joined(file, doubles);
    if (dtype === 'I64') return longBytes(file, longs);
    return packedBytes(file, joined(file, packed), dtype, words);
  };
  return { name, words, values: values(), tensor: (values) => checkedTensor(file, name, dtype, sides, values) };
}

function readPlace(file: ProtobufFile, place: ReadonlyMap<string, string>, words: string): Place {
  const [location, offset = '0', length] = ['location', 'offset', 'length'].map((key) => place.get(key));
  const number = (text: string) => {
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw file.malformed(`${words}: ${quote(text)} is no place of external data`);
  };
  if (location === undefined) throw file.malformed(`${words} is external data of no file`);
  return { words, location, offset: number(offset), length: length === undefined ? undefined : number(length) };
}

/** What gives the bytes of places. Each file is read once, and the tensors are views of it. */
function siblings(file: ProtobufFile, { externalData, sibling }: Source): (place: Place) => Promise<Uint8Array> {
  const read = new Map<string, Uint8Array>();
  return async ({ words, location, offset, length }) => {
    if (!externalData) {
      throw file.malformed(
        `${words} is in another file (external data), ${quote(location)}, which is not opened unasked: set the option ` +
          'externalData (shufflenet convert --external-data) or save the model as one file',
      );
    }
    if (!sibling) throw file.malformed(`was given as bytes, but ${words} is in ${quote(location)}: pass its path`);
    const bytes = read.get(location) ?? (await sibling(location));
    read.set(location, bytes);
    const end = length === undefined ? bytes.length : offset + length;
    if (!(offset <= end && end <= bytes.length)) {
      throw file.malformed(
        `${words}: bytes ${offset} to ${end} of ${quote(location)}, which has ${bytes.length}: is it truncated?`,
      );
    }
    return bytes.subarray(offset, end);
  };
}

function longBytes(file: ProtobufFile, values: bigint[]): Uint8Array {
  const bytes = file.allocate(8 * values.length);
  new BigInt64Array(bytes.buffer).set(values);
  return bytes;
}

/** The values of `int32_data`, which holds every type of up to 32 bits: floats of 16 bits as their bits. */
function packedBytes(file: ProtobufFile, block: Uint8Array, dtype: Dtype, words: string): Uint8Array {
  const makers: Partial<Record<Dtype, (length: number) => Uint8Array | Uint16Array | Int32Array>> = {
    F16: (length) => new Uint16Array(file.allocate(2 * length).buffer),
    BF16: (length) => new Uint16Array(file.allocate(2 * length).buffer),
    I32: (length) => new Int32Array(file.allocate(4 * length).buffer),
    U8: (length) => file.allocate(length),
    I8: (length) => file.allocate(length),
    BOOL: (length) => file.allocate(length),
  };
  const make = makers[dtype];
  if (!make) throw file.malformed(`${words} is ${dtype} and not stored as raw data`);
  // The last byte of a varint, and only that, is below 128.
  let count = 0;
  for (const byte of block) count += byte < 0x80 ? 1 : 0;
  const values = make(count);
  const reader = new BinaryReader(block);
  try {
    for (let i = 0; i < count; i++) values[i] = reader.int32();
  } catch (cause) {
    throw file.malformed(`${words}: ${(cause as Error).message}`, { cause });
  }
  if (reader.pos !== block.length) throw file.malformed(`${words}: the last value is cut off`);
  return new Uint8Array(values.buffer);
}

/** Every value is made once, before it is used: so there is no cycle. */
function checkOrder(file: ProtobufFile, operators: readonly StoredOperator[], given: readonly string[]): void {
  const known = new Set(given);
  for (const { name, type, inputs, outputs } of operators) {
    const words = `node ${quote(name || (outputs[0] ?? ''))} (${quote(type)})`;
    for (const input of inputs) {
      if (input !== '' && !known.has(input))
        throw file.malformed(`${words} uses ${quote(input)}, which nothing before it makes`);
    }
    for (const output of outputs) {
      if (output === '') continue;
      if (known.has(output)) throw file.malformed(`${words} makes ${quote(output)}, which is there already`);
      known.add(output);
    }
  }
}
