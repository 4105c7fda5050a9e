import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShuffleNetError } from '../../../lib/errors';
import { readSafetensors } from '../../../lib/weights/formats/safetensors';
import { failure, float32, makeFile, writeSafetensors } from '../files';

const sound = writeSafetensors(
  [
    ['a', { dtype: 'F32', shape: [2, 3], bytes: float32([1, 2, 3, 4, 5, 6]) }],
    ['scalar', { dtype: 'F16', shape: [], bytes: Uint8Array.of(0, 0x3c) }],
    ['empty', { dtype: 'F64', shape: [0, 7], bytes: new Uint8Array(0) }],
    ['counter', { dtype: 'I64', shape: [1], bytes: new Uint8Array(8) }],
    ['nibbles', { dtype: 'F4', shape: [3, 2], bytes: new Uint8Array(3) }],
  ],
  { key: 'value' },
);

test('reads tensors, in place, and metadata', () => {
  const { metadata, tensors } = readSafetensors(sound, 'x');
  assert.deepEqual({ ...metadata }, { key: 'value' });
  assert.deepEqual([...tensors.keys()], ['a', 'scalar', 'empty', 'counter', 'nibbles']);
  const a = tensors.get('a')!;
  assert.deepEqual([a.dtype, a.shape], ['F32', [2, 3]]);
  assert.deepEqual(new Uint8Array(a.bytes), float32([1, 2, 3, 4, 5, 6]));
  assert.equal(a.bytes.buffer, sound.buffer);
  assert.deepEqual([...tensors.get('scalar')!.bytes], [0, 0x3c]);
});

test('reads an empty file, padding spaces, tensors in any order, no metadata', () => {
  assert.equal(readSafetensors(makeFile('{}'), 'x').tensors.size, 0);
  const entry = (begin: number) => `{ "data_offsets":[${begin},${begin + 1}],"dtype":"U8" ,\n"shape":[1]}`;
  const header = `{"b":${entry(1)}, "a":${entry(0)}}  `;
  const { tensors, metadata } = readSafetensors(makeFile(header, Uint8Array.of(7, 8)), 'x');
  assert.deepEqual([tensors.get('a')!.bytes[0], tensors.get('b')!.bytes[0]], [7, 8]);
  assert.deepEqual(Object.keys(metadata), []);
});

test("names of Object.prototype are names like others, and metadata has no one's keys but the file's", () => {
  const entry = (begin: number) => `{"dtype":"U8","shape":[1],"data_offsets":[${begin},${begin + 1}]}`;
  const header = `{"__proto__":${entry(0)},"constructor":${entry(1)},"__metadata__":{"__proto__":"x"}}`;
  const { tensors, metadata } = readSafetensors(makeFile(header, Uint8Array.of(1, 2)), 'x');
  assert.deepEqual([...tensors.keys()], ['__proto__', 'constructor']);
  assert.deepEqual(Object.keys(metadata), ['__proto__']);
  assert.equal(metadata['toString'], undefined);
  assert.equal(({} as Record<string, unknown>)['dtype'], undefined);
});

/** A header whose only tensor is `t`, with these fields over sound ones. */
const tensor = (fields: object) => JSON.stringify({ t: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });
const two = (first: number[], second: number[]) =>
  JSON.stringify({
    first: { dtype: 'U8', shape: [first[1]! - first[0]!], data_offsets: first },
    second: { dtype: 'U8', shape: [second[1]! - second[0]!], data_offsets: second },
  });
const lengthOnly = (length: bigint, rest = '') => {
  const file = Buffer.alloc(8 + rest.length);
  file.writeBigUInt64LE(length);
  file.write(rest, 8);
  return file;
};
const eight = new Uint8Array(8);

const malformed: [string, Uint8Array, ...string[]][] = [
  ['no bytes', new Uint8Array(0), '0 bytes'],
  ['seven bytes', new Uint8Array(7), '7 bytes'],
  ['header length 0', lengthOnly(0n), 'header length 0', 'expected 2'],
  ['header length 1', lengthOnly(1n, '{'), 'header length 1'],
  ['header length above the limit', lengthOnly(100_000_001n, '{}'), 'header length 100000001', '100000000'],
  ['header length 2^64 - 1', lengthOnly(2n ** 64n - 1n, '{}'), 'header length 18446744073709552000'],
  ['header length 2^32 + 2, low half plausible', lengthOnly(2n ** 32n + 2n, '{}'), 'header length 4294967298'],
  ['header beyond the file', lengthOnly(100_000_000n, '{}'), 'header of 100000000 bytes', 'only 2 follow', 'truncated'],
  ['not an object', makeFile('[]'), "start with '{'"],
  ['leading space', makeFile(' {}'), "start with '{'"],
  ['byte order mark', makeFile('\ufeff{}'), "start with '{'"],
  ['invalid UTF-8', makeFile(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), 'UTF-8'],
  ['overlong UTF-8', makeFile(Uint8Array.of(0x7b, 0x22, 0xc0, 0x80, 0x22, 0x7d)), 'UTF-8'],
  ['cut JSON', makeFile('{"a":'), 'JSON'],
  ['unterminated string', makeFile('{"a\\'), 'JSON'],
  ['unterminated escape before a colon', makeFile('{"\\x":1}'), 'JSON'],
  ['more closed than opened', makeFile('{}}"a":1'), 'JSON'],
  ['text after the object', makeFile('{} {}'), 'JSON'],
  ['zero bytes after the object', makeFile('{}\0'), 'JSON'],
  ['deep nesting', makeFile(`{"a":${'['.repeat(100_000)}`), 'nested deeper than 8'],
  ['a bomb of small values', makeFile(`{"a":[${'[],'.repeat(2_000_000)}[]]}`), 'more than 2000000 values'],
  [
    'duplicate tensor',
    makeFile(
      '{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},' + '"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
    ),
    '"t" occurs twice',
  ],
  ['duplicate by escape', makeFile('{"\\u0074":{},"t" :{}}'), '"t" occurs twice'],
  ['duplicate after an escaped quote', makeFile('{"a\\"":{},"a\\"":{}}'), '"a\\"" occurs twice'],
  ['duplicate __proto__', makeFile('{"__proto__":{},"__proto__":{}}'), '"__proto__" occurs twice'],
  ['duplicate field', makeFile('{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"dtype":"U8"}}'), '"dtype" occurs'],
  ['duplicate metadata', makeFile('{"__metadata__":{"k":"1","k":"2"}}'), '"k" occurs twice'],
  ['metadata not an object', makeFile('{"__metadata__":[]}'), '__metadata__', 'object'],
  ['metadata null', makeFile('{"__metadata__":null}'), '__metadata__', 'null'],
  ['metadata value not a string', makeFile('{"__metadata__":{"k":1}}'), '"k"', 'string', 'is 1'],
  ['tensor not an object', makeFile('{"t":"F32"}'), '"t"', 'object', 'is "F32"'],
  ['tensor null', makeFile('{"t":null}'), '"t"', 'null'],
  [
    'fields in __proto__ only',
    makeFile('{"t":{"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}}'),
    '"t"',
    '"__proto__"',
  ],
  ['unknown field', makeFile(tensor({ stride: 1 }), eight), '"t"', '"stride"'],
  ['no dtype', makeFile(tensor({ dtype: undefined }), eight), '"t"', 'dtype', 'F32', 'undefined'],
  ['unknown dtype', makeFile(tensor({ dtype: 'F33' }), eight), '"t"', '"F33"'],
  ['dtype of Object.prototype', makeFile(tensor({ dtype: 'toString' }), eight), '"t"', '"toString"'],
  ['no shape', makeFile(tensor({ shape: undefined }), eight), '"t"', 'shape'],
  ['shape not an array', makeFile(tensor({ shape: { length: 1, 0: 2 } }), eight), '"t"', 'shape'],
  ['negative size', makeFile(tensor({ shape: [-2] }), eight), '"t"', 'shape'],
  ['fractional size', makeFile(tensor({ shape: [0.5, 4] }), eight), '"t"', 'shape'],
  ['size as text', makeFile(tensor({ shape: ['2'] }), eight), '"t"', 'shape'],
  ['size 2^53', makeFile(tensor({ shape: [2 ** 53] }), eight), '"t"', 'shape'],
  ['size infinite', makeFile('{"t":{"dtype":"U8","shape":[1e999],"data_offsets":[0,8]}}', eight), '"t"', 'shape'],
  // 2^32 * 2^32 * 2 is 2 modulo 2^64.
  ['product overflows', makeFile(tensor({ shape: [2 ** 32, 2 ** 32, 2] }), eight), '"t"', 'more than 2^53 bits'],
  [
    'product overflows before a 0',
    makeFile(tensor({ shape: [2 ** 52, 2 ** 52, 0], data_offsets: [0, 0] })),
    '"t"',
    'more than 2^53 bits',
  ],
  ['shape larger than the span', makeFile(tensor({ shape: [3] }), eight), '"t"', 'F32 [3] takes 12 bytes', 'span 8'],
  ['shape smaller than the span', makeFile(tensor({ shape: [1] }), eight), '"t"', 'F32 [1] takes 4 bytes', 'span 8'],
  ['dtype smaller than the span', makeFile(tensor({ dtype: 'F16' }), eight), '"t"', 'F16 [2] takes 4 bytes', 'span 8'],
  [
    'half a byte',
    makeFile(tensor({ dtype: 'F4', shape: [1], data_offsets: [0, 1] }), eight.slice(7)),
    '"t"',
    '0.5 bytes',
  ],
  ['no offsets', makeFile(tensor({ data_offsets: undefined }), eight), '"t"', 'data_offsets'],
  ['one offset', makeFile(tensor({ data_offsets: [0] }), eight), '"t"', 'data_offsets', 'two'],
  ['three offsets', makeFile(tensor({ data_offsets: [0, 8, 8] }), eight), '"t"', 'data_offsets', 'two'],
  ['negative offset', makeFile(tensor({ data_offsets: [-8, 0] }), eight), '"t"', 'data_offsets'],
  ['descending offsets', makeFile(tensor({ data_offsets: [8, 0] }), eight), '"t"', '[8, 0]', 'ascend'],
  [
    'offset beyond the file',
    makeFile(tensor({ shape: [3], data_offsets: [0, 12] }), eight),
    '"t"',
    '[0, 12]',
    "within the file's 8 bytes",
  ],
  ['offset 2^53 - 1', makeFile(tensor({ data_offsets: [2 ** 53 - 9, 2 ** 53 - 1] }), eight), '"t"', 'within'],
  ['overlap', makeFile(two([0, 5], [4, 8]), eight), '"second"', 'overlaps', 'byte 4'],
  ['overlap by one inside the other', makeFile(two([0, 8], [2, 4]), eight), '"second"', 'overlaps'],
  ['same bytes twice', makeFile(two([0, 8], [0, 8]), eight), '"second"', 'overlaps'],
  ['hole at the start', makeFile(two([1, 4], [4, 8]), eight), '1 bytes before tensor "first"'],
  ['hole in between', makeFile(two([0, 3], [5, 8]), eight), '2 bytes before tensor "second"'],
  ['bytes after the last tensor', makeFile(two([0, 3], [3, 7]), eight), '1 bytes after'],
  ['data without tensors', makeFile('{}', eight), '8 bytes after'],
];
for (const [label, bytes, ...parts] of malformed) {
  test(`refuses: ${label}`, () => {
    assert.throws(
      () => readSafetensors(bytes, 'a.safetensors'),
      failure('ERR_WEIGHTS_FORMAT', 'a.safetensors: ', ...parts),
    );
  });
}

test('names in messages are escaped and cut', () => {
  const name = `\u001b[31m${'n'.repeat(1_000_000)}`;
  assert.throws(
    () => readSafetensors(makeFile(JSON.stringify({ [name]: 1 })), 'x'),
    (error: Error) => {
      assert.ok(error.message.length < 300 && error.message.includes('\\u001b'), error.message.slice(0, 300));
      return true;
    },
  );
});

test('a file truncated anywhere, or with a byte more, is refused', () => {
  for (let length = 0; length < sound.length; length++) {
    assert.throws(() => readSafetensors(sound.subarray(0, length), 'x'), failure('ERR_WEIGHTS_FORMAT', 'x: '));
  }
  assert.throws(
    () => readSafetensors(Buffer.concat([sound, Buffer.alloc(1)]), 'x'),
    failure('ERR_WEIGHTS_FORMAT', '1 bytes after'),
  );
});

test('every single-bit flip: refused, or tensors that still tile the file', () => {
  const flipped = Buffer.from(sound);
  const data = sound.length - 8 - Number(sound.readBigUInt64LE());
  let refused = 0;
  for (let bit = 0; bit < sound.length * 8; bit++) {
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const { tensors } = readSafetensors(flipped, 'x');
      assert.equal(tensors.size, 5);
      assert.equal(
        [...tensors.values()].reduce((sum, { bytes }) => sum + bytes.length, 0),
        data,
      );
    } catch (error) {
      assert.ok(error instanceof ShuffleNetError && error.code === 'ERR_WEIGHTS_FORMAT', `bit ${bit}: ${error}`);
      refused++;
    }
    flipped[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.ok(refused > sound.length * 4, `${refused}`);
});

test('any JSON as header is refused or read, never another exception', () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom('F32', [0, 4], [4, 0], [1], [2 ** 53 - 1, 1024]));
  const entry = fc.oneof(fc.jsonValue(), fc.record({ dtype: field, shape: field, data_offsets: field }));
  const header = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__metadata__', '__proto__')), entry);
  fc.assert(
    fc.property(header, fc.uint8Array({ max: 16 }), (object, data) => {
      try {
        readSafetensors(makeFile(JSON.stringify(object), data), 'x');
      } catch (error) {
        assert.ok(error instanceof ShuffleNetError && error.code === 'ERR_WEIGHTS_FORMAT', String(error));
      }
    }),
    { seed: 1707, numRuns: 2000 },
  );
});
