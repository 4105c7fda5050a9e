/** Until lib/onnx is there. */
import type { Graph } from '../lib/network/layers';
import { folded, type Tensors } from './weights';

type Field = [number, number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes = [];
  let v = BigInt.asUintN(64, BigInt(value));
  while (v > 127n) {
    bytes.push(Number(v & 127n) | 128);
    v >>= 7n;
  }
  bytes.push(Number(v));
  return bytes;
}
function message(...fields: Field[]): Uint8Array {
  const parts = fields.map(([id, value]) => {
    if (typeof value === 'number') return Buffer.from([...varint(id * 8), ...varint(value)]);
    const bytes = Buffer.from(value as Uint8Array);
    return Buffer.concat([Buffer.from([...varint(id * 8 + 2), ...varint(bytes.length)]), bytes]);
  });
  return Buffer.concat(parts);
}
const text = (s: string) => Buffer.from(s);
function node(op: string, inputs: string[], output: string, attributes: Record<string, number | number[]> = {}): Field {
  return [
    1,
    message(
      ...inputs.map((name): Field => [1, text(name)]),
      [2, text(output)],
      [3, text(output)],
      [4, text(op)],
      ...Object.entries(attributes).map(
        ([name, value]): Field => [
          5,
          typeof value === 'number'
            ? message([1, text(name)], [3, value], [20, 2])
            : message([1, text(name)], ...value.map((v): Field => [8, v]), [20, 7]),
        ],
      ),
    ),
  ];
}
function tensor(name: string, dims: number[], type: number, bytes: Uint8Array): Field {
  return [5, message(...dims.map((d): Field => [1, d]), [2, type], [8, text(name)], [9, bytes])];
}
function value(name: string, dims: (number | string)[]): Uint8Array {
  const shape = message(
    ...dims.map((d): Field => [1, typeof d === 'number' ? message([1, d]) : message([2, text(d)])]),
  );
  return message([1, text(name)], [2, message([1, message([1, 1], [2, shape])])]);
}

export function onnx(graph: Graph, tensors: Tensors): Uint8Array {
  const weights = folded(graph, tensors);
  const nodes: Field[] = [];
  const init: Field[] = [];
  const names: string[] = [];
  const channels: number[] = [];
  const floats = (name: string, dims: number[], v: Float32Array) =>
    init.push(tensor(name, dims, 1, new Uint8Array(v.buffer, v.byteOffset, v.byteLength)));
  const ints = (name: string, v: number[]) =>
    init.push(tensor(name, [v.length], 7, new Uint8Array(BigInt64Array.from(v.map(BigInt)).buffer)));
  graph.layers.forEach((l, i) => {
    const x = 'input' in l ? names[l.input]! : '';
    names[i] = l.name;
    channels[i] = 'input' in l ? channels[l.input]! : 'inputs' in l ? channels[l.inputs[0]]! : 3;
    const window = (k: number, s: number, p: unknown) => ({
      kernel_shape: [k, k],
      strides: [s, s],
      pads: Array(4).fill((p as { begin: number }).begin) as number[],
    });
    if (l.op === 'conv') {
      const { weight, bias } = weights.get(l.name)!;
      floats(l.weight, [l.outChannels, channels[i]! / l.groups, l.kernel, l.kernel], weight);
      floats(`${l.name}.b`, [l.outChannels], bias);
      channels[i] = l.outChannels;
      nodes.push(
        node('Conv', [x, l.weight, `${l.name}.b`], l.name, {
          ...window(l.kernel, l.stride, l.padding),
          group: l.groups,
        }),
      );
    } else if (l.op === 'batchNorm') names[i] = x;
    else if (l.op === 'relu') nodes.push(node('Relu', [x], l.name));
    else if (l.op === 'maxPool') nodes.push(node('MaxPool', [x], l.name, window(l.kernel, l.stride, l.padding)));
    else if (l.op === 'avgPool')
      nodes.push(node('AveragePool', [x], l.name, { ...window(l.kernel, l.stride, l.padding), count_include_pad: 1 }));
    else if (l.op === 'concat') {
      channels[i] = channels[l.inputs[0]]! + channels[l.inputs[1]]!;
      nodes.push(node('Concat', [names[l.inputs[0]]!, names[l.inputs[1]]!], l.name, { axis: 1 }));
    } else if (l.op === 'add') nodes.push(node('Add', [names[l.inputs[0]]!, names[l.inputs[1]]!], l.name));
    else if (l.op === 'globalPool') {
      nodes.push(node('GlobalAveragePool', [x], `${l.name}.p`), node('Flatten', [`${l.name}.p`], l.name));
    } else if (l.op === 'fullyConnected') {
      const { weight, bias } = weights.get(l.name)!;
      floats(l.weight, [l.outFeatures, channels[i]!], weight);
      floats(`${l.name}.b`, [l.outFeatures], bias);
      nodes.push(node('Gemm', [x, l.weight, `${l.name}.b`], l.name, { transB: 1 }));
    } else if (l.op === 'shuffle') {
      // Sizes of height and width are left to the reshape: [n, g, c/g, h*w].
      const c = channels[i]!;
      ints(`${l.name}.split`, [0, l.groups, c / l.groups, -1]);
      nodes.push(node('Shape', [x], `${l.name}.shape`));
      nodes.push(node('Reshape', [x, `${l.name}.split`], `${l.name}.s`));
      nodes.push(node('Transpose', [`${l.name}.s`], `${l.name}.t`, { perm: [0, 2, 1, 3] }));
      nodes.push(node('Reshape', [`${l.name}.t`, `${l.name}.shape`], l.name));
    } else if (l.op !== 'input') throw new Error(l.op);
  });
  const g = message(
    ...nodes,
    [2, text('shufflenet')],
    ...init,
    [11, value('input', ['n', 3, 'h', 'w'])],
    [12, value(names[graph.output]!, ['n', 1000])],
  );
  return message([1, 7], [7, g], [8, message([1, text('')], [2, 13])]);
}
