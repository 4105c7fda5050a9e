import assert from 'node:assert/strict';
import { readStored } from '../../../lib/weights/formats/read';
import type { StoredInput, StoredOperator, StoredTensor } from '../../../lib/weights/stored';
import { numbers } from '../formats/stored';
import { float32 } from '../files';
import { encode, type Message } from './fixtures';

/** An operator, or what an optional field of one is. */
export interface Node extends StoredOperator {
  attributes: Map<string, Attribute>;
}
type Attribute = number | string | number[] | StoredTensor;

/** Attributes that later operator sets made inputs: since which set, and which input. https://onnx.ai/onnx/operators */
const inputsSince: readonly [type: string, attribute: string, set: number, input: number][] = [
  ['Slice', 'starts', 10, 1],
  ['Slice', 'ends', 10, 2],
  ['Slice', 'axes', 10, 3],
  ['Pad', 'pads', 11, 1],
  ['Dropout', 'ratio', 12, 1],
  ['Squeeze', 'axes', 13, 1],
  ['Unsqueeze', 'axes', 13, 1],
  ['Split', 'split', 13, 1],
  ['ReduceMean', 'axes', 18, 1],
  ['ReduceMax', 'axes', 18, 1],
];

/** Attributes that say what is so without them, in the sets that have them. */
const attributesOf: readonly [type: string, attribute: string, value: Attribute, from: number, to: number][] = [
  ['BatchNormalization', 'spatial', 1, 7, 8],
  ['BatchNormalization', 'training_mode', 0, 14, 21],
  ['MaxPool', 'storage_order', 0, 8, 21],
  ['MaxPool', 'ceil_mode', 0, 10, 21],
  ['MaxPool', 'dilations', [1, 1], 10, 21],
  ['AveragePool', 'ceil_mode', 0, 10, 21],
  ['AveragePool', 'dilations', [1, 1], 19, 21],
  ['Reshape', 'allowzero', 0, 14, 21],
  ['Shape', 'start', 0, 15, 21],
  ['Pad', 'value', 0, 7, 10],
];

const floats = ['epsilon', 'momentum', 'alpha', 'beta', 'ratio', 'value'];
const types = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const;
const dataTypes: Partial<Record<StoredTensor['dtype'], number>> = { F32: 1, I32: 6, I64: 7, BOOL: 9, F16: 10 };

/** An ONNX model that can be changed, and written for any operator set from 7 to 21. */
export class Model {
  readonly nodes: Node[];
  private count = 0;

  private constructor(
    nodes: readonly StoredOperator[],
    readonly tensors: Map<string, StoredTensor>,
    readonly input: StoredInput,
    readonly outputs: string[],
  ) {
    this.nodes = nodes.map((node) => ({ ...node, attributes: new Map(node.attributes) }));
  }

  static async read(bytes: Uint8Array): Promise<Model> {
    const { graph, tensors } = await readStored({ file: 'a model', bytes });
    assert.ok(graph?.inputs[0]);
    return new Model(graph.operators, new Map(tensors), graph.inputs[0], graph.outputs);
  }

  name(): string {
    return `new ${this.count++}`;
  }

  integers(values: readonly number[], shape: number[] = [values.length]): string {
    return this.tensor({ dtype: 'I64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) });
  }

  floats(values: readonly number[], shape: number[] = [values.length]): string {
    return this.tensor({ dtype: 'F32', shape, bytes: float32(values) });
  }

  tensor(tensor: StoredTensor): string {
    const name = this.name();
    this.tensors.set(name, tensor);
    return name;
  }

  /** A node; what it makes has the name of the node. */
  node(type: string, inputs: string[], attributes: Record<string, Attribute> = {}, outputs = [this.name()]): Node {
    return { type, name: outputs[0]!, inputs, outputs, attributes: new Map(Object.entries(attributes)) };
  }

  /** The tensor that is known under a name, of the file or of a Constant. */
  known(name: string): StoredTensor | undefined {
    const value = this.maker(name)?.attributes.get('value');
    return this.tensors.get(name) ?? (typeof value === 'object' && !Array.isArray(value) ? value : undefined);
  }

  maker(name: string): Node | undefined {
    return this.nodes.find(({ outputs }) => outputs.includes(name));
  }

  /** Puts other nodes where one is; the last one makes what it made. */
  replace(node: Node, others: Node[]): void {
    const last = others.at(-1)!;
    last.outputs = [...node.outputs];
    this.nodes.splice(this.nodes.indexOf(node), 1, ...others);
  }

  /** What the classifier makes, and not probabilities of it. */
  get logits(): string {
    const last = this.nodes.findLast(({ type }) => ['Gemm', 'MatMul', 'Add'].includes(type));
    return last!.outputs[0]!;
  }

  /** In an operator set; every operator in the form that it has there. */
  write(set: number): Uint8Array {
    const nodes = this.nodes.map((node) => this.inSet(node, set));
    const graph: Message = [
      ...nodes.map((node): Message[number] => [1, nodeMessage(node)]),
      [2, 'a graph'],
      ...[...this.tensors].map(([name, tensor]): Message[number] => [5, [...tensorMessage(tensor), [8, name]]]),
      [11, valueMessage(this.input)],
      ...[...new Set([...this.outputs, this.logits])].map((name): Message[number] => [12, valueMessage({ name })]),
    ];
    return encode([
      [1, 8],
      [7, graph],
      [8, [[2, set]]],
    ]);
  }

  private inSet(given: Node, set: number): Node {
    const node = { ...given, inputs: [...given.inputs], attributes: new Map(given.attributes) };
    for (const [type, attribute, value, from, to] of attributesOf) {
      if (type !== node.type) continue;
      if (set < from || set > to) node.attributes.delete(attribute);
      else if (!node.attributes.has(attribute)) node.attributes.set(attribute, value);
    }
    for (const [type, attribute, since, input] of inputsSince) {
      if (type !== node.type) continue;
      const own = node.attributes.get(attribute);
      if (set >= since && own !== undefined) {
        while (node.inputs.length < input) node.inputs.push('');
        node.inputs[input] = Array.isArray(own) ? this.integers(own) : this.floats([own as number], []);
        node.attributes.delete(attribute);
      } else if (set < since && node.inputs[input]) {
        const tensor = this.known(node.inputs[input]);
        assert.ok(tensor, `${type} has ${attribute} that are not known`);
        node.attributes.set(attribute, numbers(tensor));
        node.inputs[input] = '';
      }
    }
    while (node.inputs.at(-1) === '') node.inputs.pop();
    return node;
  }
}

function nodeMessage({ type, name, inputs, outputs, attributes }: Node): Message {
  return [
    ...inputs.map((input): Message[number] => [1, input]),
    ...outputs.map((output): Message[number] => [2, output]),
    [3, name],
    [4, type],
    ...[...attributes].map(([key, value]): Message[number] => [5, [[1, key], ...attributeMessage(key, value)]]),
  ];
}

function attributeMessage(key: string, value: Attribute): Message {
  if (Array.isArray(value)) {
    return [...value.map((item): Message[number] => [8, item]), [20, types.ints]];
  }
  if (typeof value === 'object') {
    return [
      [5, tensorMessage(value)],
      [20, types.tensor],
    ];
  }
  if (typeof value === 'string') {
    return [
      [4, value],
      [20, types.string],
    ];
  }
  if (!floats.includes(key)) {
    return [
      [3, value],
      [20, types.int],
    ];
  }
  return [
    [2, Float32Array.of(value)],
    [20, types.float],
  ];
}

function tensorMessage({ dtype, shape, bytes }: StoredTensor): Message {
  return [...shape.map((side): Message[number] => [1, side]), [2, dataTypes[dtype]!], [9, bytes]];
}

/** Of floats, with the sides that are known. */
function valueMessage({ name, shape }: StoredInput): Message {
  const side = (length: number | undefined, axis: number): Message =>
    length === undefined ? [[2, `side ${axis}`]] : [[1, length]];
  const sides = shape?.map((length, axis): Message[number] => [1, side(length, axis)]);
  const tensor: Message = [[1, dataTypes.F32!], ...(sides ? [[2, sides] as const] : [])];
  return [
    [1, name],
    [2, [[1, tensor]]],
  ];
}
