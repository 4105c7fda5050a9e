import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { exportOnnx, ShuffleNet, ShuffleNetError, type NetworkOptions, type Padding, type Variant } from '../../lib';
import { difference, noise, readFixture, references } from '../model/files';
import { Peer, randomWeights } from './runtime';

const tolerance = 1e-4;

function assertParity(actual: Float32Array, wanted: Float32Array, label: string): void {
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(largest > 0, `${label}: logits are all 0`);
  const worst = difference(actual, wanted);
  assert.ok(worst <= tolerance * largest, `${label}: logits up to ${largest} differ by ${worst}`);
}

describe('the default weights as ONNX', () => {
  let peer: Peer;
  before(async () => {
    peer = await Peer.load(await exportOnnx());
  });
  after(() => peer.close());

  it('take batches and images of any size, by the promised names', () => {
    assert.deepEqual(peer.sides, [
      {
        input: { name: 'input', shape: ['batch', 3, 'height', 'width'] },
        output: { name: 'logits', shape: ['batch', 200] },
      },
    ]);
  });

  for (const name of references) {
    it(`give the reference's logits in onnxruntime: ${name}`, async () => {
      const expected = readFixture(`${name}.logits.npy`);
      const logits = await peer.run(readFixture(`${name}.input.npy`));
      assert.deepEqual(logits.shape, expected.shape);
      assertParity(logits.data, expected.data, name);
    });
  }

  it('give our logits for odd and oblong images', async () => {
    const model = await ShuffleNet.load();
    for (const [height, width] of [
      [32, 32],
      [33, 47],
      [64, 301],
      [225, 65],
    ] as const) {
      const images = noise(2, 3, height, width);
      const wanted = (await model.run(images)).data;
      assertParity((await peer.run(images)).data, wanted, `${height}x${width}`);
    }
    model.close();
  });

  it('take only the size they were exported for, in batches of any', async () => {
    const fixed = await Peer.load(await exportOnnx(undefined, { size: { height: 64, width: 64 } }));
    assert.deepEqual(fixed.sides[0]!.input.shape, ['batch', 3, 64, 64]);
    for (const name of ['chelsea', 'val8']) {
      const logits = await fixed.run(readFixture(`${name}.input.npy`));
      assertParity(logits.data, readFixture(`${name}.logits.npy`).data, name);
    }
    await assert.rejects(fixed.run(noise(1, 3, 64, 96)), /Got: 96 Expected: 64/);
    await fixed.close();
  });
});

const none: Padding = { begin: 0, end: 0 };
const paddings: Padding[] = [
  { begin: 0, end: 1 },
  { begin: 1, end: 0 },
  { begin: 2, end: 1 },
  { begin: 0, end: 2 },
  'same',
];
const ceilings: Padding[] = [
  { begin: 0, end: 0, ceil: true },
  { begin: 1, end: 1, ceil: true },
  { begin: 0, end: 1, ceil: true },
  { begin: 1, end: 0, ceil: true },
  { begin: 1, end: 2, ceil: true },
];

const variants: Partial<Variant>[] = [
  { shuffleOrder: 'inverse' },
  { shufflePlace: 'afterDepthwise' },
  { shuffleFirstUnit: false },
  { firstUnitGconv1: 'groups' },
  { firstUnitGconv2: 'one' },
  { concatOrder: 'branchShortcut' },
  { concatRelu: 'branch' },
  { concatRelu: 'none' },
  { bottleneck: 'branch' },
  { bottleneck: 'none' },
  { stemStride: 1 },
  { stemBatchNorm: false },
  { stemBatchNorm: false, stemBias: true },
  { stemRelu: false },
  { maxPool: false },
  { stage2Stride: 1 },
  { globalPool: 'max' },
  { batchNormEpsilon: 1 },
  { batchNormGamma: false },
  { stemBias: true, convBias: true },
  { batchNorm: false },
  { batchNorm: false, stemBias: true, convBias: true },
  { fcBias: false },
  ...paddings.flatMap((padding) => [{ stemPadding: padding }, { depthwisePadding: padding }]),
  ...[...paddings, ...ceilings].flatMap((padding): Partial<Variant>[] => [
    { maxPoolPadding: padding },
    { avgPoolPadding: padding },
    { avgPoolPadding: padding, avgPoolCountPadding: false },
  ]),
  { avgPoolPadding: { begin: 1, end: 1, reflect: true } },
  { avgPoolPadding: { begin: 1, end: 0, reflect: true } },
  // Shortcut and branch have to agree.
  { depthwisePadding: none, avgPoolPadding: none, maxPoolPadding: none, stemPadding: none },
  { depthwisePadding: none, avgPoolPadding: none, avgPoolCountPadding: false },
  { depthwisePadding: ['same', { begin: 1, end: 1 }, { begin: 2, end: 1 }] },
  // As Caffe: both pools round up.
  ...[true, false].map((avgPoolCountPadding) => ({
    maxPoolPadding: ceilings[0]!,
    avgPoolPadding: ceilings[0]!,
    avgPoolCountPadding,
  })),
  ...([none, { begin: 0, end: 1 }, { begin: 1, end: 0 }, 'same', ceilings[0]!] as const).flatMap((avgPoolPadding) =>
    [true, false].map((avgPoolCountPadding) => ({ avgPoolKernel: 2 as const, avgPoolPadding, avgPoolCountPadding })),
  ),
];

const networks: NetworkOptions[] = [
  ...([1, 2, 3, 4, 8] as const).flatMap((groups) => [{ groups }, { groups, variant: { shuffleOrder: 'inverse' } }]),
  { groups: 3, shuffle: false },
  { groups: 3, shallow: false },
  { groups: 3, scale: 1 },
  { groups: 8, scale: 0.5 },
  { groups: 2, squeezeExcitation: true },
  { groups: 4, squeezeExcitation: { reduction: 3 } },
  { groups: 1, stemChannels: 5 },
  { groups: 2, bottleneckRatio: 0.5 },
  { groups: 3, classes: 1 },
  ...variants.map((variant): NetworkOptions => ({ groups: 3, variant })),
].map((options) => ({ scale: 0.25, classes: 7, shallow: true, ...options }) as NetworkOptions);

const sizes = [
  [64, 96],
  [33, 65], // every plane odd
  [49, 35],
] as const;

/** Whether a size suits the network; where it does not, the peer must refuse it too. */
async function compare(model: ShuffleNet, peer: Peer, height: number, width: number, label: string): Promise<boolean> {
  const images = noise(2, 3, height, width);
  try {
    const { data } = await model.run(images);
    assertParity((await peer.run(images)).data, data, label);
    return true;
  } catch (error) {
    if (!(error instanceof ShuffleNetError && error.code === 'ERR_INPUT')) throw error;
    await assert.rejects(peer.run(images), label);
    return false;
  }
}

describe('a network of random weights gives our logits in onnxruntime', () => {
  networks.forEach((options, index) => {
    it(JSON.stringify(options), async () => {
      const weights = randomWeights(options, index);
      const model = await ShuffleNet.load(weights);
      const peer = await Peer.load(await exportOnnx(weights));
      let suited = 0;
      for (const [height, width] of sizes) {
        const label = `${height}x${width}`;
        if (!(await compare(model, peer, height, width, label))) {
          const refused = (error: unknown) => error instanceof ShuffleNetError && error.code === 'ERR_INPUT';
          await assert.rejects(exportOnnx(weights, { size: { height, width } }), refused, label);
          continue;
        }
        if (suited++ > 0) continue;
        const fixed = await Peer.load(await exportOnnx(weights, { size: { height, width } }));
        assert.ok(await compare(model, fixed, height, width, `${label}, fixed`));
        await fixed.close();
      }
      assert.ok(suited > 0, 'no size suits this network');
      await peer.close();
      model.close();
    });
  });
});
