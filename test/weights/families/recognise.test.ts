import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ShuffleNet, ShuffleNetError } from '../../../lib';
import { readStored } from '../../../lib/weights/formats/read';
import { preprocessOf } from '../../../lib/weights/families/by-names';
import { families, recognise } from '../../../lib/weights/families/recognise';
import { loadWeights } from '../../../lib/weights/load';
import type { StoredFile, StoredTensor } from '../../../lib/weights/stored';
import { failure, float32, smallTensors, writeSafetensors, type Source } from '../files';
import { checkpoints } from './fixtures';

const stored = async (name: string): Promise<StoredFile> => {
  const { file } = checkpoints.find((checkpoint) => checkpoint.name === name)!;
  return readStored({ bytes: readFileSync(file), file });
};

/** The same file with other tensors. */
function renamed(file: StoredFile, rename: (name: string) => string | undefined): StoredFile {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of file.tensors) {
    const changed = rename(name);
    if (changed !== undefined) tensors.set(changed, tensor);
  }
  return { ...file, tensors };
}

const tensor = (...shape: number[]): Source => ({
  dtype: 'F32',
  shape,
  bytes: float32(Array.from({ length: shape.reduce((product, n) => product * n, 1) }, () => 0.5)),
});

/** Of PyTorch, TensorFlow and MindSpore. */
const ofOptimizers = [
  'optimizer.state.0.exp_avg',
  ...['optimizer/conv1/kernel/Momentum', 'conv1/W/Momentum', 'conv1/W/Adam_1:0', 'beta1_power', 'learning_rate/lr'],
  ...['moments.conv1.weight', 'moment2.conv1.weight', 'momentum', 'global_step', 'epoch_num'],
];

describe('a family is told', () => {
  it('by exactly one of them, for each of their files', async () => {
    for (const { name } of checkpoints) {
      const file = await stored(name);
      assert.deepEqual(
        families.filter((family) => family.matches(file)).map((family) => family.name),
        [name],
      );
    }
  });

  it('in wrappers of any depth, with the tensors of optimizers beside it', async () => {
    for (const wrapper of ['module.', 'state_dict.', 'model.module.', 'state_dict.model.net.']) {
      for (const { name } of checkpoints) {
        const file = await stored(name);
        const wrapped = renamed(file, (tensor) => `${wrapper}${tensor}`);
        const [first] = file.tensors.values();
        const tensors = new Map([...wrapped.tensors, ...ofOptimizers.map((name) => [name, first!] as const)]);
        const found = recognise({ ...wrapped, tensors }, 'w');
        assert.deepEqual(found.network, recognise(file, 'w').network);
        assert.deepEqual([found.family.name, found.unplaced.size], [name, 0]);
      }
    }
  });

  it('as training scripts save it: of averages beside it or alone, with the weights of a loss', async () => {
    const file = await stored('pytorchcv');
    const [first] = file.tensors.values();
    const by = (prefix: string) => renamed(file, (name) => prefix + name).tensors;
    for (const averages of ['ema.module.', 'model_ema.module.', 'ema_model.', 'averaged_model.module.']) {
      const alone = recognise({ ...file, tensors: by(averages) }, 'w');
      assert.ok([...alone.tensors.values()].every(({ from }) => from.startsWith(averages)));
      for (const own of ['model.', 'model._orig_mod.', '_forward_module.module.', '_fsdp_wrapped_module.']) {
        const beside = [['criterion.weight', first!] as const, ['ema.n_averaged', first!] as const];
        const tensors = new Map([...by(averages), ...by(own), ...beside]);
        const found = recognise({ ...file, tensors }, 'w');
        assert.ok([...found.tensors.values()].every(({ from }) => from.startsWith(own)));
        assert.deepEqual([found.tensors.size, found.unplaced.size], [alone.tensors.size, 0]);
      }
    }
  });

  it("by the caller, where the file does not look like it: mindcv's names are both versions'", async () => {
    const old = await stored('mindcv');
    const leaves: Record<string, string> = {
      gamma: 'weight',
      beta: 'bias',
      moving_mean: 'running_mean',
      moving_variance: 'running_var',
    };
    const file = renamed(old, (name) => name.replace(/\w+$/, (leaf) => leaves[leaf] ?? leaf));
    assert.equal(recognise(file, 'w').family.name, 'mindcv-mint');
    const { family, network } = recognise(file, 'w', 'mindcv');
    assert.deepEqual([family.name, network.variant?.maxPoolPadding], ['mindcv', 'same']);
    assert.throws(
      () => recognise(file, 'w', 'pytorchcv'),
      failure('ERR_WEIGHTS_TENSOR', 'w: not all of what family pytorchcv has', 'no place for "first_conv.0.weight"'),
    );
  });

  it('by a name that is known', async () => {
    await assert.rejects(
      ShuffleNet.load(undefined, { family: 'Megvii' }),
      failure('ERR_OPTION', 'options.family', 'megvii', 'tensorpack', '"Megvii"'),
    );
    await assert.rejects(ShuffleNet.load(undefined, { family: 3 as never }), failure('ERR_OPTION', '3'));
    assert.equal((await loadWeights(undefined, { family: 'canonical' })).family, 'canonical');
  });
});

describe('a file of no family', () => {
  it('names the nearest ones, what has no place and what is missing', async () => {
    const file = await stored('pytorchcv');
    const odd = renamed(file, (name) => name.replace('features.init_block.conv.', 'features.stem.'));
    assert.throws(
      () => recognise(odd, 'w'),
      failure(
        'ERR_WEIGHTS_TENSOR',
        'w: no known layout of ShuffleNet V1',
        'pytorchcv (2',
        'nothing for "conv1.weight"',
        'no place for "features.stem.weight"',
      ),
    );
  });

  it('that is not ShuffleNet V1 is told so, and V2 by its name', async () => {
    const refused = (names: string[], ...parts: string[]) =>
      assert.rejects(
        loadWeights(writeSafetensors(names.map((name) => [name, tensor(1)]))),
        failure('ERR_WEIGHTS_TENSOR', '<bytes>: ', ...parts),
      );
    await refused(
      ['layer1.0.conv1.weight', 'fc.weight'],
      'does not look like ShuffleNet V1',
      '2 tensors',
      '"fc.weight"',
    );
    await refused([], 'does not look like ShuffleNet V1', '0 tensors');
    await refused(
      ['first_conv.0.weight', 'features.0.branch_main.0.weight', 'features.0.branch_proj.0.weight'],
      'ShuffleNet V2 of megvii-model',
      'another network',
    );
    await refused(['conv1.0.weight', 'stage2.0.branch1.0.weight', 'conv5.0.weight'], 'ShuffleNet V2 of torchvision');
  });

  it('of far too many tensors is not looked at for long', () => {
    const one: StoredTensor = { dtype: 'F32', shape: [1], bytes: float32([1]) };
    const tensors = new Map(Array.from({ length: 100_000 }, (_, i) => [`features.${i}.branch_main_1.0.weight`, one]));
    const start = performance.now();
    assert.throws(
      () => recognise({ format: 'npz', tensors, metadata: {} }, 'w'),
      failure('ERR_WEIGHTS_TENSOR', '100000 tensors'),
    );
    assert.ok(performance.now() - start < 100);
  });
});

describe('tensors of a family that do not fit', () => {
  it("are told by the file's names, with what was expected", async () => {
    const file = await stored('megvii');
    const { tensors } = renamed(file, (name) => (name.endsWith('5.branch_main_2.1.bias') ? undefined : name));
    const bytes = writeSafetensors([
      ...[...tensors].filter(([name]) => !name.endsWith('features.3.branch_main_1.3.weight')),
      ['features.3.branch_main_1.3.weight', tensor(6, 1, 5, 5)],
      ['features.3.spare', tensor(2)],
    ]);
    await assert.rejects(
      loadWeights(bytes),
      failure(
        'ERR_WEIGHTS_TENSOR',
        '"features.3.branch_main_1.3.weight" (stage2.3.dwconv.weight) has shape [6, 1, 5, 5], expected [6, 1, 3, 3]',
        '"stage3.1.gconv2.bn.bias" is missing, expected shape [48]',
        '"features.3.spare" [2] is not part of the network',
      ),
    );
  });

  it('are not two in one place', async () => {
    const file = await stored('pytorchcv');
    const output = file.tensors.get('output.bias')!;
    const tensors = new Map([...file.tensors, ['output/b', output] as const]);
    assert.throws(
      () => recognise({ ...file, tensors }, 'w'),
      failure('ERR_WEIGHTS_TENSOR', '"output.bias" and "output/b" are both "fc.bias"'),
    );
  });

  it('are all groups of a convolution, of one shape', async () => {
    const file = await stored('mindcv');
    const gap = renamed(file, (name) => (name === 'features.4.branch_main_2.2.convs.1.weight' ? undefined : name));
    assert.throws(
      () => recognise(gap, 'w'),
      failure('ERR_WEIGHTS_TENSOR', '"features.4.branch_main_2.2.convs.0.weight"', 'some are missing'),
    );
    const odd = new Map(file.tensors).set('features.5.branch_main_2.2.convs.1.weight', {
      dtype: 'F32',
      shape: [15, 4, 1, 1],
      bytes: float32(Array(60).fill(1)),
    });
    await assert.rejects(
      loadWeights(writeSafetensors(odd)),
      failure(
        'ERR_WEIGHTS_TENSOR',
        'convs.0.weight" and "features.5.branch_main_2.2.convs.1',
        '[16, 4, 1, 1] and [15, 4',
      ),
    );
  });

  it("are told by the file's names where their values are wrong too", async () => {
    const file = await stored('pytorchcv');
    const name = 'features.stage2.unit3.dw_conv2.weight';
    const { shape } = file.tensors.get(name)!;
    const values = Float32Array.from({ length: 12 * 9 }, (_, i) => (i === 17 ? NaN : 0.5));
    const tensors = new Map(file.tensors).set(name, { dtype: 'F32', shape, bytes: float32(values) });
    await assert.rejects(
      ShuffleNet.load(writeSafetensors(tensors)),
      failure('ERR_WEIGHTS_VALUE', `<bytes>: tensor "${name}" (stage3.2.dwconv.weight) holds NaN at index 17`),
    );
  });
});

it('any names and shapes are a network or an error of their own', async () => {
  const files = await Promise.all(checkpoints.map(({ name }) => stored(name)));
  const canonical: StoredFile = {
    format: 'npz',
    metadata: {},
    tensors: new Map([...smallTensors()] as [string, StoredTensor][]),
  };
  const change = fc.record({
    at: fc.nat(),
    what: fc.constantFrom('name', 'shape', 'rank', 'gone', 'twice'),
    value: fc.oneof(fc.nat(9), fc.constantFrom(2 ** 31, 2 ** 53 - 1)),
    text: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'features.99999999999.branch_main_1.0')),
  });
  let fitting = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...files, canonical),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      (file, list) => {
        const entries = [...file.tensors];
        for (const { at, what, value, text } of list) {
          const index = at % entries.length;
          const [name, old] = entries[index]!;
          const shape = [...old.shape];
          if (what === 'shape') shape[at % (shape.length || 1)] = value;
          if (what === 'rank') shape.push(value);
          if (what === 'name') entries[index] = [name.replace(/\w+/, text), old];
          else if (what === 'twice') entries.push([name.replace(/\d+/, String(value)), old]);
          else entries[index] = [name, { ...old, shape }];
          if (what === 'gone') entries.splice(index, 1);
        }
        try {
          recognise({ ...file, tensors: new Map(entries) }, 'w');
          fitting++;
        } catch (error) {
          assert.ok(error instanceof ShuffleNetError, `${(error as Error).stack}`);
          assert.match(error.code, /^ERR_WEIGHTS_/);
        }
      },
    ),
    { seed: 1707, numRuns: 1500 },
  );
  assert.ok(fitting > 100, `${fitting} were networks`);
});

it("a graph's images are those of the only project with its conventions", () => {
  const megvii = preprocessOf({
    shuffleOrder: 'inverse',
    shufflePlace: 'afterDepthwise',
    concatRelu: 'branch',
    fcBias: false,
    batchNorm: false,
    stemBias: true,
  });
  assert.deepEqual([megvii?.channelOrder, megvii?.scale], ['BGR', 1]);
  assert.equal(preprocessOf({ concatOrder: 'branchShortcut' })?.channelOrder, 'RGB');
  assert.equal(preprocessOf({ shuffleOrder: 'inverse', concatRelu: 'none' }), undefined);
});
