import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { test } from 'node:test';
import { convertWeights, ShuffleNet, type ConvertOptions } from '../../lib';
import { parameters } from '../../lib/network/parameters';
import { readSafetensors } from '../../lib/weights/formats/safetensors';
import { loadWeights } from '../../lib/weights/load';
import { dtypeBits } from '../../lib/weights/stored';
import { difference } from '../model/files';
import { checkpoints, largest } from './families/fixtures';
import { failure, float32, smallTensors, valuesOf, writeSafetensors } from './files';

const checkpoint = (name: string) => checkpoints.find((found) => found.name === name)!;
const open = (bytes: Uint8Array) => readSafetensors(bytes, 'converted');
const labels = Array.from({ length: 10 }, (_, i) => `class ${i}`);
const synsets = Array.from({ length: 10 }, (_, i) => `n0000000${i}`);

test('the metadata say what the network is, whose, from where, under which licence, and what the classes are', async () => {
  const { file } = checkpoint('tensorpack');
  const { metadata } = open(await convertWeights(file, { labels, synsets }));
  const { network, preprocess } = await loadWeights(file);
  const { stages: _, ...options } = network;
  const config = JSON.parse(metadata['shufflenet.config']!) as object;
  assert.deepEqual(config, { ...options, stageChannels: [48, 60, 72], squeezeExcitation: false });
  assert.deepEqual(JSON.parse(metadata['shufflenet.preprocess']!), preprocess);
  assert.equal(preprocess.channelOrder, 'BGR');
  assert.deepEqual(JSON.parse(metadata['shufflenet.labels']!), labels);
  assert.deepEqual(JSON.parse(metadata['shufflenet.synsets']!), synsets);
  assert.deepEqual(
    [metadata['shufflenet.version'], metadata['shufflenet.family'], metadata['shufflenet.source'], metadata['license']],
    ['1', 'tensorpack', 'tensorpack.npz (npz, tensorpack)', 'code: Apache-2.0; weights: as their publisher says'],
  );
});

test('the same file comes out each time, also of what was converted before', async () => {
  const { file } = checkpoint('mindcv');
  const first = Buffer.from(await convertWeights(file));
  assert.ok(first.equals(await convertWeights(file)));
  assert.ok(first.equals(await convertWeights(first)));
  const other = Buffer.from(await convertWeights(first, { labels }));
  assert.ok(first.subarray(-1000).equals(other.subarray(-1000)) && !first.equals(other));
});

test('the tensors are those of the network, at addresses that suit their elements, with their checksum', async () => {
  for (const dtype of [undefined, 'f16'] as const) {
    const bytes = await convertWeights(checkpoint('megvii').file, dtype && { dtype });
    const { tensors, metadata } = open(bytes);
    const { network } = await loadWeights(bytes);
    const expected = [...parameters(network)].map(([name, { shape }]): [string, number[]] => [name, shape]);
    const found = [...tensors].map(([name, { shape }]): [string, number[]] => [name, shape]);
    assert.deepEqual(new Map(found), new Map(expected));
    for (const [name, { bytes: own, dtype }] of tensors) {
      assert.equal((own.byteOffset - bytes.byteOffset) % (dtypeBits[dtype] / 8), 0, name);
    }
    const data = [...tensors.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    const sha256 = createHash('sha256').update(bytes.subarray(-data)).digest('hex');
    assert.equal(metadata['shufflenet.checksum'], `sha256:${sha256}`);
  }
});

for (const dtype of ['f32', 'f16', 'bf16'] as const) {
  test(`${dtype}: weights are rounded to the nearest, biases and batch norms stay float32`, async () => {
    const { file, input, logits } = checkpoint('jaxony');
    const [exact, converted] = [await loadWeights(file), await convertWeights(file, { dtype })];
    const unit = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8 }[dtype];
    for (const [name, { kind }] of parameters(exact.network)) {
      const found = open(converted).tensors.get(name)!;
      assert.equal(found.dtype, kind === 'weight' ? dtype.toUpperCase() : 'F32', name);
      const [wanted, got] = [valuesOf(exact.tensors[name]!), valuesOf(found as Parameters<typeof valuesOf>[0])];
      const bound = kind === 'weight' ? unit : 0;
      wanted.forEach((value, i) => {
        // Halves below 2^-14 have fewer bits.
        const least = bound && dtype === 'f16' ? 2 ** -25 : 0;
        assert.ok(Math.abs(got[i]! - value) <= Math.max(bound * Math.abs(value), least), `${name}[${i}]`);
      });
    }
    await using model = await ShuffleNet.load(converted);
    const distance = difference((await model.run(input)).data, logits);
    const size = largest(logits);
    assert.ok(distance <= { f32: 1e-5, f16: 0.01, bf16: 0.1 }[dtype] * size, `${distance} of ${size}`);
    if (dtype !== 'f32') assert.ok(distance > 1e-5 * size);
  });
}

test('halves become float32 where this is asked for, and stay what they are where not', async () => {
  const kept = open(await convertWeights());
  const widened = open(await convertWeights(undefined, { dtype: 'f32' }));
  const own = (await loadWeights()).tensors['fc.weight']!;
  assert.deepEqual([own.dtype, kept.tensors.get('fc.weight')!.dtype], ['F16', 'F16']);
  assert.ok(Buffer.from(own.bytes).equals(kept.tensors.get('fc.weight')!.bytes));
  const floats = widened.tensors.get('fc.weight')!;
  assert.deepEqual([floats.dtype, valuesOf({ ...floats, dtype: 'F32' })], ['F32', valuesOf(own)]);
  assert.match(kept.metadata['license']!, /^MIT/);
  assert.match(kept.metadata['shufflenet.source']!, /Tiny ImageNet/);
});

test("values that no file should have, or not this dtype's, are refused by the file's name for them", async () => {
  const file = (value: number) => {
    const tensors = [...smallTensors()].map(([name, tensor]) => [`module.${name}`, tensor] as const);
    const { shape } = tensors.find(([name]) => name === 'module.fc.weight')![1];
    const values = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => (i === 4 ? value : 1));
    return writeSafetensors(new Map(tensors).set('module.fc.weight', { dtype: 'F32', shape, bytes: float32(values) }));
  };
  const tensor = '<bytes>: tensor "module.fc.weight" (fc.weight) holds';
  for (const value of [NaN, Infinity, -Infinity]) {
    await assert.rejects(convertWeights(file(value)), failure('ERR_WEIGHTS_VALUE', `${tensor} ${value} at index 4`));
  }
  await assert.rejects(
    convertWeights(file(7e4), { dtype: 'f16' }),
    failure('ERR_WEIGHTS_VALUE', `${tensor} 70000 at index 4, which is beyond F16`),
  );
  await convertWeights(file(7e4), { dtype: 'bf16' });
});

test('refuses options that are none', async () => {
  const wrong: [unknown, ...string[]][] = [
    [{ dtype: 'fp16' }, 'dtype', "'bf16'", "'fp16'"],
    [{ synsets: ['n1'] }, 'options.synsets', '1 names for 200 classes'],
    [{ synsets: 'n1' }, 'options.synsets', '"n1"'],
    [{ labels: ['a'] }, 'options.labels', '1 names for 200 classes'],
    [{ type: 'f16' }, 'type', 'dtype'],
    [{ family: 'none' }, 'options.family', '"none"'],
  ];
  for (const [options, ...parts] of wrong) {
    await assert.rejects(convertWeights(undefined, options as ConvertOptions), failure('ERR_OPTION', ...parts));
  }
  const absent = path.join(__dirname, 'absent');
  await assert.rejects(convertWeights(absent), failure('ERR_FILE', absent));
});
