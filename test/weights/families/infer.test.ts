import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Groups, NetworkOptions, Variant } from '../../../lib';
import { parameters } from '../../../lib/network/parameters';
import { resolveNetwork } from '../../../lib/network/table';
import { inferNetwork, presentParameters } from '../../../lib/weights/families/infer';
import { failure } from '../files';

const shapesOf = (options: NetworkOptions) => new Map<string, { shape: number[] }>(parameters(resolveNetwork(options)));

/** What comes out for the shapes of a network, with every default filled in. */
function again(options: NetworkOptions, variant?: Partial<Variant>) {
  const shapes = shapesOf(options);
  return resolveNetwork(inferNetwork(shapes, variant ?? { ...options.variant, ...presentParameters(shapes) }, 'w'));
}

function same(options: NetworkOptions, variant?: Partial<Variant>) {
  assert.deepEqual(again(options, variant), resolveNetwork(options), JSON.stringify(options));
}

describe('shapes tell the network', () => {
  it('of the whole table at every usual scale', () => {
    for (const groups of [1, 2, 3, 4, 8] as const) {
      for (const scale of [0.25, 0.35, 0.5, 0.7, 0.75, 1, 1.25, 1.5, 2, 4]) same({ groups, scale });
    }
  });

  it('with the options of Tables 3 and 5, other stems, bottlenecks and classes', () => {
    same({ shallow: true, classes: 7 });
    same({ squeezeExcitation: true, scale: 2 });
    same({ squeezeExcitation: { reduction: 8 } });
    same({ groups: 8, scale: 1.5, stemChannels: 24 });
    for (const bottleneckRatio of [1 / 2, 1 / 8, 1 / 16, 1 / 3, 1]) same({ bottleneckRatio });
  });

  it('where widths follow other rules: the widths, and the nearest scale', () => {
    // mmpretrain: multiples of 8. jaxony: 567 instead of 576, and a quarter of it rounded down.
    const rounded = again({ groups: 2, scale: 0.25, stageChannels: [48, 104, 200], stemChannels: 6 });
    assert.deepEqual(
      rounded.stages.map(({ units }) => units.map(({ out }) => out)),
      [Array(4).fill(48), Array(8).fill(104), Array(4).fill(200)],
    );
    assert.equal(rounded.scale, 0.25);
    const typo = { groups: 1, stageChannels: [144, 288, 567], bottleneckRatio: 0.249 } satisfies NetworkOptions;
    assert.deepEqual(
      again(typo).stages.map(({ units }) => [units[0]!.mid, units[0]!.out]),
      [
        [36, 144],
        [72, 288],
        [141, 567],
      ],
    );
    assert.equal(again(typo).scale, 1);
  });

  it('with the bottlenecks and first units of published networks, whatever their family says', () => {
    same({ variant: { bottleneck: 'branch' } });
    same({ groups: 4, scale: 0.5, stemChannels: 24, variant: { bottleneck: 'none', firstUnitGconv1: 'groups' } });
    same({ variant: { firstUnitGconv2: 'one' } });
    const groups: Groups = 3;
    const shapes = shapesOf({ groups, variant: { bottleneck: 'branch', firstUnitGconv1: 'groups' } });
    const { variant } = inferNetwork(shapes, { shuffleOrder: 'inverse', bottleneck: 'out' }, 'w');
    assert.deepEqual(variant, {
      shuffleOrder: 'inverse',
      firstUnitGconv1: 'groups',
      firstUnitGconv2: 'groups',
      bottleneck: 'branch',
    });
  });

  it('with the parameters that there are', () => {
    same({ variant: { fcBias: false } });
    same({ variant: { stemBias: true, convBias: true, stemBatchNorm: false } });
    same({ variant: { batchNorm: false, stemBias: true, convBias: true } });
    same({ variant: { batchNormGamma: false } });
  });
});

describe('shapes that tell none are refused', () => {
  const refused = (change: (shapes: Map<string, { shape: number[] }>) => void, ...parts: string[]) => {
    const shapes = shapesOf({ classes: 5 });
    change(shapes);
    assert.throws(() => inferNetwork(shapes, {}, 'w'), failure('ERR_WEIGHTS_TENSOR', 'w: ', ...parts));
  };

  it('naming what is missing', () => {
    refused(
      (shapes) => {
        shapes.delete('conv1.weight');
        shapes.delete('fc.weight');
      },
      '"conv1.weight" is missing',
      '"fc.weight" is missing',
    );
  });

  it('naming axes that are not there, or empty', () => {
    refused((shapes) => shapes.set('conv1.weight', { shape: [24, 27] }), '"conv1.weight"', '[24, 27]', '4 axes');
    refused((shapes) => shapes.set('fc.weight', { shape: [0, 960] }), '"fc.weight"', '[0, 960]', 'empty');
  });

  it('naming groups that no network has', () => {
    refused((shapes) => shapes.set('stage2.1.gconv1.weight', { shape: [60, 48, 1, 1] }), '48 of 240', '5 groups');
    refused((shapes) => shapes.set('stage2.1.gconv1.weight', { shape: [60, 7, 1, 1] }), '7 of 240', '34.28');
  });
});
