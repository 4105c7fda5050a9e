import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isMindspore } from '../../../lib/weights/formats/protobuf-kinds';
import { loadWeights } from '../../../lib/weights/load';
import { checkpoints } from '../families/fixtures';
import { float32 } from '../files';
import { encode, type Message } from '../graphs/fixtures';
import { contents, fixture, read, refuses } from './stored';

const kinds = () => readFileSync(fixture('kinds.ckpt'));
const field = (number: number, value: Message[number][1]): Message[number] => [number, value];
const dims = (...sides: (number | bigint)[]) => sides.map((side) => field(1, side));
const value = (tag: string, ...tensor: Message): Message[number] => [1, [field(1, tag), field(2, tensor)]];
/** A tensor of floats. */
const floats = (tag: string, sides: (number | bigint)[], ...values: number[]) =>
  value(tag, ...dims(...sides), field(2, 'Float32'), field(3, float32(values)));

describe('a checkpoint of MindSpore', () => {
  it('has tensors of every type, whole or in parts, and scalars of any version', async () => {
    const file = await read(kinds());
    assert.equal(file.format, 'mindspore');
    const ramp = (number: number, length: number) => Array.from({ length }, (_, i) => i + number);
    // In the order of make-fixtures/mindspore.py.
    const types = ['F64', 'F32', 'F16', 'I64', 'I32', 'I16', 'I8', 'U64', 'U32', 'U16', 'U8'];
    const names = ['float64', 'float32', 'float16', 'int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8']; // biome-ignore format: one
    assert.deepEqual(contents(file), [
      ...types.map((type, number) => [names[number], [type, [2, 3], ramp(number, 6)]]),
      ['bool', ['BOOL', [3], [0, 1, 1]]],
      ['bfloat16', ['BF16', [3], ramp(12, 3)]],
      ['no side', ['F32', [], [13]]],
      ['scalar of old', ['F32', [], [14]]],
      ['in parts', ['F32', [3, 2], ramp(15, 6)]],
    ]);
  });

  it('has no texts, hash tables or states of random operators for tensors, and copies none that is whole', async () => {
    const bytes = Uint8Array.from(kinds());
    const { tensors } = await read(bytes);
    for (const name of ['author', 'table', 'random_op']) assert.ok(!tensors.has(name), name);
    for (const [name, tensor] of tensors) assert.equal(tensor.bytes.buffer === bytes.buffer, name !== 'in parts', name);
  });

  it('is held against its CRC, if it has one', async () => {
    const bytes = readFileSync(fixture('checked.ckpt'));
    const tensors = [
      ['w', ['F32', [3], [0, 1, 2]]],
      ['b', ['F32', [], [3]]],
    ];
    assert.deepEqual(contents(await read(bytes)), tensors);
    assert.deepEqual(contents(await read(bytes.subarray(0, -17))), tensors);
    for (let at = 8; at < bytes.length - 17; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 4;
      await refuses(damaged, 'its CRC is', 'damaged');
    }
  });

  it('that is encrypted is told so', async () => {
    for (const kind of [0xd8, 0xd9, 0xda]) {
      await refuses(Buffer.of(kind, 0x5e, 0x3a, 0x7f, 1, 2, 3, 4, 5), 'encrypted', 'enc_key');
    }
  });

  it('that is not sound is refused', async () => {
    const file = (...values: Message) => encode(values);
    await refuses(file(floats('w', [3], 1, 2)), '"w"', '[3] takes 12 bytes, the file has 8');
    await refuses(file(floats('w', [0], 1, 2)), '"w"', '[] takes 4 bytes, the file has 8');
    await refuses(file(floats('w', [2 ** 40], 1)), '"w"', 'the file has 4');
    await refuses(file(floats('w', [2n ** 63n - 1n], 1)), '"w"', 'side of');
    await refuses(file(floats('w', [-1], 1)), '"w"', 'side of -1');
    await refuses(file(floats('w', [2n ** 32n, 2n ** 32n])), '"w"', 'the file has 0');
    await refuses(file(floats('w', Array<number>(1000).fill(1), 1)), '"w"', '1000 dimensions');
    await refuses(file(floats('w', [1], 1), floats('w', [1], 2)), '"w"', '[1] takes 4 bytes, the file has 8');
    await refuses(file(floats('w', [1], 1), floats('b', [1], 1), floats('w', [1], 2)), '"w" occurs twice');
    await refuses(file(value('w', field(2, 'Float8'), field(3, 'x'))), '"w"', 'Float32', '"Float8"');
    await refuses(file(value('w', field(2, 'toString'), field(3, 'x'))), '"w"', '"toString"');
    await refuses(file(floats('b', [], 1), [1, [field(1, 'w')]]), '"w" has no value');
    await refuses(file(floats('b', [], 1), [1, [field(1, 'w'), field(2, 1)]]), 'expected bytes');
    await refuses(file(floats('b', [], 1), floats('x'.repeat(5000), [], 1)), 'a text of 5000 bytes');
  });

  it('that takes more memory than it is long, or has more values than any network, is refused', async () => {
    const half = field(3, new Uint8Array(17e6));
    const [first, second] = [value('w', ...dims(34e6), field(2, 'Int8'), half), value('w', ...dims(34e6), field(2, 'Int8'), half)]; // biome-ignore format: one
    await refuses(encode([first, second]), 'more than 33554432 bytes');
    await refuses(encode([floats('w', [], 1), ...Array<Message[number]>(90_000).fill([1, []])]), 'more than 80000');
  });

  it('cut anywhere is refused', async () => {
    const bytes = readFileSync(checkpoints.find(({ name }) => name === 'mindcv')!.file);
    for (let cut = 0; cut < 200; cut++) {
      const part = bytes.subarray(0, Math.floor((cut * bytes.length) / 200));
      await assert.rejects(loadWeights(part), ({ code }: { code: string }) => code.startsWith('ERR_WEIGHTS_'));
    }
  });

  it('is told from all other files by how it begins', () => {
    for (const { file } of checkpoints) {
      assert.equal(isMindspore(readFileSync(file)), file.endsWith('.ckpt'), file);
    }
    // A Caffe net with a name, and one of Caffe2; the length of a header of safetensors.
    for (const bytes of [
      [0x0a, 1, 0x61, 0xa2, 6],
      [0x0a, 1, 0x61, 0x12, 2, 0x0a, 0],
      [0x0a, 1, 0x0a, 0, 0x12, 0, 0, 0],
    ]) {
      assert.ok(!isMindspore(Uint8Array.from(bytes)), String(bytes));
    }
  });
});
