import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { NetworkOptions } from '../../lib/network/options';
import { parameters, type ParameterKind } from '../../lib/network/parameters';
import { resolveNetwork } from '../../lib/network/table';

const root = path.join(__dirname, '..', '..', '..');
const of = (options: NetworkOptions = {}) => parameters(resolveNetwork(options));

describe('parameters', () => {
  it('have the names and shapes of the weights file, in its order', () => {
    const file = readFileSync(path.join(root, 'weights', 'shufflenet-1x-g3-tiny-imagenet.safetensors'));
    const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE(0))));
    delete header.__metadata__;
    const ours = of({ groups: 3, scale: 1, classes: 200 });
    assert.equal(ours.size, 247);
    assert.deepEqual(
      [...ours].map(([name, { shape }]) => [name, shape]),
      Object.entries<{ shape: number[] }>(header).map(([name, { shape }]) => [name, shape]),
    );
  });

  it('know their kinds', () => {
    const kinds = [...of()].slice(0, 5).map(([name, { kind }]) => [name, kind]);
    assert.deepEqual(kinds, [
      ['conv1.weight', 'weight'],
      ['conv1.bn.weight', 'gamma'],
      ['conv1.bn.bias', 'beta'],
      ['conv1.bn.running_mean', 'mean'],
      ['conv1.bn.running_var', 'variance'],
    ]);
    assert.deepEqual(of().get('fc.bias'), { shape: [1000], kind: 'bias' satisfies ParameterKind });
  });

  it('follow the variant', () => {
    assert.deepEqual(of({ variant: { convBias: true } }).get('stage3.0.gconv2.bias'), { shape: [240], kind: 'bias' });
    const grouped = of({ variant: { firstUnitGconv1: 'groups' } });
    assert.deepEqual(grouped.get('stage2.0.gconv1.weight')?.shape, [60, 8, 1, 1]);
    assert.equal(of({ variant: { fcBias: false } }).get('fc.bias'), undefined);
    assert.equal(of({ variant: { batchNormGamma: false } }).get('conv1.bn.weight'), undefined);
    const folded = of({ variant: { batchNorm: false, convBias: true, stemBias: true } });
    assert.ok([...folded.values()].every(({ kind }) => kind === 'weight' || kind === 'bias'));
    assert.equal(folded.size, 2 * 50);
  });

  it('of squeeze-and-excitation', () => {
    const found = of({ squeezeExcitation: true });
    assert.deepEqual(found.get('stage3.0.se.fc1.weight'), { shape: [30, 240], kind: 'weight' });
    assert.deepEqual(found.get('stage3.0.se.fc1.bias'), { shape: [30], kind: 'bias' });
    assert.deepEqual(found.get('stage3.0.se.fc2.weight'), { shape: [240, 30], kind: 'weight' });
    assert.deepEqual(found.get('stage3.0.se.fc2.bias'), { shape: [240], kind: 'bias' });
    assert.equal(found.size, of().size + 16 * 4);
  });
});
