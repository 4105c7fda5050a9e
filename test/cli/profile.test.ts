import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkTable, type Profile } from '../../lib';
import { shufflenet } from './command';

describe('shufflenet profile', () => {
  it('prints a line for each step, then one for each kind and their sum', () => {
    const { status, stdout, stderr } = shufflenet('profile', '--runs', '2', '--size', '64x96');
    assert.deepEqual([status, stderr], [0, '']);
    const [facts, ...tables] = stdout.split('\n\n').map((block) => block.trimEnd().split('\n'));
    assert.match(facts![0]!, /^64x96, \w+, 1 thread, 2 runs$/);
    assert.match(facts![1]!, /^whole run: median \d+\.\d{3} ms, least \d+\.\d{3} ms, .* GFLOP\/s, .*% of peak$/);
    assert.match(facts![2]!, /^peak: \d+\.\d GFLOP\/s a thread$/);
    const [[stepHead, ...steps], [kindHead, ...kinds]] = tables as [string[], string[]];
    assert.match(stepHead!, /^Step +kind .* ms +min ms +of time +mult-adds +GFLOP\/s +of peak +moved$/);
    assert.match(kindHead!, /^Kind +steps .* moved$/);
    assert.match(steps[0]!, /^conv1.* 3 > .* \d+\.\d{3} +\d+\.\d{3} .* MB$/);
    assert.match(steps.at(-1)!, /^fc .* 960 > 200 +1x1 /);
    assert.ok(steps.every((line) => line.length === stepHead!.length));

    const cells = (line: string) => line.split(/  +/);
    const count = (line: string) => Number(cells(line)[1]);
    const all = kinds.pop()!;
    assert.equal(count(all), steps.length);
    assert.equal(
      kinds.reduce((sum, line) => sum + count(line), 0),
      steps.length,
    );
    const { multiplyAdds } = networkTable({ classes: 200 }, { height: 64, width: 96 });
    assert.deepEqual([cells(all)[4], cells(all)[5]], ['100.0%', `${(multiplyAdds / 1e6).toFixed(1)}M`]);
  });

  it('prints JSON', () => {
    const { status, stdout } = shufflenet('profile', '--json', '--runs', '2', '--threads', '2');
    assert.equal(status, 0);
    const { threads, runs, height, width, multiplyAdds, steps } = JSON.parse(stdout) as Profile;
    assert.deepEqual([threads, runs, height, width], [2, 2, 64, 64]);
    assert.equal(
      steps.reduce((sum, step) => sum + step.multiplyAdds, 0),
      multiplyAdds,
    );
  });

  it('tells of its options, and exits with 2 for wrong ones, 1 for a missing file', () => {
    const help = shufflenet('profile', '--help');
    assert.equal(help.status, 0);
    for (const option of ['--weights', '--threads', '--size <HxW>', '--runs', '--json']) {
      assert.ok(help.stdout.includes(option), option);
    }
    for (const size of ['224', '31x64', '64x5000', 'axb', '64x64x3']) {
      const { status, stderr } = shufflenet('profile', '--size', size);
      assert.equal(status, 2);
      assert.match(stderr, /Expected HEIGHTxWIDTH such as 224x224, each from 32 to 4096\./);
    }
    assert.equal(shufflenet('profile', '--runs', '0').status, 2);
    assert.equal(shufflenet('profile', 'extra').status, 2);
    const { status, stderr } = shufflenet('profile', '--weights', 'missing.safetensors');
    assert.equal(status, 1);
    assert.match(stderr, /^shufflenet: .*missing\.safetensors.* \(ERR_FILE\)\n$/);
  });
});
