import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildGraph, stageOutput } from '../../lib/network/graph';
import type { Layer } from '../../lib/network/layers';
import type { NetworkOptions, Variant } from '../../lib/network/options';
import { resolveNetwork } from '../../lib/network/table';

const layersOf = (options: NetworkOptions = {}): Layer[] => buildGraph(resolveNetwork(options)).layers;
const withVariant = (variant: Partial<Variant>): Layer[] => layersOf({ variant });
const names = (layers: Layer[], prefix = ''): string[] =>
  layers.map(({ name }) => name).filter((name) => name.startsWith(prefix));

function layer<Op extends Layer['op']>(layers: Layer[], name: string, op: Op): Extract<Layer, { op: Op }> {
  const found = layers.find((candidate) => candidate.name === name);
  assert.ok(found, `no layer ${name}`);
  assert.equal(found.op, op);
  return found as Extract<Layer, { op: Op }>;
}

const inputNames = (layers: Layer[], name: string): string[] => {
  const found = layers.find((candidate) => candidate.name === name)!;
  const inputs = 'inputs' in found ? found.inputs : 'input' in found ? [found.input] : [];
  return inputs.map((input) => layers[input]!.name);
};

const histogram = (layers: Layer[]): Partial<Record<Layer['op'], number>> => {
  const counts: Partial<Record<Layer['op'], number>> = {};
  for (const { op } of layers) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
};

/** Fails unless the two graphs differ in the named layers only, and only in the given fields. */
function assertDiffers(variant: Partial<Variant>, concerned: RegExp, fields: Record<string, unknown>): void {
  const [before, after] = [layersOf(), withVariant(variant)];
  assert.deepEqual(names(after), names(before));
  assert.ok(before.some(({ name }) => concerned.test(name)));
  assert.deepEqual(
    after,
    before.map((old) => (concerned.test(old.name) ? { ...old, ...fields } : old)),
  );
}

describe('the layer graph', () => {
  it("is the paper's network: unit of stride 2, then of stride 1 (Figure 2 c and b)", () => {
    const layers = layersOf();
    assert.deepEqual(names(layers).slice(0, 5), ['input', 'conv1', 'conv1.bn', 'conv1.relu', 'maxpool']);
    assert.deepEqual(names(layers, 'stage2.0.'), [
      'stage2.0.gconv1',
      'stage2.0.gconv1.bn',
      'stage2.0.gconv1.relu',
      'stage2.0.shuffle',
      'stage2.0.dwconv',
      'stage2.0.dwconv.bn',
      'stage2.0.gconv2',
      'stage2.0.gconv2.bn',
      'stage2.0.avgpool',
      'stage2.0.concat',
      'stage2.0.relu',
    ]);
    assert.deepEqual(names(layers, 'stage2.1.').slice(-3), ['stage2.1.gconv2.bn', 'stage2.1.add', 'stage2.1.relu']);
    assert.deepEqual(names(layers).slice(-3), ['stage4.3.relu', 'globalpool', 'fc']);

    assert.deepEqual(inputNames(layers, 'stage2.0.gconv1'), ['maxpool']);
    assert.deepEqual(inputNames(layers, 'stage2.0.avgpool'), ['maxpool']);
    assert.deepEqual(inputNames(layers, 'stage2.0.concat'), ['stage2.0.avgpool', 'stage2.0.gconv2.bn']);
    assert.deepEqual(inputNames(layers, 'stage2.1.add'), ['stage2.0.relu', 'stage2.1.gconv2.bn']);
    assert.deepEqual(inputNames(layers, 'stage3.0.gconv1'), ['stage2.3.relu']);

    const index = layers.findIndex(({ name }) => name === 'stage2.0.gconv1');
    assert.deepEqual(layers.slice(index, index + 5), [
      {
        name: 'stage2.0.gconv1',
        op: 'conv',
        input: index - 1,
        outChannels: 60,
        kernel: 1,
        stride: 1,
        groups: 1,
        padding: { begin: 0, end: 0 },
        weight: 'stage2.0.gconv1.weight',
      },
      {
        name: 'stage2.0.gconv1.bn',
        op: 'batchNorm',
        input: index,
        epsilon: 1e-5,
        gamma: 'stage2.0.gconv1.bn.weight',
        beta: 'stage2.0.gconv1.bn.bias',
        mean: 'stage2.0.gconv1.bn.running_mean',
        variance: 'stage2.0.gconv1.bn.running_var',
      },
      { name: 'stage2.0.gconv1.relu', op: 'relu', input: index + 1 },
      { name: 'stage2.0.shuffle', op: 'shuffle', input: index + 2, groups: 3 },
      {
        name: 'stage2.0.dwconv',
        op: 'conv',
        input: index + 3,
        outChannels: 60,
        kernel: 3,
        stride: 2,
        groups: 60,
        padding: { begin: 1, end: 1 },
        weight: 'stage2.0.dwconv.weight',
      },
    ]);
  });

  it('finds the outputs of the stages', () => {
    const graph = buildGraph(resolveNetwork());
    assert.deepEqual(
      ([2, 3, 4] as const).map((stage) => graph.layers[stageOutput(graph, stage)]!.name),
      ['stage2.3.relu', 'stage3.7.relu', 'stage4.3.relu'],
    );
  });

  it('has the layers of the real ONNX model zoo file', () => {
    assert.deepEqual(
      histogram(
        layersOf({
          groups: 4,
          scale: 0.5,
          stemChannels: 24,
          variant: {
            firstUnitGconv1: 'groups',
            bottleneck: 'none',
            concatOrder: 'branchShortcut',
            stemBias: true,
            avgPoolCountPadding: false,
          },
        }),
      ),
      {
        input: 1,
        conv: 49,
        batchNorm: 49,
        relu: 33,
        shuffle: 16,
        add: 13,
        avgPool: 3,
        globalPool: 1,
        concat: 3,
        maxPool: 1,
        fullyConnected: 1,
      },
    );
  });

  it('has the layers of the real Caffe file', () => {
    const padding = { begin: 0, end: 0, ceil: true };
    const counts = histogram(
      withVariant({
        shuffleFirstUnit: false,
        bottleneck: 'branch',
        maxPoolPadding: padding,
        avgPoolPadding: padding,
        avgPoolCountPadding: false,
      }),
    );
    // 34 convolutions there include the classifier, 5 pools the global one.
    assert.equal(counts.conv! + counts.fullyConnected!, 34 + 16);
    assert.equal(counts.maxPool! + counts.avgPool! + counts.globalPool!, 5);
    assert.deepEqual([counts.batchNorm, counts.relu, counts.concat, counts.shuffle, counts.add], [49, 33, 3, 15, 13]);
  });
});

describe('each variant field', () => {
  it('shuffleOrder: the inverse of a shuffle of g groups is one of C/g', () => {
    const layers = withVariant({ shuffleOrder: 'inverse' });
    assert.equal(layer(layers, 'stage2.0.shuffle', 'shuffle').groups, 20);
    assert.equal(layer(layers, 'stage4.3.shuffle', 'shuffle').groups, 80);
    assert.equal(layer(layersOf(), 'stage4.3.shuffle', 'shuffle').groups, 3);
  });

  it('shufflePlace', () => {
    const layers = withVariant({ shufflePlace: 'afterDepthwise' });
    assert.deepEqual(inputNames(layers, 'stage2.0.dwconv'), ['stage2.0.gconv1.relu']);
    assert.deepEqual(inputNames(layers, 'stage2.0.shuffle'), ['stage2.0.dwconv.bn']);
    assert.deepEqual(inputNames(layers, 'stage2.0.gconv2'), ['stage2.0.shuffle']);
  });

  it('shuffleFirstUnit, and the option shuffle', () => {
    assert.equal(histogram(layersOf()).shuffle, 16);
    const layers = withVariant({ shuffleFirstUnit: false });
    assert.equal(histogram(layers).shuffle, 15);
    assert.ok(!names(layers).includes('stage2.0.shuffle'));
    assert.equal(histogram(layersOf({ shuffle: false })).shuffle, undefined);
  });

  it('firstUnitGconv1 and firstUnitGconv2', () => {
    assertDiffers({ firstUnitGconv1: 'groups' }, /^stage2\.0\.gconv1$/, { groups: 3 });
    assertDiffers({ firstUnitGconv2: 'one' }, /^stage2\.0\.gconv2$/, { groups: 1 });
  });

  it('concatOrder', () => {
    const layers = withVariant({ concatOrder: 'branchShortcut' });
    for (const stage of ['stage2', 'stage3', 'stage4']) {
      assert.deepEqual(inputNames(layers, `${stage}.0.concat`), [`${stage}.0.gconv2.bn`, `${stage}.0.avgpool`]);
    }
  });

  it('concatRelu', () => {
    const branch = withVariant({ concatRelu: 'branch' });
    assert.deepEqual(inputNames(branch, 'stage3.0.concat'), ['stage3.0.avgpool', 'stage3.0.gconv2.relu']);
    assert.deepEqual(inputNames(branch, 'stage3.1.gconv1'), ['stage3.0.concat']);
    assert.equal(histogram(branch).relu, 33);
    const none = withVariant({ concatRelu: 'none' });
    assert.equal(histogram(none).relu, 30);
    assert.deepEqual(inputNames(none, 'stage3.1.gconv1'), ['stage3.0.concat']);
    assert.deepEqual(inputNames(none, 'stage3.2.gconv1'), ['stage3.1.relu']);
  });

  it('bottleneck', () => {
    const layers = withVariant({ bottleneck: 'branch' });
    assert.equal(layer(layers, 'stage2.0.gconv1', 'conv').outChannels, 54);
    assert.equal(layer(layers, 'stage2.0.dwconv', 'conv').groups, 54);
    assert.equal(layer(layers, 'stage2.1.gconv1', 'conv').outChannels, 60);
  });

  it('strides and paddings', () => {
    const caffe = { begin: 0, end: 0, ceil: true };
    assertDiffers({ stemStride: 1 }, /^conv1$/, { stride: 1 });
    assertDiffers({ stemPadding: 'same' }, /^conv1$/, { padding: 'same' });
    assertDiffers({ maxPoolPadding: caffe }, /^maxpool$/, { padding: caffe });
    assertDiffers({ avgPoolPadding: caffe }, /\.avgpool$/, { padding: caffe });
    const reflect = { begin: 1, end: 1, reflect: true };
    assertDiffers({ avgPoolPadding: reflect }, /\.avgpool$/, { padding: reflect });
    assertDiffers({ avgPoolCountPadding: false }, /\.avgpool$/, { countPadding: false });
    assertDiffers({ avgPoolKernel: 2 }, /\.avgpool$/, { kernel: 2, padding: { begin: 0, end: 0 } });
    assertDiffers({ depthwisePadding: 'same' }, /^stage\d\.0\.dwconv$/, { padding: 'same' });
    const [one, none] = [
      { begin: 1, end: 1 },
      { begin: 0, end: 0 },
    ];
    assertDiffers({ depthwisePadding: [none, one, one] }, /^stage2\.0\.dwconv$/, { padding: none });
    assertDiffers({ depthwisePadding: [one, none, one] }, /^stage3\.0\.dwconv$/, { padding: none });
    assertDiffers({ depthwisePadding: [one, one, none] }, /^stage4\.0\.dwconv$/, { padding: none });
  });

  it('stage2Stride', () => {
    const layers = withVariant({ stage2Stride: 1 });
    assert.equal(layer(layers, 'stage2.0.dwconv', 'conv').stride, 1);
    assert.deepEqual(inputNames(layers, 'stage2.0.concat'), ['maxpool', 'stage2.0.gconv2.bn']);
    assert.equal(histogram(layers).avgPool, 2);
    // Its depthwise convolution has stride 1, so depthwisePadding is not for it.
    const same = withVariant({ stage2Stride: 1, depthwisePadding: 'same' });
    assert.deepEqual(layer(same, 'stage2.0.dwconv', 'conv').padding, { begin: 1, end: 1 });
  });

  it('stemBatchNorm, stemRelu, stemBias, maxPool', () => {
    assert.deepEqual(names(withVariant({ stemBatchNorm: false }), 'conv1'), ['conv1', 'conv1.relu']);
    assert.deepEqual(names(withVariant({ stemRelu: false }), 'conv1'), ['conv1', 'conv1.bn']);
    assertDiffers({ stemBias: true }, /^conv1$/, { bias: 'conv1.bias' });
    const layers = withVariant({ maxPool: false });
    assert.ok(!names(layers).includes('maxpool'));
    assert.deepEqual(inputNames(layers, 'stage2.0.avgpool'), ['conv1.relu']);
  });

  it('globalPool', () => assertDiffers({ globalPool: 'max' }, /^globalpool$/, { mode: 'max' }));

  it('batchNormEpsilon', () => assertDiffers({ batchNormEpsilon: 1e-3 }, /\.bn$/, { epsilon: 1e-3 }));

  it('batchNormGamma', () => {
    for (const found of withVariant({ batchNormGamma: false })) {
      if (found.op === 'batchNorm') assert.ok(!('gamma' in found) && found.beta);
    }
  });

  it('convBias, fcBias', () => {
    const biased = withVariant({ convBias: true }).filter((found) => found.op === 'conv' && found.bias);
    assert.equal(biased.length, 48);
    assert.ok(biased.every((found) => found.op === 'conv' && found.bias === `${found.name}.bias`));
    assert.ok(!('bias' in layer(withVariant({ fcBias: false }), 'fc', 'fullyConnected')));
    assert.equal(layer(layersOf(), 'fc', 'fullyConnected').bias, 'fc.bias');
  });

  it('batchNorm', () => assert.equal(histogram(withVariant({ batchNorm: false })).batchNorm, undefined));
});

describe('squeeze-and-excitation', () => {
  it('scales the branch before it meets the shortcut', () => {
    const layers = layersOf({ squeezeExcitation: true });
    assert.deepEqual(names(layers, 'stage2.1.se'), [
      'stage2.1.se.pool',
      'stage2.1.se.fc1',
      'stage2.1.se.relu',
      'stage2.1.se.fc2',
      'stage2.1.se.sigmoid',
      'stage2.1.se.scale',
    ]);
    assert.deepEqual(inputNames(layers, 'stage2.1.se.pool'), ['stage2.1.gconv2.bn']);
    assert.deepEqual(inputNames(layers, 'stage2.1.se.scale'), ['stage2.1.gconv2.bn', 'stage2.1.se.sigmoid']);
    assert.deepEqual(inputNames(layers, 'stage2.1.add'), ['stage2.0.relu', 'stage2.1.se.scale']);
    assert.deepEqual(inputNames(layers, 'stage2.0.concat'), ['stage2.0.avgpool', 'stage2.0.se.scale']);
    assert.equal(layer(layers, 'stage2.0.se.fc1', 'fullyConnected').outFeatures, 15);
    assert.equal(layer(layers, 'stage2.0.se.fc2', 'fullyConnected').outFeatures, 216);
    const branch = layersOf({ squeezeExcitation: true, variant: { concatRelu: 'branch' } });
    assert.deepEqual(inputNames(branch, 'stage2.0.gconv2.relu'), ['stage2.0.se.scale']);
  });

  it('takes another reduction, down to one feature', () => {
    const features = (reduction: number) =>
      layer(layersOf({ squeezeExcitation: { reduction } }), 'stage2.0.se.fc1', 'fullyConnected').outFeatures;
    assert.equal(features(7), 34); // 240 / 7 = 34.3
    assert.equal(features(32), 8); // 7.5
    assert.equal(features(4096), 1);
  });
});
