import { ShuffleNetError } from '../../errors';
import type { Preprocess } from '../../image/preprocess';
import type { Affine, ImportedGraph } from '../graphs/builder';
import { importCaffe } from '../graphs/caffe';
import { matchNetwork } from '../graphs/match';
import { importOnnx } from '../graphs/onnx';
import { defaultPreprocess, readMetadata } from '../metadata';
import type { StoredFile, StoredGraph } from '../stored';
import { bgr, preprocessOf } from './by-names';
import type { Family, PlacedTensor, Recognised } from './family';

/** Any of the networks, exported: told by its operators, whatever its tensors are called. */
export const onnx: Family = {
  name: 'onnx',
  about: 'ONNX models of any of these networks, and the ONNX model zoo',
  matches: (file) => file.format === 'onnx',
  read(file, name) {
    const { network } = readMetadata(file.metadata, name);
    // This package's own, which may hold what only its table describes.
    if (network) return { network, tensors: floats(file), unplaced: new Map() };
    const zoo = file.tensors.has('gpu_0/gconv1_0_w_0');
    const { image, ...read } = readGraph(file, name, importOnnx);
    const preprocess = (zoo ? bgr : preprocessOf(read.network.variant ?? {})) ?? defaultPreprocess;
    return { ...read, preprocess: croppedTo(file, normalisedBy(image, preprocess)) };
  },
};

/** The projects differ in layers and names, but their files say all of it. */
export const caffe: Family = {
  name: 'caffe',
  about: 'farmingyard/ShuffleNet, camel007/Caffe-ShuffleNet, wuyongchn/shufflenet-caffe and others of Caffe',
  matches: (file) => file.format === 'caffe',
  read: (file, name) => ({ ...readGraph(file, name, importCaffe), preprocess: caffePreprocess(file) }),
};

function readGraph(
  file: StoredFile,
  name: string,
  importGraph: (file: StoredFile & { graph: StoredGraph }, name: string) => ImportedGraph,
): Recognised & { image: Affine } {
  const { graph, format } = file;
  if (!graph) throw new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${name}: a file of format ${format} holds no graph`);
  return { ...matchNetwork(importGraph({ ...file, graph }, name), name), unplaced: new Map() };
}

/** The others are shapes. */
function floats(file: StoredFile): Map<string, PlacedTensor> {
  const placed = new Map<string, PlacedTensor>();
  for (const [from, tensor] of file.tensors) {
    if (tensor.dtype !== 'I64') placed.set(from, { from, shape: tensor.shape, parts: [tensor] });
  }
  return placed;
}

/** What the graph itself makes of the image is done before, of values from 0 to 255 or, where that suits, from 0 to 1. */
function normalisedBy({ factors, summands }: Affine, preprocess: Preprocess): Preprocess {
  if (factors.every((factor) => factor === 1) && summands.every((summand) => summand === 0)) return preprocess;
  const triple = (of: (factor: number, summand: number) => number): [number, number, number] => {
    const at = (i: number) => Number(of(factors[i]!, summands[i]!).toPrecision(6));
    return [at(0), at(1), at(2)];
  };
  const mean = triple((factor, summand) => (summand === 0 ? 0 : -summand / factor));
  const bytes = mean.some((value) => value > 1) || factors.some((factor) => factor < 0.1);
  return { ...preprocess, scale: bytes ? 1 : 1 / 255, mean, std: triple((factor) => 1 / factor) };
}

/** An export says nothing of its images but their size. */
function croppedTo(file: StoredFile, preprocess: Preprocess): Preprocess {
  const shape = file.graph?.inputs[0]?.shape ?? [];
  const [height, width] = shape[3] === 3 && shape[1] !== 3 ? [shape[1], shape[2]] : [shape[2], shape[3]];
  if (height === undefined || width === undefined) return preprocess;
  const { crop } = preprocess;
  return crop.height === height && crop.width === width ? preprocess : withCrop(preprocess, height, width);
}

/** The shorter side in the proportion of 256 to 224. */
function withCrop(preprocess: Preprocess, height: number, width: number): Preprocess {
  const shorterSide = Math.round((Math.max(height, width) * 8) / 7);
  return { ...preprocess, resize: { ...preprocess.resize, shorterSide }, crop: { height, width } };
}

/** What the data layer says, value = (pixel - mean) * scale; else what both projects trained with. */
function caffePreprocess({ graph }: StoredFile): Preprocess {
  const data = graph?.operators.find(({ inputs }) => inputs.length === 0)?.attributes;
  const number = (name: string) => {
    const value = data?.get(name);
    return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Number(value.toPrecision(7)) : undefined;
  };
  const means = data?.get('mean_value');
  const scale = number('scale') ?? (Array.isArray(means) ? 1 : 0.017);
  const [blue = 103.94, green = blue, red = blue] = Array.isArray(means) ? means : [103.94, 116.78, 123.68];
  const side = number('crop_size') ?? graph?.inputs[0]?.shape?.[2] ?? 224;
  const mean = (value: number) => Number(value.toPrecision(7)) * scale;
  return withCrop(
    {
      ...defaultPreprocess,
      channelOrder: 'BGR',
      scale,
      mean: [mean(blue), mean(green), mean(red)],
      std: [1, 1, 1],
    },
    side,
    side,
  );
}
