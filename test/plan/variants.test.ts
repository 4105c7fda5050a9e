import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShuffleNetError } from '../../lib/errors';
import { buildGraph } from '../../lib/network/graph';
import type { Graph, Padding } from '../../lib/network/layers';
import type { NetworkOptions, Variant } from '../../lib/network/options';
import { layerShapes } from '../../lib/network/shapes';
import { resolveNetwork } from '../../lib/network/table';
import { assertParity, randomImages } from './compare';
import { Random, randomTensors } from './random';

const paddings: Padding[] = [
  { begin: 1, end: 1 },
  { begin: 0, end: 0 },
  { begin: 0, end: 1 },
  { begin: 1, end: 0 },
  { begin: 2, end: 1 },
  { begin: 0, end: 2 },
  'same',
];
const poolPaddings: Padding[] = [
  ...paddings,
  { begin: 0, end: 0, ceil: true },
  { begin: 1, end: 1, ceil: true },
  { begin: 0, end: 1, ceil: true },
];
const flags = [true, false] as const;

const values: { [Key in keyof Variant]: readonly Variant[Key][] } = {
  shuffleOrder: ['standard', 'inverse'],
  shufflePlace: ['beforeDepthwise', 'afterDepthwise'],
  shuffleFirstUnit: flags,
  firstUnitGconv1: ['one', 'groups'],
  firstUnitGconv2: ['one', 'groups'],
  concatOrder: ['shortcutBranch', 'branchShortcut'],
  concatRelu: ['afterConcat', 'branch', 'none'],
  bottleneck: ['out', 'branch', 'none'],
  stemStride: [1, 2],
  stemPadding: paddings,
  stemBatchNorm: flags,
  stemRelu: flags,
  maxPool: flags,
  maxPoolPadding: poolPaddings,
  stage2Stride: [1, 2],
  avgPoolKernel: [2, 3],
  avgPoolPadding: [
    ...poolPaddings,
    { begin: 1, end: 1, reflect: true },
    { begin: 1, end: 0, reflect: true },
    { begin: 0, end: 1, reflect: true },
  ],
  avgPoolCountPadding: flags,
  depthwisePadding: [...paddings, ['same', { begin: 1, end: 1 }, { begin: 1, end: 0 }]],
  globalPool: ['avg', 'max'],
  batchNormEpsilon: [1e-5, 1e-3, 1],
  batchNormGamma: flags,
  stemBias: flags,
  convBias: flags,
  batchNorm: flags,
  fcBias: flags,
};
const fields = Object.keys(values) as (keyof Variant)[];

/** Besides parity: lib/network refuses a size exactly where the core does. */
async function check(options: NetworkOptions, graph: Graph, seed: number, n: number, height: number, width: number) {
  const label = `seed ${seed} ${JSON.stringify(options)}`;
  const images = randomImages(n, height, width, seed);
  const result = await assertParity(graph, randomTensors(graph, seed), images, { threads: 1 + (seed % 3), label });
  if (result === 'equal') layerShapes(graph, images);
  else assert.throws(() => layerShapes(graph, images), ShuffleNetError, label);
  return result;
}

describe('variants equal the reference', () => {
  for (const field of fields) {
    it(field, async () => {
      for (const value of values[field]) {
        const options: NetworkOptions = { groups: 3, scale: 0.25, classes: 7, variant: { [field]: value } };
        // On odd planes, paddings of shortcut and branch may disagree.
        const even = await check(options, buildGraph(resolveNetwork(options)), 1, 1, 32, 64);
        if (!field.endsWith('Padding')) assert.equal(even, 'equal');
        await check(options, buildGraph(resolveNetwork(options)), 2, 1, 33, 47);
      }
    });
  }

  it("Caffe's networks, on even sizes only", async () => {
    const caffe: Padding = { begin: 0, end: 0, ceil: true };
    const variant: Partial<Variant> = { maxPoolPadding: caffe, avgPoolPadding: caffe, avgPoolCountPadding: true };
    for (const bottleneck of ['out', 'branch'] as const) {
      const options: NetworkOptions = { groups: 3, scale: 0.25, classes: 7, variant: { ...variant, bottleneck } };
      const graph = buildGraph(resolveNetwork(options));
      assert.equal(await check(options, graph, 1, 1, 224, 64), 'equal');
      assert.equal(await check(options, graph, 1, 1, 32, 32), 'equal');
      assert.equal(await check(options, graph, 1, 1, 72, 72), 'refused');
    }
  });

  const count = 300;
  it(`${count} random mixtures`, async () => {
    const outcomes = { equal: 0, refused: 0, 'not a network': 0 };
    for (let seed = 0; seed < count; seed++) {
      const random = new Random(seed);
      const variant = Object.fromEntries(
        fields.filter(() => random.chance(0.35)).map((field) => [field, random.pick<unknown>(values[field])]),
      ) as Partial<Variant>;
      const options: NetworkOptions = {
        groups: random.pick([1, 2, 3, 4, 8] as const),
        scale: 0.25,
        classes: 5,
        shallow: random.chance(0.7),
        ...(random.chance(0.3) && { shuffle: false }),
        ...(random.chance(0.3) && { squeezeExcitation: { reduction: random.integer(1, 20) } }),
        ...(random.chance(0.3) && { stemChannels: random.integer(1, 40) }),
        ...(random.chance(0.3) && { bottleneckRatio: random.between(0.01, 1) }),
        variant,
      };
      let graph: Graph;
      try {
        graph = buildGraph(resolveNetwork(options));
      } catch (error) {
        assert.ok(error instanceof ShuffleNetError, String(error));
        outcomes['not a network']++;
        continue;
      }
      const [height, width] = random.pick([
        [32, 32],
        [32, 40],
        [33, 47],
        [49, 35],
      ] as const);
      outcomes[await check(options, graph, seed, 1 + (seed % 2), height, width)]++;
    }
    assert.ok(outcomes.equal >= count / 3, JSON.stringify(outcomes));
  });
});
