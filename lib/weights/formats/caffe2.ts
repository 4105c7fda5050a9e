import { inTurns } from '../../image/turns';
import { quote } from '../json';
import type { Source, StoredFile, StoredTensor } from '../stored';
import { checkedTensor, joined, ProtobufFile } from './protobuf';

/**
 * Reads a Caffe2 net that fills tensors (`init_net.pb`): the values of its GivenTensorFill operators, by the names of
 * their outputs. Other fills make what is not trained, such as the input, and are passed over. Field numbers are those
 * of https://github.com/pytorch/pytorch/blob/v1.13.1/caffe2/proto/caffe2.proto. Values are copied: each has a field of
 * its own.
 */
export async function readCaffe2({ bytes, file: name }: Source): Promise<StoredFile> {
  const file = new ProtobufFile(name);
  const operators: Uint8Array[] = [];
  file.read(bytes, 'NetDef', { 2: (field) => operators.push(field.bytes()) });
  const tensors = new Map<string, StoredTensor>();
  await inTurns(operators.length, (index) => readOperator(file, operators[index]!, tensors));
  if (tensors.size === 0)
    throw file.malformed('a Caffe2 net that fills no tensors, expected GivenTensorFill operators');
  return { format: 'caffe2', tensors, metadata: Object.create(null) };
}

function readOperator(file: ProtobufFile, bytes: Uint8Array, tensors: Map<string, StoredTensor>): void {
  let type = '';
  const outputs: string[] = [];
  const parts: Uint8Array[] = [];
  file.read(bytes, 'OperatorDef', {
    2: (field) => outputs.push(field.text()),
    4: (field) => (type = field.text()),
    5: (field) => parts.push(field.bytes()),
  });
  if (!type.endsWith('Fill')) {
    throw file.malformed(
      `a Caffe2 net with the operator ${quote(type)}, so how the network computes, not its weights: ` +
        'expected the file of its weights, usually init_net.pb or model_init.pb',
    );
  }
  if (type !== 'GivenTensorFill') return;
  const [name] = outputs;
  if (name === undefined) throw file.malformed('an operator "GivenTensorFill" has no output');
  if (tensors.has(name)) throw file.malformed(`two operators fill ${quote(name)}`);
  const found = parts.map((part) => readArgument(file, part));
  const argument = (wanted: string) => found.find((argument) => argument.name === wanted);
  const values = joined(file, argument('values')?.floats ?? []);
  tensors.set(name, checkedTensor(file, name, 'F32', argument('shape')?.ints ?? [], values));
}

function readArgument(file: ProtobufFile, bytes: Uint8Array) {
  const argument = { name: '', floats: [] as Uint8Array[], ints: [] as bigint[] };
  file.read(bytes, 'Argument', {
    1: (field) => (argument.name = field.text()),
    5: (field) => argument.floats.push(field.block()),
    6: (field) => field.integers().forEach((value) => argument.ints.push(value)),
  });
  return argument;
}
