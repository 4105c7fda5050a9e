import { readFileSync } from 'node:fs';
import path from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Tensor, Variant } from '../../../lib';
import { readNpy } from '../../../lib/cli/npy';
import { root } from '../../model/files';

export const folder = path.join(root, 'test/fixtures/checkpoints/graphs');

/** A file of make-fixtures/graphs.py or caffe.py, and what its network has that the paper's does not. */
export interface Checkpoint {
  file: string;
  variant: Partial<Variant>;
  channelOrder: 'RGB' | 'BGR';
}

const folded = { batchNorm: false, stemBias: true, convBias: true };
const tensorpack = { shuffleOrder: 'inverse', concatRelu: 'branch', avgPoolCountPadding: false } as const;
const caffePools = {
  bottleneck: 'branch',
  maxPoolPadding: { begin: 0, end: 0, ceil: true },
  avgPoolPadding: { begin: 0, end: 0, ceil: true },
} as const;

export const checkpoints: Checkpoint[] = [
  { file: 'pytorchcv.onnx', variant: { ...folded, concatOrder: 'branchShortcut' }, channelOrder: 'RGB' },
  {
    file: 'megvii.onnx',
    variant: { shuffleOrder: 'inverse', shufflePlace: 'afterDepthwise', concatRelu: 'branch', fcBias: false },
    channelOrder: 'BGR',
  },
  { file: 'jaxony.onnx', variant: { ...folded, stemRelu: false }, channelOrder: 'RGB' },
  {
    file: 'mmpretrain.onnx',
    variant: { ...folded, shufflePlace: 'afterDepthwise', concatRelu: 'branch' },
    channelOrder: 'RGB',
  },
  {
    file: 'chenhang98.onnx',
    variant: {
      ...folded,
      concatOrder: 'branchShortcut',
      stemStride: 1,
      maxPool: false,
      stage2Stride: 1,
      avgPoolKernel: 2,
      avgPoolPadding: { begin: 0, end: 0 },
    },
    channelOrder: 'RGB',
  },
  {
    file: 'zoo.onnx',
    variant: {
      concatOrder: 'branchShortcut',
      firstUnitGconv1: 'groups',
      bottleneck: 'branch',
      avgPoolCountPadding: false,
      stemBias: true,
    },
    channelOrder: 'BGR',
  },
  { file: 'excited.onnx', variant: { ...folded, concatOrder: 'branchShortcut' }, channelOrder: 'RGB' },
  {
    file: 'tensorpack.onnx',
    variant: {
      ...tensorpack,
      // What TensorFlow's rule comes to where sides are even.
      stemPadding: { begin: 0, end: 1 },
      maxPoolPadding: { begin: 0, end: 1 },
      avgPoolPadding: { begin: 0, end: 1 },
      depthwisePadding: { begin: 0, end: 1 },
    },
    channelOrder: 'BGR',
  },
  {
    file: 'tensorpack-nhwc.onnx',
    variant: {
      ...tensorpack,
      stemPadding: 'same',
      maxPoolPadding: 'same',
      avgPoolPadding: 'same',
      depthwisePadding: 'same',
    },
    channelOrder: 'BGR',
  },
  { file: 'farmingyard.caffemodel', variant: { ...caffePools, shuffleFirstUnit: false }, channelOrder: 'BGR' },
  {
    file: 'farmingyard-50.caffemodel',
    variant: {
      ...caffePools,
      shuffleFirstUnit: false,
      depthwisePadding: [
        { begin: 1, end: 1 },
        { begin: 1, end: 1 },
        { begin: 0, end: 0 },
      ],
    },
    channelOrder: 'BGR',
  },
  { file: 'wuyongchn.caffemodel', variant: { ...caffePools, firstUnitGconv1: 'groups' }, channelOrder: 'BGR' },
];

export function bytesOf(file: string): Uint8Array {
  return new Uint8Array(readFileSync(path.join(folder, file)));
}

/** Of the network in its own framework, for image(). */
export function logitsOf(file: string): Float32Array {
  return readNpy(readFileSync(path.join(folder, `${file}.logits.npy`)), file).data;
}

/** The image of make-fixtures/families.py. */
export function image(file: string): Tensor {
  const side = file.startsWith('chenhang98') ? 32 : file.includes('-50') ? 50 : 64;
  const noise = (index: number) => (Math.imul(index, 2654435761) >>> 8) / 2 ** 22 - 2;
  const data = new Float32Array(3 * side * side);
  data.forEach((_, i) => {
    const [y, x] = [Math.floor(i / side), i % side];
    data[i] = noise((y - ((y % side) % 8)) * side + x - (x % 8)) + noise(i) / 4;
  });
  return { data, shape: [1, 3, side, side] };
}

/** A Protocol Buffers message: texts, bytes and messages by field number, integers as varints, floats one in an array. */
export type Message = readonly (readonly [
  field: number,
  value: string | number | bigint | Uint8Array | Float32Array | Message,
])[];

export function encode(message: Message): Uint8Array {
  const out = new BinaryWriter();
  for (const [field, value] of message) {
    if (typeof value === 'number' || typeof value === 'bigint') out.tag(field, WireType.Varint).int64(BigInt(value));
    else if (typeof value === 'string') out.tag(field, WireType.LengthDelimited).string(value);
    else if (value instanceof Float32Array) out.tag(field, WireType.Bit32).float(value[0]!);
    else out.tag(field, WireType.LengthDelimited).bytes(value instanceof Uint8Array ? value : encode(value));
  }
  return out.finish();
}
