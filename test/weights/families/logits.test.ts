import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, test } from 'node:test';
import { convertWeights, ShuffleNet, type LoadOptions, type Variant } from '../../../lib';
import { readNpy } from '../../../lib/cli/npy';
import type { Padding } from '../../../lib/network/layers';
import { difference, digest } from '../../model/files';
import { failure } from '../files';
import { asNpz } from '../npz';
import { randomWeights } from '../../onnx/runtime';
import { checkpoints, largest, type Checkpoint } from './fixtures';

async function logitsOf(weights: string | Uint8Array, { input }: Checkpoint, options?: LoadOptions) {
  await using model = await ShuffleNet.load(weights, options);
  const { data } = await model.run(input);
  return { data, model };
}

/** A variant that differs in one field, which no shape tells. undefined where the network has nothing that it is of. */
const changes: { [K in keyof Variant]?: (variant: Variant) => Variant[K] | undefined } = {
  shuffleOrder: ({ shuffleOrder }) => (shuffleOrder === 'standard' ? 'inverse' : 'standard'),
  shufflePlace: ({ shufflePlace }) => (shufflePlace === 'beforeDepthwise' ? 'afterDepthwise' : 'beforeDepthwise'),
  shuffleFirstUnit: ({ shuffleFirstUnit }) => !shuffleFirstUnit,
  concatOrder: ({ concatOrder }) => (concatOrder === 'shortcutBranch' ? 'branchShortcut' : 'shortcutBranch'),
  concatRelu: ({ concatRelu }) => (concatRelu === 'none' ? 'branch' : 'none'),
  stemStride: ({ stemStride }) => (stemStride === 2 ? 1 : 2),
  stemPadding: ({ stemPadding, stemStride }) => (stemStride === 1 ? { begin: 0, end: 2 } : other(stemPadding)),
  stemRelu: ({ stemRelu }) => !stemRelu,
  maxPool: ({ maxPool }) => !maxPool,
  maxPoolPadding: ({ maxPool, maxPoolPadding }) => (maxPool ? other(maxPoolPadding) : undefined),
  stage2Stride: ({ stage2Stride }) => (stage2Stride === 2 ? 1 : 2),
  avgPoolKernel: ({ avgPoolKernel }) => (avgPoolKernel === 3 ? 2 : 3),
  avgPoolPadding: ({ avgPoolKernel, avgPoolPadding }) => (avgPoolKernel === 3 ? other(avgPoolPadding) : undefined),
  avgPoolCountPadding: ({ avgPoolKernel, avgPoolCountPadding }) =>
    avgPoolKernel === 3 ? !avgPoolCountPadding : undefined,
  depthwisePadding: ({ depthwisePadding }) => (Array.isArray(depthwisePadding) ? undefined : other(depthwisePadding)),
  globalPool: ({ globalPool }) => (globalPool === 'avg' ? 'max' : 'avg'),
  batchNormEpsilon: ({ batchNorm, batchNormEpsilon }) => (batchNorm ? 100 * batchNormEpsilon : undefined),
};

function other(padding: Padding): Padding {
  return padding === 'same' ? { begin: 1, end: 1 } : 'same';
}

/** Fields that say which parameters there are. undefined where another one does. */
const parametersOf: { [K in keyof Variant]?: (variant: Variant) => Variant[K] | undefined } = {
  fcBias: ({ fcBias }) => !fcBias,
  stemBias: ({ stemBias }) => !stemBias,
  convBias: ({ convBias }) => !convBias,
  stemBatchNorm: ({ batchNorm, stemBatchNorm }) => (batchNorm ? !stemBatchNorm : undefined),
  batchNorm: ({ batchNorm }) => !batchNorm,
  batchNormGamma: ({ batchNorm, batchNormGamma }) => (batchNorm ? !batchNormGamma : undefined),
};

test('there is a checkpoint of every family that is told by names, but for those of Keras', () => {
  const names = [
    'caffe2',
    'chenhang98',
    'jaxony',
    'megvii',
    'mindcv',
    'mindcv-mint',
    'mmpretrain',
    'pytorchcv',
    'tensorpack',
    'zcls',
  ];
  assert.deepEqual(checkpoints.map(({ name }) => name).sort(), names);
});

for (const checkpoint of checkpoints) {
  const { name, file, logits } = checkpoint;
  const size = largest(logits);

  describe(`a checkpoint of ${name}`, () => {
    it("is recognised and gives its project's logits, within 1e-5 of the largest", async () => {
      const { data, model } = await logitsOf(file, checkpoint);
      assert.equal(model.weights.family, name);
      const distance = difference(data, logits);
      assert.ok(distance <= 1e-5 * size, `${distance} of ${size}`);
    });

    it('converted, it gives the same logits bit for bit, and says the same of itself', async () => {
      const converted = await convertWeights(file);
      const [direct, again] = [await logitsOf(file, checkpoint), await logitsOf(converted, checkpoint)];
      assert.equal(digest(again.data), digest(direct.data));
      assert.deepEqual(again.model.network, direct.model.network);
      assert.deepEqual(again.model.preprocess, direct.model.preprocess);
      assert.deepEqual(again.model.weights, { format: 'safetensors', family: name });
    });

    it('as .npz under the same names, it gives the same logits bit for bit', async () => {
      const direct = await logitsOf(file, checkpoint);
      const again = await logitsOf(await asNpz(readFileSync(file), path.dirname(file), file), checkpoint);
      assert.equal(digest(again.data), digest(direct.data));
      assert.deepEqual(again.model.weights, { format: 'npz', family: name });
    });

    it('gives others, by a hundredth of the largest and more, if one convention is changed', async () => {
      const { variant } = (await logitsOf(file, checkpoint)).model.network;
      for (const [field, change] of Object.entries(changes)) {
        const value = change(variant);
        if (value === undefined) continue;
        const { data } = await logitsOf(file, checkpoint, { network: { variant: { [field]: value } } });
        const distance = difference(data, logits);
        assert.ok(distance > 0.01 * size, `${field} ${JSON.stringify(value)}: ${distance} of ${size}`);
      }
    });

    it('does not load if it is said to have other parameters', async () => {
      const { variant } = (await logitsOf(file, checkpoint)).model.network;
      for (const [field, change] of Object.entries(parametersOf)) {
        const value = change(variant);
        if (value === undefined) continue;
        const loading = ShuffleNet.load(file, { network: { variant: { [field]: value } } });
        await assert.rejects(loading, failure('ERR_WEIGHTS_TENSOR', file), field);
      }
    });
  });
}

test("this package's own names as .npz give the same logits bit for bit", async () => {
  const [{ input }] = checkpoints as [Checkpoint];
  const original = randomWeights({ scale: 0.25, classes: 5 }, 1);
  await using direct = await ShuffleNet.load(original);
  await using model = await ShuffleNet.load(await asNpz(original));
  assert.deepEqual(model.weights, { format: 'npz', family: 'canonical' });
  assert.equal(digest((await model.run(input)).data), digest((await direct.run(input)).data));
});

test('where the stem has a ReLU, that of the branch alone and that after the concatenation are the same', async () => {
  for (const checkpoint of checkpoints) {
    const { variant } = (await logitsOf(checkpoint.file, checkpoint)).model.network;
    if (variant.concatRelu === 'none') continue;
    const concatRelu = variant.concatRelu === 'branch' ? 'afterConcat' : 'branch';
    const { data } = await logitsOf(checkpoint.file, checkpoint, { network: { variant: { concatRelu } } });
    const same = difference(data, checkpoint.logits) <= 1e-5 * largest(checkpoint.logits);
    assert.equal(same, variant.stemRelu, checkpoint.name);
  }
});

describe("checkpoints outside of the project, from their frameworks' own code", () => {
  const folder = process.env['SHUFFLENET_CHECKPOINTS'];
  const skip = folder === undefined && 'SHUFFLENET_CHECKPOINTS names no folder of X, X.input.npy and X.logits.npy';
  const files = folder === undefined ? [] : readdirSync(folder);
  const names = files.filter((file) => existsSync(path.join(folder!, `${file}.logits.npy`)));

  it('are there', { skip }, () => assert.ok(names.length > 0));
  for (const name of names) {
    it(`${name}: logits within 2e-3, directly and converted`, async () => {
      const array = (kind: string) => {
        const file = path.join(folder!, `${name}.${kind}.npy`);
        return readNpy(readFileSync(file), file);
      };
      const checkpoint = { name, file: path.join(folder!, name), input: array('input'), logits: array('logits').data };
      const direct = await logitsOf(checkpoint.file, checkpoint);
      const distance = difference(direct.data, checkpoint.logits);
      assert.ok(distance <= 2e-3, `${distance}`);
      const { data } = await logitsOf(await convertWeights(checkpoint.file), checkpoint);
      assert.equal(digest(data), digest(direct.data));
    });
  }
});
