import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ShuffleNetError } from '../../../lib';
import { crc } from '../../../lib/weights/formats/crc';
import { readStored } from '../../../lib/weights/formats/read';
import { loadWeights } from '../../../lib/weights/load';
import type { StoredFile } from '../../../lib/weights/stored';
import { failure, float32 } from '../files';
import { encode, type Message } from '../graphs/fixtures';
import { contents, fixture } from './stored';
import { makeBlock, makeEntry, makeTable, masked, seal, varint, type Entry } from './tables';

const network = path.join(__dirname, '../../../../test/fixtures/checkpoints/keras/tropcomplique/model.index');

type Shards = Record<string, Uint8Array>;

/** A checkpoint called model, its path that of another folder. */
function read(index: Uint8Array, shards: Shards, file = 'a/model.index'): Promise<StoredFile> {
  const sibling = (name: string) => {
    const shard = shards[name];
    return shard ? Promise.resolve(shard) : Promise.reject(new ShuffleNetError('ERR_FILE', `${name} does not exist`));
  };
  return readStored({ file, bytes: index, sibling });
}

function readFixture(name: string): { shards: Shards; file: Promise<StoredFile> } {
  const count = name === 'kinds' ? 2 : 1;
  const names = Array.from({ length: count }, (_, i) => `${name}.data-0000${i}-of-0000${count}`);
  const shards = Object.fromEntries(names.map((shard) => [shard, Uint8Array.from(readFileSync(fixture(shard)))]));
  return { shards, file: read(readFileSync(fixture(`${name}.index`)), shards, `${name}.index`) };
}

interface Tensor {
  dtype?: number;
  sides?: (number | bigint)[];
  shard?: number;
  offset?: number | bigint;
  size?: number | bigint;
  crc?: number;
  more?: Message;
}

const data = float32([1, 2, 3, 4]);
const shards: Shards = { 'model.data-00000-of-00001': data };
const fixed32 = (tag: number, value: number) => {
  const bytes = Buffer.of(tag, 0, 0, 0, 0);
  bytes.writeUInt32LE(value, 1);
  return bytes;
};
/** By default two floats, the first of `data`. */
function entry(tensor: Tensor = {}): Uint8Array {
  const { dtype = 1, sides = [2], shard = 0, offset = 0, size = 8, more = [] } = tensor;
  const shape = sides.map((side): Message[number] => [2, [[1, side]]]);
  const sum = tensor.crc ?? crc('crc32c', data.subarray(Number(offset), Number(offset) + Number(size)));
  const message = encode([[1, dtype], [2, shape], [3, shard], [4, offset], [5, size], ...more]); // biome-ignore format: a row
  return Buffer.concat([message, fixed32(0x35, masked(sum))]);
}
const header = (...fields: Message): Entry => ['', encode([[1, 1], ...fields])];
const table = (...entries: Entry[]) => makeTable(makeBlock(entries));
const index = (...entries: Entry[]) => table(header(), ...entries);

const refuses = (bytes: Uint8Array, ...parts: string[]) =>
  assert.rejects(read(bytes, shards), failure('ERR_WEIGHTS_FORMAT', 'a/model.index: ', ...parts));

describe('a TensorFlow checkpoint', () => {
  it('has the tensors of all its shards, of every type but texts', async () => {
    const { shards, file } = readFixture('kinds');
    const found = await file;
    assert.equal(found.format, 'tensorflow');
    const types = ['F32', 'F64', 'I32', 'U8', 'I16', 'I8', 'C64', 'I64', 'BOOL', 'U16', 'F16', 'U32', 'U64', 'BF16'];
    const names = ['float32', 'float64', 'int32', 'uint8', 'int16', 'int8', 'complex64', 'int64', 'bool', 'uint16', 'float16', 'uint32', 'uint64', 'bfloat16']; // biome-ignore format: one
    const values = (number: number) => {
      if (names[number] === 'bool') return [0, 1, 1];
      const ramp = [number, number + 1, number + 2];
      return names[number] === 'complex64' ? ramp.flatMap((value) => [value, 0]) : ramp;
    };
    const expected = types.map((type, i) => [`kinds/${names[i]}`, [type, [3], values(i)]]);
    expected.push(['scalar', ['F32', [], [14]]], ['empty', ['F32', [0, 4], []]]);
    expected.push(['matrix', ['F32', [2, 3], [16, 17, 18, 19, 20, 21]]]);
    assert.deepEqual(new Map(contents(found)), new Map(expected as [string, unknown][]));
    // Views, of both.
    const buffers = new Set([...found.tensors.values()].map(({ bytes }) => bytes.buffer));
    assert.deepEqual(buffers, new Set(Object.values(shards).map(({ buffer }) => buffer)));
  });

  it('may have dots in its name, and tensors one by one in any order', async () => {
    assert.deepEqual(contents(await readFixture('small.ckpt-1').file), [
      ['b', ['F32', [2], [0, 1]]],
      ['global_step', ['I64', [], [1]]],
      ['w', ['F32', [2, 3], [1, 1, 1, 1, 1, 1]]],
    ]);
    const blocks = [makeBlock([header(), ['a', entry({ offset: 8 })]]), makeBlock([['b', entry()]])];
    assert.deepEqual(new Map(contents(await read(makeTable(...blocks), shards))), new Map<string, unknown>([['a', ['F32', [2], [3, 4]]], ['b', ['F32', [2], [1, 2]]]])); // biome-ignore format: one
  });

  it('is given by its index: who gives its data, bytes or another name is told so', async () => {
    const shard = network.replace('.index', '.data-00000-of-00001');
    await assert.rejects(loadWeights(shard), failure('ERR_WEIGHTS_FORMAT', 'expected its ', network));
    await assert.rejects(loadWeights(readFileSync(network)), failure('ERR_WEIGHTS_FORMAT', 'pass its path'));
    await assert.rejects(read(index(), shards, 'model.idx'), failure('ERR_WEIGHTS_FORMAT', 'X.index'));
  });

  it('without its shard, or with one that does not count as many, is refused', async () => {
    await assert.rejects(read(index(['w', entry()]), {}), failure('ERR_FILE', 'model.data-00000-of-00001'));
    for (const shard of [1, -1, 2 ** 31]) {
      await refuses(index(['w', entry({ shard })]), '"w" lies in shard', 'of 1');
    }
    const many = table(['', encode([[1, 123456]])], ['w', entry({ shard: 100000 })]);
    await assert.rejects(read(many, shards), failure('ERR_FILE', 'model.data-100000-of-123456'));
  });

  it('whose tensors are not where it says is refused with their names', async () => {
    const refused = (tensor: Tensor, ...parts: string[]) => refuses(index(['w', entry(tensor)]), '"w"', ...parts);
    await refused({ offset: 12 }, '8 bytes at byte 12 of "model.data-00000-of-00001", which has 16', 'truncated');
    await refused({ size: 24, sides: [6] }, 'which has 16');
    await refused({ offset: 2n ** 63n - 1n }, 'which has 16');
    await refused({ offset: -8 }, 'byte -8', 'which has 16');
    await refused({ size: -8 }, 'which has 16');
    await refused({ sides: [3] }, '[3] takes 12 bytes, the file has 8');
    await refused({ sides: [2n ** 63n - 1n] }, 'side of');
    await refused({ sides: [-1] }, 'side of -1');
    await refused({ sides: [2n ** 32n, 2n ** 32n] }, 'the file has 8');
    await refused({ sides: Array<number>(1000).fill(1) }, '1000 dimensions');
    await refused({ dtype: 11 }, 'data type 11');
    await refused({ dtype: 0 }, 'data type 0');
    await refuses(index(['a', entry()], ['b', entry({ offset: 4 })]), '"b", 8 bytes at byte 4', 'overlaps');
    await refuses(index(['a', entry()], ['b', entry()]), '"b"', 'overlaps');
  });

  it('of a damaged tensor is refused with its name, whatever bit it is', async () => {
    const bytes = index(['a', entry()], ['b', entry({ offset: 8 })]);
    for (let bit = 0; bit < 128; bit++) {
      const damaged = Uint8Array.from(data);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const reading = read(bytes, { 'model.data-00000-of-00001': damaged });
      await assert.rejects(reading, failure('ERR_WEIGHTS_FORMAT', bit < 64 ? '"a"' : '"b"', 'CRC', 'damaged'));
    }
  });

  it('of a damaged index is refused, whatever byte of its blocks it is', async () => {
    const bytes = index(['w', entry()]);
    const block = makeBlock([header(), ['w', entry()]]).length + 5;
    for (let at = 0; at < bytes.length - 48; at++) {
      // The metaindex is not read.
      if (at >= block && at < block + 13) continue;
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x10;
      await refuses(damaged);
    }
  });

  it('of another machine, version, or partition is refused', async () => {
    const w: Entry = ['w', entry()];
    const version = (minConsumer: number): Message[number] => [3, [[1, 9], [2, minConsumer]]]; // biome-ignore format: a row
    const slice: Message[number] = [7, [[1, [[1, 0], [2, 1]]]]]; // biome-ignore format: a row
    await refuses(table(header([2, 1]), w), 'big-endian');
    await refuses(table(header(version(2)), w), 'version 2', 'expected 1');
    await refuses(index(['w', entry({ more: [slice] })]), '"w" is partitioned');
    assert.equal((await read(table(header(version(1)), w), shards)).tensors.size, 1);
  });

  it('whose index is no sound table is refused', async () => {
    const [w, other]: [Entry, Entry] = [['w', entry()], ['w', entry({ offset: 8 })]]; // biome-ignore format: a row
    const sound = index(w);
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(sound);
      change(bytes);
      return seal(bytes);
    };
    const footer = sound.length - 48;
    await refuses(sound.subarray(0, -1), 'truncated');
    await refuses(
      changed((bytes) => bytes.fill(0xff, footer, footer + 40)),
      'a block handle',
    );
    await refuses(
      changed((bytes) => bytes.set(varint(2 ** 52), footer + 2)),
      'a block ends at byte',
    );
    await refuses(
      changed((bytes) => (bytes[footer + 3] = 0)),
      'no place for its restarts',
    );
    // After the block of data, how it is compressed.
    const block = makeBlock([header(), w]).length;
    await refuses(
      changed((bytes) => (bytes[block] = 1)),
      'at byte 0 is compressed (1)',
    );
    await refuses(
      changed((bytes) => bytes.writeUInt32LE(2 ** 31, block - 4)),
      'no place for its restarts',
    );
    const second = makeEntry(...header()).length;
    await refuses(
      changed((bytes) => (bytes[second] = 1)),
      'an entry of 1 + 1 bytes of key',
    );
    await refuses(
      changed((bytes) => (bytes[second + 2] = 0x7f)),
      '127 of value does not fit',
    );
    await refuses(index(w, other), 'do not ascend');
    await refuses(makeTable(makeBlock([header(), w]), makeBlock([other])), 'do not ascend');
    // Names that are no UTF-8 become the same.
    await refuses(index([Buffer.of(0xfe), entry()], [Buffer.of(0xff), entry({ offset: 8 })]), 'occurs twice');
    // The block in the index is the metaindex, which is empty.
    const handle = block + 5 + 13 + 3;
    await refuses(
      changed((bytes) => bytes.set([block + 5, 8], handle)),
      'without a header',
    );
  });

  it('whose blocks are one, or whose names are endless, is refused in no time', async () => {
    const start = performance.now();
    const block = makeBlock([header()]);
    const handle = Buffer.concat([varint(0), varint(block.length)]);
    const handles = makeBlock(Array.from({ length: 70_000 }, (): Entry => ['', handle]));
    const footer = Buffer.alloc(48);
    Buffer.concat([handle, varint(block.length + 5), varint(handles.length)]).copy(footer);
    footer.write('57fb808b247547db', 40, 'hex');
    await refuses(seal(Buffer.concat([block, Buffer.alloc(5), handles, Buffer.alloc(5), footer])), 'overlaps');

    const number = (i: number) => Buffer.of(i >> 8, i);
    const names = Array.from({ length: 10_000 }, (_, i) => makeEntry(number(i + 1), new Uint8Array(0), 4000));
    const long = makeEntry(Buffer.alloc(4000, 'a'), new Uint8Array(0));
    const parts = [makeEntry(...header()), long, ...names, Buffer.of(0, 0, 0, 0, 1, 0, 0, 0)];
    await refuses(makeTable(Buffer.concat(parts)), 'the keys would take more than the 1048576 bytes');
    await refuses(makeTable(makeBlock([header()]), Buffer.alloc(5e6)), 'an index of');
    assert.ok(performance.now() - start < 5000);
  });

  it('cut anywhere, index or data, is refused', async () => {
    const bytes = readFileSync(network);
    const name = 'model.data-00000-of-00001';
    const whole = readFileSync(path.join(path.dirname(network), name));
    await read(bytes, { [name]: whole });
    for (let cut = 0; cut < 200; cut++) {
      const part = (of: Buffer) => of.subarray(0, Math.floor((cut * of.length) / 200));
      await assert.rejects(read(part(bytes), { [name]: whole }), failure('ERR_WEIGHTS_FORMAT', 'a/model.index: '));
      await assert.rejects(read(bytes, { [name]: part(whole) }), failure('ERR_WEIGHTS_FORMAT', 'truncated'));
    }
  });
});
