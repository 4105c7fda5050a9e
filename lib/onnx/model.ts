import type { ImageSize } from '../network/complexity';
import type { Graph, Layer, Padding } from '../network/layers';
import { graphParameters } from '../network/parameters';
import { layerChannels, layerShapes } from '../network/shapes';

/** https://github.com/onnx/onnx/blob/main/docs/Operators.md, opset 13; attributes are integers, or lists of them. */
export interface OnnxNode {
  op: string;
  name: string;
  inputs: string[];
  output: string;
  attributes: Record<string, number | number[] | string>;
}

/** A constant: float32, or int64 for shapes and axes. */
export interface OnnxTensor {
  name: string;
  shape: number[];
  data: Float32Array | BigInt64Array;
}

/** The shape of a float32 value; a name is a side that may have any length. */
export interface OnnxValue {
  name: string;
  shape: (number | string)[];
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  tensors: OnnxTensor[];
  input: OnnxValue;
  output: OnnxValue;
  /** What shape inference cannot find out. */
  inner: OnnxValue[];
}

/**
 * A graph without batch norm in the operators of ONNX. `input` is [batch, channels, height, width], of any size unless
 * `size` is given; `logits` is [batch, classes]. Values and tensors keep the names of layers and parameters.
 *
 * @throws ShuffleNetError ERR_INPUT when the graph's paddings do not suit `size`.
 */
export function onnxGraph(
  graph: Graph,
  values: ReadonlyMap<string, Float32Array>,
  size?: Required<ImageSize>,
): OnnxGraph {
  const channels = layerChannels(graph);
  const planes = size && layerShapes(graph, size);
  const nodes: OnnxNode[] = [];
  const tensors: OnnxTensor[] = [];
  const inner: OnnxValue[] = [];
  for (const [name, { shape }] of graphParameters(graph)) tensors.push({ name, shape, data: values.get(name)! });

  const integers = (name: string, ...data: number[]): string => {
    tensors.push({ name, shape: [data.length], data: BigInt64Array.from(data, BigInt) });
    return name;
  };
  const outputName = (index: number) => (index === graph.output ? 'logits' : graph.layers[index]!.name);
  const optional = (name: string | undefined): string[] => (name === undefined ? [] : [name]);

  graph.layers.forEach((layer, index) => {
    const node = (op: string, inputs: string[], attributes: OnnxNode['attributes'] = {}, part = ''): string => {
      const output = part ? `${layer.name}.${part}` : outputName(index);
      nodes.push({ op, name: part ? output : layer.name, inputs, output, attributes });
      return output;
    };
    const input = 'input' in layer ? outputName(layer.input) : '';
    const inputs = 'inputs' in layer ? layer.inputs.map(outputName) : [];
    switch (layer.op) {
      case 'input':
        break;
      case 'conv':
        node('Conv', [input, layer.weight, ...optional(layer.bias)], { ...placing(layer), group: layer.groups });
        break;
      case 'batchNorm':
        throw new Error(`${layer.name}: batch norm has to be folded first`);
      case 'relu':
        node('Relu', [input]);
        break;
      case 'sigmoid':
        node('Sigmoid', [input]);
        break;
      case 'shuffle': {
        // 0 keeps a side, -1 is what is left. All pixels are one side, so that a plane may have any.
        const split = integers(`${layer.name}.split`, 0, layer.groups, channels[index]! / layer.groups, -1);
        const plane = planes?.[index];
        let shape: string;
        if (plane) {
          shape = integers(`${layer.name}.shape`, 0, plane.channels, plane.height, plane.width);
        } else {
          shape = node('Shape', [input], {}, 'shape');
          const sides = [`${layer.name}.height`, `${layer.name}.width`];
          inner.push({ name: layer.name, shape: ['batch', channels[index]!, ...sides] });
        }
        const grouped = node('Reshape', [input, split], {}, 'grouped');
        node('Reshape', [node('Transpose', [grouped], { perm: [0, 2, 1, 3] }, 'transposed'), shape]);
        break;
      }
      case 'maxPool':
        node('MaxPool', [input], placing(layer));
        break;
      case 'avgPool': {
        const { padding, countPadding } = layer;
        const extra = ceilCells(layer);
        const reflects = padding !== 'same' && padding.reflect;
        if (padding === 'same' || !countPadding || (extra === 0 && !reflects)) {
          node('AveragePool', [input], { ...placing(layer), count_include_pad: Number(countPadding) });
          break;
        }
        // The divisor counts the padding, but not the cells that ceil adds to it; and only Pad reflects.
        const { begin, end } = padding;
        const pads = () => integers(`${layer.name}.pads`, 0, 0, begin, begin, 0, 0, end, end);
        const mode = reflects ? { mode: 'reflect' } : {};
        const padded = begin + end === 0 ? input : node('Pad', [input, pads()], mode, 'padded');
        node('AveragePool', [padded], {
          ...placing({ ...layer, padding: { begin: 0, end: extra } }),
          count_include_pad: 0,
        });
        break;
      }
      case 'globalPool': {
        const pooled = node(layer.mode === 'avg' ? 'GlobalAveragePool' : 'GlobalMaxPool', [input], {}, 'pooled');
        // 1x1 planes are [batch, channels] from here on.
        node('Flatten', [pooled]);
        break;
      }
      case 'fullyConnected':
        node('Gemm', [input, layer.weight, ...optional(layer.bias)], { transB: 1 });
        break;
      case 'add':
        node('Add', inputs);
        break;
      case 'concat':
        node('Concat', inputs, { axis: 1 });
        break;
      case 'scale': {
        const [plane, factor] = inputs as [string, string];
        const axes = integers(`${layer.name}.axes`, 2, 3);
        node('Mul', [plane, node('Unsqueeze', [factor, axes], {}, 'factor')]);
        break;
      }
    }
  });

  return {
    nodes,
    tensors,
    input: { name: 'input', shape: ['batch', channels[0]!, size?.height ?? 'height', size?.width ?? 'width'] },
    output: { name: 'logits', shape: ['batch', channels[graph.output]!] },
    inner,
  };
}

type Window = Extract<Layer, { padding: Padding }>;

/** Attributes of a window. ONNX's ceil_mode is passed by: runtimes differ in it. */
function placing(layer: Pick<Window, 'kernel' | 'stride' | 'padding'>): OnnxNode['attributes'] {
  const { kernel, stride, padding } = layer;
  const sides = { kernel_shape: [kernel, kernel], strides: [stride, stride] };
  if (padding === 'same') return { ...sides, auto_pad: 'SAME_UPPER' };
  const end = padding.end + ceilCells(layer);
  return { ...sides, pads: [padding.begin, padding.begin, end, end] };
}

/**
 * Rounding up is rounding down with so many more cells of padding at the end. With kernel - 1 in all, no window begins
 * in them.
 */
function ceilCells({ kernel, stride, padding }: Pick<Window, 'kernel' | 'stride' | 'padding'>): number {
  if (padding === 'same' || !padding.ceil) return 0;
  return Math.min(stride - 1, kernel - 1 - padding.end);
}
