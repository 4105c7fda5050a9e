import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readStored } from '../../../lib/weights/formats/read';
import { recognise } from '../../../lib/weights/families/recognise';
import { loadWeights } from '../../../lib/weights/load';
import { checkpoints } from '../families/fixtures';
import { failure, float32 } from '../files';
import { encode, type Message } from '../graphs/fixtures';
import { contents, fixture, numbers, read, refuses } from './stored';

const mlperf = () => readFileSync(checkpoints.find(({ name }) => name === 'caffe2')!.file);

/** Floats of field 5, each with its tag, as proto2 has them. */
function apart(...values: number[]): Uint8Array {
  return Buffer.concat(values.map((value) => Buffer.concat([Buffer.of(0x2d), float32([value])])));
}
const net = (...operators: Message[]) => encode(operators.map((operator): Message[number] => [2, operator]));
const shape = (...sides: (number | bigint)[]): Message[number] => [
  5,
  [[1, 'shape'], ...sides.map((side): Message[number] => [6, side])],
];
const values = (floats: Uint8Array): Message[number] => [5, Buffer.concat([encode([[1, 'values']]), floats])];
const fill = (name: string, ...arguments_: Message): Message => [[2, name], [3, ''], [4, 'GivenTensorFill'], ...arguments_]; // biome-ignore format: a row

describe('a Caffe2 net', () => {
  it('has the tensors that it fills with given values, and no other', async () => {
    const file = await read(readFileSync(fixture('small.init_net.pb')));
    const between = (length: number) => Array.from({ length }, (_, i) => Math.fround(-1 + (2 * i) / (length - 1)));
    assert.equal(file.format, 'caffe2');
    assert.deepEqual(
      contents(file).map(([name]) => name),
      ['conv1_w', 'conv1_b', 'pred_w', 'one', 'none'],
    );
    assert.deepEqual(file.tensors.get('conv1_w')?.shape, [2, 3, 3, 3]);
    numbers(file.tensors.get('conv1_w')!).forEach((value, i) => assert.ok(Math.abs(value - between(54)[i]!) < 1e-6));
    assert.deepEqual(numbers(file.tensors.get('one')!), [-1]);
    assert.deepEqual(file.tensors.get('none')?.shape, [0, 2]);
  });

  it('may have its values packed, apart or both, and its name before them', async () => {
    const packed = (...floats: number[]) => encode([[5, float32(floats)]]);
    for (const floats of [
      packed(1, 2, 3, 4),
      apart(1, 2, 3, 4),
      Buffer.concat([apart(1), packed(2, 3), apart(4)]),
      Buffer.concat([packed(1), packed(2), apart(3, 4)]),
    ]) {
      const operators = net(fill('w', shape(2, 2), values(floats)));
      for (const bytes of [operators, Buffer.concat([encode([[1, 'init']]), operators])]) {
        assert.deepEqual(contents(await read(bytes)), [['w', ['F32', [2, 2], [1, 2, 3, 4]]]]);
      }
    }
  });

  it('of a million values is read in no time, and of more than any network has not at all', async () => {
    const many = (length: number) => net(fill('w', shape(length), values(Buffer.alloc(5 * length, apart(0.5)))));
    const start = performance.now();
    const { tensors } = await read(many(1e6));
    assert.ok(performance.now() - start < 1000);
    assert.ok(numbers(tensors.get('w')!).every((value) => value === 0.5));
    await refuses(many(9e6), 'more than 33554432 bytes');
  });

  it('that says how the network computes is refused with the file that has its weights', async () => {
    const conv: Message = [[1, 'data'], [1, 'conv1_w'], [2, 'conv1'], [3, ''], [4, 'Conv'], [5, [[1, 'kernel'], [3, 3]]]]; // biome-ignore format: a row
    const bytes = Buffer.concat([encode([[1, 'mobile_vision.cls']]), net(conv, [[1, 'conv1'], [2, 'y'], [4, 'Relu']])]); // biome-ignore format: a row
    await refuses(bytes, '"Conv"', 'not its weights', 'init_net.pb');
    await refuses(net([[1, 'x'], [2, 'y'], [4, 'Relu']], conv), '"Relu"', 'init_net.pb'); // biome-ignore format: a row
  });

  it('that is not sound is refused', async () => {
    const one = values(apart(1));
    await refuses(net([[4, 'GivenTensorFill'], shape(1), one]), 'no output'); // biome-ignore format: a row
    await refuses(net(fill('w', shape(1), one), fill('w', shape(1), one)), 'two operators fill "w"');
    await refuses(net(fill('w', shape(2), one)), '"w"', '[2] takes 8 bytes, the file has 4');
    await refuses(net(fill('w', shape(2 ** 40), one)), '"w"', 'the file has 4');
    await refuses(net(fill('w', shape(2n ** 63n - 1n), one)), '"w"', 'side of');
    await refuses(net(fill('w', shape(-1), one)), '"w"', 'side of -1');
    await refuses(net(fill('w', values(apart(1, 2)))), '"w"', '[] takes 4 bytes, the file has 8');
    await refuses(net(fill('w', shape(1))), '"w"', 'has 0');
    await refuses(net(fill('w', shape(1), values(apart(1).subarray(0, 3)))), 'truncated');
    await refuses(net([[2, 'data'], [4, 'ConstantFill'], shape(1)]), 'fills no tensors'); // biome-ignore format: a row
  });

  it('cut anywhere is refused', async () => {
    const bytes = mlperf();
    for (let cut = 0; cut < 200; cut++) {
      const part = bytes.subarray(0, Math.floor((cut * bytes.length) / 200));
      await assert.rejects(loadWeights(part), ({ code }: { code: string }) => code.startsWith('ERR_WEIGHTS_'));
    }
  });

  it("is not taken for ShuffleNet if it is a ResNet, whose names are MLPerf's too", async () => {
    const file = await readStored({ file: 'x', bytes: mlperf() });
    const tensors = new Map(file.tensors).set('res2_0_branch1_w', file.tensors.get('conv1_w')!);
    assert.throws(() => recognise({ ...file, tensors }, 'x'), failure('ERR_WEIGHTS_TENSOR', '"res2_0_branch1_w"'));
  });
});
