import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOptions, usage } from '../../bench/options';

const groups = [
  { name: 'networks', about: 'whole networks' },
  { name: 'layers', about: 'where time goes' },
];

function parse(...args: string[]) {
  const options = parseOptions(args, groups, ['XNNPACK', 'tfjs wasm']);
  assert.ok(options !== 'help');
  return options;
}

describe('command line of the benchmark', () => {
  it('runs every group, and keeps the results only of a run in which nothing was left out or shortened', () => {
    assert.deepEqual(parse().chosen, ['networks', 'layers']);
    assert.ok(parse().everything);
    const partly = [['layers'], ['--quick'], ['--rounds', '9'], ['--turn', '9'], ['--only', 'a'], ['--peers', 'none']];
    for (const args of partly) assert.ok(!parse(...args).everything, args.join(' '));
  });

  it('names rows by network, by size, or by both', () => {
    const { row } = parse('--only', '1x-g3@224x224, 480x640');
    assert.ok(row('1x-g3@224x224'));
    assert.ok(row('2x-g3@480x640'));
    assert.ok(!row('1x-g3@720x1280'));
    assert.ok(!row('2x-g3@224x224'));
    assert.ok(parse('--only', '1x-g3').row('1x-g3@720x1280'));
    assert.ok(!parse('--only', '1x-g3').row('1.1x-g3@720x1280'));
  });

  it('leaves out peers that are not named', () => {
    assert.ok(parse().peer('XNNPACK'));
    const { peer } = parse('--peers', 'tfjs wasm');
    assert.deepEqual([peer('tfjs wasm'), peer('XNNPACK')], [true, false]);
    assert.ok(!parse('--peers', 'none').peer('XNNPACK'));
  });

  it('takes short forms, and explicit numbers over them', () => {
    assert.deepEqual(parse('--quick').effort, { rounds: 5, turn: 30 });
    assert.deepEqual(parse('--quick', '--rounds', '2').effort, { rounds: 2, turn: 30 });
  });

  it('says what it does not understand', () => {
    assert.throws(() => parse('netwroks'), /no group is named netwroks, there are networks, layers/);
    assert.throws(() => parse('--peers', 'onnx'), /no peer is named onnx, there are XNNPACK, tfjs wasm/);
    assert.throws(() => parse('--rounds', '0'), /--rounds takes a whole number above 0, not 0/);
    assert.throws(() => parse('--turn', '1.5'), /--turn takes a whole number above 0, not 1.5/);
    assert.throws(() => parse('--fast'), RangeError);
  });

  it('lists its groups', () => {
    assert.equal(parseOptions(['--help'], groups, []), 'help');
    assert.match(usage(groups), /networks +whole networks\n +layers +where time goes/);
  });
});
