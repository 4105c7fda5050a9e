import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ShuffleNetError } from '../../../lib';
import { readStored } from '../../../lib/weights/formats/read';
import { loadWeights } from '../../../lib/weights/load';
import type { StoredTensor } from '../../../lib/weights/stored';
import { failure, float32 } from '../files';

const fixtures = path.join(__dirname, '../../../../test/fixtures/checkpoints/tfjs');

function readFixture(name: string) {
  const sibling = (shard: string) => Promise.resolve(new Uint8Array(readFileSync(path.join(fixtures, shard))));
  return readStored({ file: name, bytes: readFileSync(path.join(fixtures, `${name}.json`)), sibling });
}

/** Element i of a tensor of the fixtures is i + its number. */
const ramp = (number: number, length: number) => Float32Array.from({ length }, (_, i) => i + number);
const floats = ({ bytes }: StoredTensor) => new Float32Array(new Uint8Array(bytes).buffer);

interface Weight {
  name?: unknown;
  shape?: unknown;
  dtype?: unknown;
  quantization?: unknown;
}

/** A model of one group in shards of these bytes, read as a file called model.json. */
function read(weights: Weight[], shards: Record<string, Uint8Array>, manifest?: unknown) {
  const weightsManifest = manifest ?? [{ paths: Object.keys(shards), weights }];
  const bytes = Buffer.from(JSON.stringify({ format: 'graph-model', weightsManifest }));
  const sibling = (name: string) => {
    const shard = shards[name];
    return shard ? Promise.resolve(shard) : Promise.reject(new ShuffleNetError('ERR_FILE', `${name} does not exist`));
  };
  return readStored({ file: 'model.json', bytes, sibling });
}

test('reads groups of weights, also where they lie in several shards, and halves as they are', async () => {
  const { format, tensors, metadata } = await readFixture('plain');
  assert.equal(format, 'tfjs');
  assert.deepEqual([...tensors.keys()], ['conv1/kernel', 'conv1/bias', 'a/b/fc_/g0/kernel', 'half']);
  const kernel = tensors.get('conv1/kernel')!;
  assert.deepEqual([kernel.dtype, kernel.shape, floats(kernel)], ['F32', [2, 3, 4], ramp(0, 24)]);
  assert.deepEqual(floats(tensors.get('a/b/fc_/g0/kernel')!), ramp(2, 10));
  const half = tensors.get('half')!;
  assert.deepEqual(
    [half.dtype, ...new Uint16Array(new Uint8Array(half.bytes).buffer)],
    ['F16', 0x4200, 0x4400, 0x4500],
  );
  assert.equal(metadata['format'], 'graph-model');
});

for (const [name, step] of [
  ['bytes', 255 / 255],
  ['shorts', 255 / 65535],
] as const) {
  test(`reads weights quantised to ${name} to within half a step`, async () => {
    const tensor = (await readFixture(name)).tensors.get('a')!;
    assert.deepEqual([tensor.dtype, tensor.shape], ['F32', [4, 64]]);
    const exact = ramp(-3, 256);
    for (const [i, value] of floats(tensor).entries()) {
      assert.ok(Math.abs(value - exact[i]!) <= step / 2 + 1e-4, `${i}: ${value}`);
    }
  });
}

test('rounds whole numbers that were quantised, reads empty tensors and shards, scalars, and models without weights', async () => {
  const whole = { dtype: 'uint8', scale: 0.3, min: -1 };
  const { tensors } = await read(
    [
      { name: 'q', shape: [2], dtype: 'int32', quantization: whole },
      { name: 'none', shape: [0, 7], dtype: 'float32' },
      { name: 'scalar', shape: [], dtype: 'bool' },
    ],
    { a: Uint8Array.of(2, 10), b: new Uint8Array(0), c: Uint8Array.of(1) },
  );
  assert.deepEqual([...new Int32Array(new Uint8Array(tensors.get('q')!.bytes).buffer)], [0, 2]);
  assert.deepEqual([tensors.get('none')!.bytes.length, tensors.get('scalar')!.bytes[0]], [0, 1]);
  assert.equal((await read([], {}, [])).tensors.size, 0);
});

const four = new Uint8Array(4);
const f32 = { name: 'w', shape: [1], dtype: 'float32' };
const quantised = (quantization: unknown) => [{ ...f32, quantization }];
const malformed: [string, Weight[], Record<string, Uint8Array>, ...string[]][] = [
  ['a shard too short', [f32], { a: four.subarray(1) }, 'take 4 bytes', '1 shards have 3'],
  ['a shard too long', [f32], { a: new Uint8Array(5) }, 'take 4 bytes', 'have 5 or more'],
  ['no shard', [f32], {}, 'take 4 bytes', '0 shards have 0'],
  ['a shard for nothing', [], { a: four }, 'take 0 bytes', 'have 4 or more'],
  ['a name twice', [f32, f32], { a: new Uint8Array(8) }, '"w" occurs twice'],
  ['no name', [{ ...f32, name: 1 }], { a: four }, 'name', 'is 1'],
  ['a weight that is none', ['w' as Weight], { a: four }, 'object', 'is "w"'],
  ['no shape', [{ ...f32, shape: undefined }], { a: four }, '"w"', 'shape'],
  ['a negative side', [{ ...f32, shape: [-1] }], { a: four }, '"w"', 'shape'],
  ['a fraction of a side', [{ ...f32, shape: [0.5, 2] }], { a: four }, '"w"', 'shape'],
  ['a side of 2^63', [{ ...f32, shape: [2 ** 63] }], { a: four }, '"w"', 'shape'],
  ['sides whose product is 0 modulo 2^64', [{ ...f32, shape: [2 ** 32, 2 ** 32] }], { a: four }, '"w"', '2^53 bytes'],
  ['huge sides', [{ ...f32, shape: [2 ** 50] }], { a: four }, 'take 4503599627370496 bytes'],
  ['an unknown dtype', [{ ...f32, dtype: 'string' }], { a: four }, '"w"', 'float32', '"string"'],
  ['a dtype of Object.prototype', [{ ...f32, dtype: 'toString' }], { a: four }, '"w"', '"toString"'],
  ['a quantization that is none', quantised('uint8'), { a: four }, '"w"', 'object'],
  ['an unknown quantization', quantised({ dtype: 'int4', scale: 1, min: 0 }), { a: four }, '"w"', '"int4"'],
  ['quantised to floats', quantised({ dtype: 'float32', scale: 1, min: 0 }), { a: four }, '"w"', 'uint8, uint16'],
  ['no scale', quantised({ dtype: 'uint8', min: 0 }), { a: four.subarray(3) }, '"w"', 'undefined and 0'],
  ['an infinite scale', quantised({ dtype: 'uint8', scale: null, min: 0 }), { a: four.subarray(3) }, '"w"', 'null'],
  [
    'quantised bytes',
    [{ ...f32, dtype: 'uint8', quantization: { dtype: 'uint8', scale: 1, min: 0 } }],
    { a: four.subarray(3) },
    'float32 or int32',
  ],
];
for (const [what, weights, shards, ...parts] of malformed) {
  test(`refuses: ${what}`, async () => {
    await assert.rejects(read(weights, shards), failure('ERR_WEIGHTS_FORMAT', 'model.json: ', ...parts));
  });
}

test('refuses manifests that are none, and a shard that is named twice', async () => {
  for (const manifest of [{}, 'x', 3, [1], [{}], [{ paths: {}, weights: [] }], [{ paths: [1], weights: [f32] }]]) {
    await assert.rejects(read([], {}, manifest), failure('ERR_WEIGHTS_FORMAT', 'weightsManifest'));
  }
  const twice = { paths: ['a', 'a'], weights: [f32] };
  await assert.rejects(read([], { a: four.subarray(2) }, [twice]), failure('ERR_WEIGHTS_FORMAT', '"a" is named twice'));
  await assert.rejects(read([], {}, [{ paths: ['a'], weights: [f32] }]), failure('ERR_FILE', 'a does not exist'));
});

test('refuses bytes without a path, long and deep files, and what is no JSON', async () => {
  const refused = (text: string | Uint8Array, ...parts: string[]) =>
    assert.rejects(readStored({ file: 'x', bytes: Buffer.from(text) }), failure('ERR_WEIGHTS_FORMAT', 'x: ', ...parts));
  await refused(JSON.stringify({ weightsManifest: [{ paths: ['a'], weights: [f32] }] }), 'pass its path');
  await refused(`{"weightsManifest":${'['.repeat(100_000)}`, 'nested deeper than 64');
  await refused(`{"weightsManifest":[],"weightsManifest":[]}`, 'occurs twice');
  await refused('{"weightsManifest":[', 'JSON');
  await refused('{"modelTopology":{}}', 'weightsManifest');
  await refused(Buffer.concat([Buffer.from('{"a":"bbb'), Buffer.from([0xff]), Buffer.from('"}')]), 'UTF-8');
  await refused(`{"a":"${'b'.repeat(17 * 2 ** 20)}"}`, 'bytes of JSON');
});

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-tfjs-'));
after(() => rmSync(folder, { recursive: true }));

test('never leaves the folder of the file', async () => {
  const outside = path.join(path.dirname(folder), `${path.basename(folder)}.bin`);
  writeFileSync(outside, float32([1]));
  try {
    for (const name of [`../${path.basename(outside)}`, outside, '..', '.', 'sub/../a.bin', '']) {
      writeFileSync(
        path.join(folder, 'model.json'),
        JSON.stringify({ weightsManifest: [{ paths: [name], weights: [f32] }] }),
      );
      await assert.rejects(loadWeights(path.join(folder, 'model.json')), failure('ERR_FILE', 'plain name'));
    }
  } finally {
    rmSync(outside);
  }
  assert.ok(existsSync(path.join(folder, 'model.json')));
});
