import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readStored } from '../../../lib/weights/formats/read';
import { contents, fixture, read, refuses } from './stored';
import { makeZip } from './zips';

const from = (first: number, length: number) => Array.from({ length }, (_, i) => first + i);

// As test/weights/make-fixtures/readers.py makes them.
const arrays = [
  ...['f4', 'f2', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8'].map((name, number) => [
    name,
    [`${name[0]!.toUpperCase()}${8 * Number(name[1])}`, [2, 3], from(number, 6)],
  ]),
  ['b1', ['BOOL', [2, 3], [1, 1, 1, 1, 1, 1]]],
  ['c8', ['C64', [2, 3], from(12, 6).flatMap((real) => [real, 0])]],
  ['stage2/block0/conv1/W', ['F32', [2, 3, 4], from(0, 24)]],
  ['fortran', ['F32', [2, 3, 4], from(0, 24)]],
  ['scalar', ['F32', [], [3]]],
  ['empty', ['F32', [0, 3], []]],
];

/** A .npy file of float32 1 to 6, but for its header's fields. */
function npy({
  descr = "'<f4'",
  order = 'False',
  shape = '(2, 3)',
  data = new Uint8Array(24),
  version = 1,
} = {}): Buffer {
  const header = `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(header.length, 0, length.length);
  return Buffer.concat([
    Buffer.from(`\x93NUMPY${String.fromCharCode(version)}\0`, 'latin1'),
    length,
    Buffer.from(header),
    data,
  ]);
}
const npz = (data: Uint8Array, name = 'a.npy') => makeZip([{ name, data }]);

describe('what NumPy 1.24 wrote', () => {
  it('savez: every type and both orders, in place unless in Fortran order', async () => {
    const bytes = readFileSync(fixture('arrays.npz'));
    const file = await readStored({ file: 'arrays.npz', bytes });
    assert.deepEqual([file.format, contents(file)], ['npz', arrays]);
    for (const [name, tensor] of file.tensors) {
      if (tensor.bytes.length > 0) assert.equal(tensor.bytes.buffer === bytes.buffer, name !== 'fortran', name);
    }
    assert.deepEqual(Object.keys(file.metadata), []);
  });

  it('savez_compressed: the same', async () => {
    const file = await readStored({ file: 'x', bytes: readFileSync(fixture('arrays-compressed.npz')) });
    assert.deepEqual(contents(file), arrays);
  });

  it('arrays of objects and big-endian ones are refused by name', async () => {
    await refuses(readFileSync(fixture('objects.npz')), '"bad.npy": expected a dtype of <f4', 'got "|O"', 'a pickle');
    await refuses(readFileSync(fixture('big-endian.npz')), '"bad.npy": expected a dtype of', 'got ">f4"');
  });
});

describe('a .npz file', () => {
  it('may have arrays of any version, and names of Object.prototype', async () => {
    for (const version of [1, 2, 3]) {
      const { tensors } = await read(npz(npy({ version }), '__proto__.npy'));
      assert.deepEqual([...tensors.keys()], ['__proto__']);
      assert.deepEqual(tensors.get('__proto__')!.shape, [2, 3]);
    }
  });

  it('is refused when a header is malformed or does not fit its data', async () => {
    const malformed = 'malformed header';
    for (const [fields, ...parts] of [
      [{ descr: "'<f16'" }, 'got "<f16"'],
      [{ descr: "'<U5'" }, 'got "<U5"'],
      [{ descr: "[('x', '<f4')]" }, 'expected a dtype of'],
      [{ descr: "__import__('os').system('x')" }, malformed],
      [{ order: '1' }, malformed],
      [{ shape: '6' }, malformed],
      [{ shape: '(6)' }, malformed],
      [{ shape: '(-6,)' }, malformed],
      [{ shape: '(2, 3.0)' }, malformed],
      [{ shape: `(${'1, '.repeat(33)})` }, malformed],
      [{ shape: `(${2n ** 63n}, 3)` }, malformed],
      [{ shape: '(94906267, 94906267)' }, 'expected more than 2^53 bytes'],
      [{ shape: '(2, 4)' }, 'expected 32 bytes of data for <f4 [2, 4], got 24'],
      [{ shape: '(5,)' }, 'expected 20 bytes of data'],
      [{ version: 4 }, 'expected .npy version 1, 2 or 3, got 4'],
      [{ shape: `(2, ${' '.repeat(10_000)}3)` }, 'a header of', 'expected at most 10000'],
    ] as const) {
      await refuses(npz(npy(fields)), '"a.npy": ', ...parts);
    }
    await refuses(npz(npy().subarray(0, 40)), 'truncated: the header ends at');
    await refuses(npz(Buffer.alloc(20)), 'not a .npy file');
    await refuses(
      makeZip([
        { name: 'a.npy', data: npy() },
        { name: 'b.txt', data: npy() },
      ]),
      '"b.txt" in the .npz file',
    );
  });
});
