import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ShuffleNet } from '../../lib';
import { binding } from '../../lib/native/binding';
import type { Graph } from '../../lib/network/layers';
import type { RawTensor } from '../../lib/weights/resolve';
import { failure, float32, smallOptions, smallTensors, valuesOf, writeSafetensors } from '../weights/files';
import { noise } from './files';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-values-'));
after(() => rmSync(folder, { recursive: true }));

/** The values the core reads from a tensor, on which nothing is computed but 0 * 0 + value. */
async function nativeValues(tensor: RawTensor): Promise<Float32Array> {
  const outFeatures = tensor.bytes.length / (tensor.dtype === 'F32' ? 4 : 2);
  const graph: Graph = {
    layers: [
      { name: 'input', op: 'input', channels: 1 },
      { name: 'pool', op: 'globalPool', input: 0, mode: 'avg' },
      { name: 'fc', op: 'fullyConnected', input: 1, outFeatures, weight: 'weight', bias: 'bias' },
    ],
    output: 2,
  };
  const model = await binding().createModel(
    0,
    graph,
    { weight: new Float32Array(outFeatures), bias: tensor },
    { threads: 1 },
  );
  const output = new Float32Array(outFeatures);
  model.runSync(new Float32Array(32 * 32), 1, 32, 32, false, [output]);
  model.close();
  return output;
}

const isFinite16 = {
  F16: (bits: number) => (bits & 0x7c00) !== 0x7c00,
  BF16: (bits: number) => (bits & 0x7f80) !== 0x7f80,
};

for (const dtype of ['F16', 'BF16'] as const) {
  test(`${dtype}: every finite pattern at any address; denormals of float32 count as zero in a run`, async () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(isFinite16[dtype]);
    for (const offset of [0, 1, 2, 3]) {
      const bytes = new Uint8Array(patterns.byteLength + offset).subarray(offset);
      bytes.set(new Uint8Array(patterns.buffer, patterns.byteOffset, patterns.byteLength));
      const values = await nativeValues({ dtype, bytes });
      const expected = valuesOf({ dtype, bytes });
      for (const [i, value] of expected.entries()) {
        const smallest = Math.abs(value) < 2 ** -126;
        assert.ok(
          values[i] === value || (smallest && values[i] === 0),
          `${patterns[i]}: ${values[i]}, expected ${value}`,
        );
      }
    }
  });
}

test('F16: values computed with numpy', async () => {
  const cases: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x8001, -(2 ** -24)],
    [0x03ff, 6.097555160522461e-5],
    [0x0400, 6.103515625e-5],
  ];
  const bytes = new Uint8Array(Uint16Array.from(cases, ([pattern]) => pattern).buffer);
  assert.deepEqual(
    await nativeValues({ dtype: 'F16', bytes }),
    Float32Array.from(cases, ([, value]) => value),
  );
  assert.deepEqual(
    valuesOf({ dtype: 'F16', bytes }),
    Float32Array.from(cases, ([, value]) => value),
  );
});

test('F32 at any address', async () => {
  const values = Float32Array.of(1, -1.5, 3.4e38, 2 ** -126, 0.1);
  for (const offset of [0, 1, 2, 3]) {
    const bytes = new Uint8Array(values.byteLength + offset).subarray(offset);
    bytes.set(new Uint8Array(values.buffer));
    assert.deepEqual(await nativeValues({ dtype: 'F32', bytes }), values);
  }
});

const load = (tensors: ReturnType<typeof smallTensors>, metadata?: Record<string, string>) =>
  ShuffleNet.load(writeSafetensors(tensors, metadata), { network: smallOptions });

test('a file whose tensors lie at odd addresses gives the same', async () => {
  const logits = [];
  for (const padding of ['', ' ', '  ', '   ']) {
    logits.push((await (await load(smallTensors(), { padding })).run(noise(1, 3, 32, 32))).data);
  }
  for (const other of logits.slice(1)) assert.deepEqual(other, logits[0]);
  assert.ok(logits[0]!.some((value) => value !== 0));
});

test('names file, tensor, index and value of what is not finite', async () => {
  const bytes16 = (bits: number) => Uint8Array.of(0, 0, bits & 255, bits >> 8, 0, 0);
  const cases: [string, Uint8Array, string][] = [
    ['F32', float32([1, NaN, 0]), 'NaN'],
    ['F32', float32([1, Infinity, 0]), 'Infinity'],
    ['F32', float32([1, -Infinity, 0]), '-Infinity'],
    ['F16', bytes16(0x7c00), 'Infinity'],
    ['F16', bytes16(0xfc00), '-Infinity'],
    ['F16', bytes16(0xfc01), 'NaN'],
    ['BF16', bytes16(0x7f80), 'Infinity'],
    ['BF16', bytes16(0x7fc0), 'NaN'],
  ];
  for (const [dtype, bytes, value] of cases) {
    const tensors = smallTensors();
    tensors.set('fc.bias', { dtype, bytes, shape: [3] });
    await assert.rejects(
      load(tensors),
      failure('ERR_WEIGHTS_VALUE', `<bytes>: tensor 'fc.bias' holds ${value} at index 1; weights must be finite`),
    );
  }
  const tensors = smallTensors();
  tensors.get('fc.weight')!.bytes.fill(0xff, 0, 4);
  const file = path.join(folder, 'bad.safetensors');
  writeFileSync(file, writeSafetensors(tensors));
  await assert.rejects(
    ShuffleNet.load(file, { network: smallOptions }),
    failure('ERR_WEIGHTS_VALUE', `${file}: tensor 'fc.weight' holds NaN at index 0`),
  );
});

test('variances must be positive; denormal ones and zeros elsewhere are fine', async () => {
  const name = [...smallTensors().keys()].find((each) => each.endsWith('running_var'))!;
  const { length } = valuesOf(smallTensors().get(name) as RawTensor);
  const withVariance = (value: number) => {
    const tensors = smallTensors();
    tensors.get(name)!.bytes = float32(Array.from({ length }, (_, i) => (i === length - 1 ? value : 1)));
    return load(tensors);
  };
  for (const value of [0, -0, -1, -1e-45, NaN]) {
    await assert.rejects(
      withVariance(value),
      failure('ERR_WEIGHTS_VALUE', `<bytes>: tensor '${name}' holds `, ` at index ${length - 1}; `),
    );
  }
  for (const value of [5.6e-45, 6.5e-14]) assert.ok(await withVariance(value));
  const zeros = smallTensors();
  zeros.get(name.replace('running_var', 'running_mean'))!.bytes.fill(0);
  assert.ok(await load(zeros));
});
