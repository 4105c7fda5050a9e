import { inTurns } from '../../image/turns';
import { quote } from '../json';
import type { Source, StoredFile, StoredGraph, StoredInput, StoredOperator, StoredTensor } from '../stored';
import { checkedTensor, joined, ProtobufFile, type Field } from './protobuf';

type Attributes = Map<string, number | string | number[]>;

type Kind = 'integer' | 'integers' | 'float' | 'floats' | 'text';

/** Messages of a layer that say how it computes, by their field number in LayerParameter; then their own fields. */
const parameterFields: Readonly<Record<number, Readonly<Record<number, readonly [name: string, kind: Kind]>>>> = {
  // TransformationParameter
  100: {
    1: ['scale', 'float'],
    3: ['crop_size', 'integer'],
    5: ['mean_value', 'floats'],
  },
  // ConcatParameter
  104: { 1: ['concat_dim', 'integer'], 2: ['axis', 'integer'] },
  // ConvolutionParameter
  106: {
    1: ['num_output', 'integer'],
    2: ['bias_term', 'integer'],
    3: ['pad', 'integers'],
    4: ['kernel_size', 'integers'],
    5: ['group', 'integer'],
    6: ['stride', 'integers'],
    9: ['pad_h', 'integer'],
    10: ['pad_w', 'integer'],
    11: ['kernel_h', 'integer'],
    12: ['kernel_w', 'integer'],
    13: ['stride_h', 'integer'],
    14: ['stride_w', 'integer'],
    16: ['axis', 'integer'],
    18: ['dilation', 'integers'],
  },
  // EltwiseParameter
  110: { 1: ['operation', 'integer'], 2: ['coeff', 'floats'] },
  // InnerProductParameter
  117: {
    1: ['num_output', 'integer'],
    2: ['bias_term', 'integer'],
    5: ['axis', 'integer'],
    6: ['transpose', 'integer'],
  },
  // PoolingParameter
  121: {
    1: ['pool', 'integer'],
    2: ['kernel_size', 'integers'],
    3: ['stride', 'integers'],
    4: ['pad', 'integers'],
    5: ['kernel_h', 'integer'],
    6: ['kernel_w', 'integer'],
    7: ['stride_h', 'integer'],
    8: ['stride_w', 'integer'],
    9: ['pad_h', 'integer'],
    10: ['pad_w', 'integer'],
    12: ['global_pooling', 'integer'],
    13: ['round_mode', 'integer'],
  },
  // ReLUParameter
  123: { 1: ['negative_slope', 'float'] },
  // BatchNormParameter
  139: { 1: ['use_global_stats', 'integer'], 3: ['eps', 'float'] },
  // ScaleParameter
  142: { 1: ['axis', 'integer'], 2: ['num_axes', 'integer'], 4: ['bias_term', 'integer'] },
  // ShuffleChannelParameter of the forks that have the layer
  164: { 1: ['group', 'integer'] },
};

/**
 * Reads a Caffe model (`.caffemodel`): its layers, which carry both their parameters and how they are connected, so no
 * prototxt is needed. Field numbers are those of https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto.
 * A layer's blobs are tensors 'layer.0', 'layer.1' ..., and inputs of its operator after what it computes with; they are
 * views of the file's bytes. The values of operators can be overwritten, as layers in place do it.
 */
export async function readCaffe({ bytes, file: name }: Source): Promise<StoredFile> {
  const file = new ProtobufFile(name);
  const layers: Uint8Array[] = [];
  const inputs: StoredInput[] = [];
  const sides: bigint[] = [];
  const shapes: number[][] = [];
  file.read(bytes, 'NetParameter', {
    2: () => {
      throw file.malformed(
        "layers in Caffe's format of 2014 (V1LayerParameter): upgrade the file with Caffe's upgrade_net_proto_binary",
      );
    },
    3: (field) => inputs.push({ name: field.text() }),
    4: (field) => field.integers().forEach((side) => sides.push(side)),
    8: (field) => shapes.push(readShape(file, field.bytes()).map(Number)),
    100: (field) => layers.push(field.bytes()),
  });
  if (layers.length === 0) throw file.malformed('a Caffe model has layers, this file has none');
  inputs.forEach((input, index) => {
    const shape = shapes[index] ?? sides.slice(4 * index, 4 * index + 4).map(Number);
    if (shape.length > 0) input.shape = shape;
  });

  const tensors = new Map<string, StoredTensor>();
  const operators: StoredOperator[] = [];
  await inTurns(layers.length, (index) => operators.push(readLayer(file, layers[index]!, tensors)));
  checkOrder(file, operators, [...inputs.map((input) => input.name), ...tensors.keys()]);
  const graph: StoredGraph = { vocabulary: 'caffe', operators, inputs, outputs: [] };
  return { format: 'caffe', tensors, metadata: Object.create(null), graph };
}

function readLayer(file: ProtobufFile, bytes: Uint8Array, tensors: Map<string, StoredTensor>): StoredOperator {
  const attributes: Attributes = new Map();
  const layer = { type: '', name: '', inputs: [] as string[], outputs: [] as string[], attributes };
  const blobs: Uint8Array[] = [];
  const parameters = Object.entries(parameterFields).map(([number, fields]): [string, (field: Field) => void] => [
    number,
    (field) => readParameters(file, field.bytes(), fields, attributes),
  ]);
  file.read(bytes, 'LayerParameter', {
    ...Object.fromEntries(parameters),
    1: (field) => (layer.name = field.text()),
    2: (field) => (layer.type = field.text()),
    3: (field) => layer.inputs.push(field.text()),
    4: (field) => layer.outputs.push(field.text()),
    7: (field) => blobs.push(field.bytes()),
    // InputParameter
    143: (field) =>
      file.read(field.bytes(), 'InputParameter', {
        1: (shape) => attributes.set('shape', readShape(file, shape.bytes()).map(Number)),
      }),
  });
  blobs.forEach((blob, index) => {
    const name = `${layer.name}.${index}`;
    if (tensors.has(name)) throw file.malformed(`two layers with weights are called ${quote(layer.name)}`);
    tensors.set(name, readBlob(file, blob, name));
    layer.inputs.push(name);
  });
  return layer;
}

function readParameters(
  file: ProtobufFile,
  bytes: Uint8Array,
  fields: Readonly<Record<number, readonly [name: string, kind: Kind]>>,
  attributes: Attributes,
): void {
  const list = (name: string): number[] => {
    const known = attributes.get(name);
    if (Array.isArray(known)) return known;
    const made: number[] = [];
    attributes.set(name, made);
    return made;
  };
  const take: Record<Kind, (name: string, field: Field) => void> = {
    integer: (name, field) => attributes.set(name, field.integer()),
    integers: (name, field) => field.integers().forEach((value) => list(name).push(Number(value))),
    float: (name, field) => attributes.set(name, field.float()),
    floats: (name, field) => floats(field).forEach((value) => list(name).push(value)),
    text: (name, field) => attributes.set(name, field.text()),
  };
  const table = Object.entries(fields).map(([number, [name, kind]]): [string, (field: Field) => void] => [
    number,
    (field) => take[kind](name, field),
  ]);
  file.read(bytes, 'the parameters of a layer', Object.fromEntries(table));
}

function floats(field: Field): number[] {
  const block = field.block();
  field.file.count(block.length / 4);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  return Array.from({ length: Math.floor(block.length / 4) }, (_, i) => view.getFloat32(4 * i, true));
}

function readShape(file: ProtobufFile, bytes: Uint8Array): bigint[] {
  const sides: bigint[] = [];
  file.read(bytes, 'BlobShape', { 1: (field) => field.integers().forEach((side) => sides.push(side)) });
  return sides;
}

function readBlob(file: ProtobufFile, bytes: Uint8Array, name: string): StoredTensor {
  const old: (bigint | undefined)[] = [undefined, undefined, undefined, undefined];
  let shape: bigint[] | undefined;
  const data: Uint8Array[] = [];
  const doubles: Uint8Array[] = [];
  const side = (index: number) => (field: Field) => (old[index] = BigInt(field.integer()));
  file.read(bytes, 'BlobProto', {
    1: side(0),
    2: side(1),
    3: side(2),
    4: side(3),
    5: (field) => data.push(field.block()),
    7: (field) => (shape = readShape(file, field.bytes())),
    8: (field) => doubles.push(field.block()),
  });
  // Before blobs had any shape they had four sides.
  const sides = shape ?? (old.some((length) => length !== undefined) ? old.map((length) => length ?? 0n) : []);
  const dtype = doubles.length > 0 ? 'F64' : 'F32';
  return checkedTensor(file, name, dtype, sides, joined(file, doubles.length > 0 ? doubles : data));
}

function checkOrder(file: ProtobufFile, operators: readonly StoredOperator[], given: readonly string[]): void {
  const known = new Set(given);
  for (const { name, type, inputs, outputs } of operators) {
    const missing = inputs.find((input) => !known.has(input));
    if (missing !== undefined) {
      throw file.malformed(
        `layer ${quote(name)} (${quote(type)}) uses ${quote(missing)}, which no layer before it makes`,
      );
    }
    for (const output of outputs) known.add(output);
  }
}
