import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ShuffleNet, type Tensor, type Variant } from '../../../lib';
import { readNpy } from '../../../lib/cli/npy';
import { convertWeights } from '../../../lib/weights/convert';
import { loadWeights } from '../../../lib/weights/load';
import { failure } from '../files';
import { asNpz } from '../npz';

const folder = path.join(__dirname, '../../../../test/fixtures/checkpoints/keras');
const npy = (name: string): Tensor => readNpy(readFileSync(path.join(folder, name)), name);
const hdf5 = (name: string) => gunzipSync(readFileSync(path.join(folder, name)));

/** Of files by make-fixtures/{keras,tensor_bundle}.py, and by TensorFlow.js itself. */
interface Fixture {
  family: string;
  weights: () => string | Uint8Array;
  input: string;
  logits: string;
  /** Each of them gives other logits. */
  wrong: Partial<Variant>[];
}

const pads: Partial<Variant>[] = [
  { stemPadding: { begin: 1, end: 1 } },
  { maxPoolPadding: { begin: 1, end: 1 } },
  { avgPoolPadding: { begin: 1, end: 1 } },
  { avgPoolCountPadding: true },
  { depthwisePadding: { begin: 1, end: 1 } },
];
const common: Partial<Variant>[] = [
  { shuffleOrder: 'inverse' },
  { shufflePlace: 'afterDepthwise' },
  { concatOrder: 'shortcutBranch' },
  { concatRelu: 'none' },
  { stemRelu: false },
  { maxPool: false },
];

const fixtures: Record<string, Fixture> = {
  'scheckmedia, HDF5': {
    family: 'scheckmedia',
    weights: () => hdf5('scheckmedia.h5.gz'),
    input: 'input.npy',
    logits: 'scheckmedia.logits.npy',
    wrong: [...common, ...pads, { avgPoolKernel: 2 }, { globalPool: 'max' }, { batchNormEpsilon: 1e-5 }],
  },
  'scheckmedia, a layers model by TensorFlow.js': {
    family: 'scheckmedia',
    weights: () => path.join(folder, 'layers/model.json'),
    input: 'layers/input.npy',
    logits: 'layers/logits.npy',
    wrong: [{ globalPool: 'avg' }],
  },
  'kerascv, HDF5': {
    family: 'kerascv',
    weights: () => hdf5('kerascv.h5.gz'),
    input: 'input.npy',
    logits: 'kerascv.logits.npy',
    wrong: [
      ...common,
      { stemPadding: 'same' },
      { avgPoolPadding: 'same' },
      { avgPoolPadding: { begin: 1, end: 1 } },
      { avgPoolPadding: { begin: 1, end: 1 }, avgPoolCountPadding: false },
      { depthwisePadding: 'same' },
      { globalPool: 'max' },
      { batchNormEpsilon: 1e-3 },
      { shuffleFirstUnit: false },
    ],
  },
  'kerascv as published, HDF5 by MXNet': {
    family: 'kerascv',
    weights: () => hdf5('kerascv-mxnet.h5.gz'),
    input: 'input.npy',
    logits: 'kerascv-mxnet.logits.npy',
    wrong: [...common, { avgPoolPadding: { begin: 1, end: 1, reflect: true } }, { avgPoolCountPadding: false }],
  },
  "TropComplique, TensorFlow's checkpoint with the optimizer's tensors": {
    family: 'tropcomplique',
    weights: () => path.join(folder, 'tropcomplique/model.index'),
    input: 'input.npy',
    logits: 'tropcomplique.logits.npy',
    wrong: [],
  },
  'tensorflowcv, NumPy': {
    family: 'tensorflowcv',
    weights: () => path.join(folder, 'tensorflowcv.npz'),
    input: 'input.npy',
    logits: 'tensorflowcv.logits.npy',
    wrong: [...common, { avgPoolPadding: { begin: 1, end: 1, reflect: true } }, { avgPoolCountPadding: false }],
  },
  'TropComplique, TensorFlow.js with halves in shards': {
    family: 'tropcomplique',
    weights: () => path.join(folder, 'tropcomplique/model.json'),
    input: 'input.npy',
    logits: 'tropcomplique.logits.npy',
    wrong: [
      ...common,
      // Its stem is of stride 1, where all paddings are the same.
      ...pads.slice(1),
      { stemStride: 2 },
      { globalPool: 'max' },
      { batchNormEpsilon: 1e-5 },
      { shuffleFirstUnit: true },
    ],
  },
};

async function difference(
  fixture: Fixture,
  weights: string | Uint8Array,
  variant: Partial<Variant> = {},
): Promise<number> {
  await using model = await ShuffleNet.load(weights, { network: { variant } });
  const { data } = await model.run(npy(fixture.input));
  const expected = npy(fixture.logits);
  assert.equal(data.length, expected.data.length);
  return Math.max(...expected.data.map((value, i) => Math.abs(value - data[i]!)));
}

for (const [name, fixture] of Object.entries(fixtures)) {
  describe(name, () => {
    let once: Promise<Uint8Array> | undefined;
    const converted = () => (once ??= convertWeights(fixture.weights()));

    it('is recognised, and gives the logits of the original', async () => {
      assert.equal((await loadWeights(fixture.weights())).family, fixture.family);
      const most = await difference(fixture, fixture.weights());
      assert.ok(most <= 5e-4, `${most}`);
    });

    it('gives the same logits once converted', async () => {
      const input = npy(fixture.input);
      await using direct = await ShuffleNet.load(fixture.weights());
      await using model = await ShuffleNet.load(await converted());
      assert.deepEqual(await model.run(input), await direct.run(input));
    });

    for (const variant of fixture.wrong) {
      it(`would give others with ${JSON.stringify(variant)}`, async () => {
        // All differ from the others by far more than rounding.
        const least = await difference(fixture, await converted(), variant);
        assert.ok(least > 2e-3, `${least}`);
      });
    }
  });
}

it("TropComplique's variables as .npz give the same logits bit for bit", async () => {
  const { weights, input } = fixtures['TropComplique, TensorFlow.js with halves in shards']!;
  const file = weights() as string;
  await using direct = await ShuffleNet.load(file);
  await using model = await ShuffleNet.load(await asNpz(readFileSync(file), path.dirname(file), file));
  assert.deepEqual(model.weights, { format: 'npz', family: 'tropcomplique' });
  assert.deepEqual(await model.run(npy(input)), await direct.run(npy(input)));
});

it('refuses networks that need other tensors', async () => {
  const scheckmedia = fixtures['scheckmedia, HDF5']!.weights;
  for (const variant of [
    { stemBatchNorm: true },
    { convBias: true },
    { fcBias: false },
    { bottleneck: 'out' } as const,
  ]) {
    await assert.rejects(loadWeights(scheckmedia(), { network: { variant } }), failure('ERR_WEIGHTS_TENSOR'));
  }
  const trop = fixtures['TropComplique, TensorFlow.js with halves in shards']!.weights;
  for (const variant of [{ batchNormGamma: true }, { stemBias: false }]) {
    await assert.rejects(loadWeights(trop(), { network: { variant } }), failure('ERR_WEIGHTS_TENSOR'));
  }
});
