import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { OnnxGraph, OnnxNode, OnnxTensor, OnnxValue } from './model';

/** What a file holds besides the graph. */
export interface OnnxFile {
  graph: OnnxGraph;
  /** Of this package. */
  version: string;
  metadata: Record<string, string>;
}

/** IR version and operator set of ONNX 1.8 (2020), which every runtime in use reads. */
const irVersion = 7;
const opset = 13;

/** AttributeProto.AttributeType and TensorProto.DataType. */
const attributeType = { int: 2, string: 3, ints: 7 } as const;
const dataType = { float: 1, int64: 7 } as const;

/** The bytes of a ModelProto. Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
export function encodeModel({ graph, version, metadata }: OnnxFile): Uint8Array {
  const out = new BinaryWriter();
  const integer = (field: number, value: number) => out.tag(field, WireType.Varint).int64(value);
  const text = (field: number, value: string) => out.tag(field, WireType.LengthDelimited).string(value);
  const message = (field: number, write: () => void) => {
    out.tag(field, WireType.LengthDelimited).fork();
    write();
    out.join();
  };

  function nodeProto({ op, name, inputs, output, attributes }: OnnxNode): void {
    for (const input of inputs) text(1, input);
    text(2, output);
    text(3, name);
    text(4, op);
    for (const [key, value] of Object.entries(attributes)) message(5, () => attributeProto(key, value));
  }

  function attributeProto(name: string, value: OnnxNode['attributes'][string]): void {
    text(1, name);
    if (typeof value === 'number') {
      integer(3, value);
      integer(20, attributeType.int);
    } else if (typeof value === 'string') {
      text(4, value);
      integer(20, attributeType.string);
    } else {
      for (const item of value) integer(8, item);
      integer(20, attributeType.ints);
    }
  }

  function tensorProto({ name, shape, data }: OnnxTensor): void {
    for (const side of shape) integer(1, side);
    integer(2, data instanceof Float32Array ? dataType.float : dataType.int64);
    text(8, name);
    // Little-endian, as all CPUs this package runs on.
    out.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  function valueInfoProto({ name, shape }: OnnxValue): void {
    text(1, name);
    const dimensions = () => {
      for (const side of shape) message(1, () => (typeof side === 'number' ? integer(1, side) : text(2, side)));
    };
    const tensorType = () => {
      integer(1, dataType.float);
      message(2, dimensions);
    };
    message(2, () => message(1, tensorType));
  }

  function graphProto({ nodes, tensors, input, output, inner }: OnnxGraph): void {
    for (const node of nodes) message(1, () => nodeProto(node));
    text(2, 'shufflenet');
    for (const tensor of tensors) message(5, () => tensorProto(tensor));
    message(11, () => valueInfoProto(input));
    message(12, () => valueInfoProto(output));
    for (const value of inner) message(13, () => valueInfoProto(value));
  }

  integer(1, irVersion);
  text(2, 'shufflenet-native');
  text(3, version);
  message(7, () => graphProto(graph));
  message(8, () => integer(2, opset));
  for (const [key, value] of Object.entries(metadata)) {
    message(14, () => {
      text(1, key);
      text(2, value);
    });
  }
  return out.finish();
}
