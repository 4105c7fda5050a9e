import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkTable } from '../../lib';
import { binding } from '../../lib/native/binding';
import type { Bench } from '../../lib/cli/bench';
import { shufflenet } from './command';

const { isa, processors } = binding().backend();
const quick = ['bench', '--seconds', '0.05', '--size', '64x96'];

describe('shufflenet bench', () => {
  it('prints a line for each number of cores, and one to share', () => {
    const { status, stdout, stderr } = shufflenet(...quick);
    assert.deepEqual([status, stderr], [0, '']);
    const [facts, table, share] = stdout.split('\n\n').map((block) => block.trimEnd().split('\n'));
    assert.match(facts![0]!, /^ShuffleNet 1x g=3 at 64x96, \d+\.\dM multiply-adds, float32$/);
    const [head, first, ...rest] = table!;
    assert.match(head!, /^Cores +one image: ms +fastest +speedup +as many images: 1\/s +speedup$/);
    assert.match(first!, /^1 +\d+\.\d\d +\d+\.\d\d +1\.00x +\d+\.\d +1\.00x$/);
    if (processors > 1) assert.match(rest.at(-1)!, new RegExp(`^${processors} .*x +\\d+\\.\\d +\\d+\\.\\d\\dx$`));
    assert.equal(share!.length, 2);
    assert.match(share![1]!, /^shufflenet-native \d+\.\d+\.\d+ \| .+, \d+ cores? \| \w+ \w+, Node\.js /);
    assert.match(share![1]!, / \| 1x g=3 64x96 \| 1 thread \d+\.\d\d ms/);
  });

  it('prints JSON in which the parts agree', () => {
    const { status, stdout } = shufflenet(...quick, '--json');
    assert.equal(status, 0);
    const bench = JSON.parse(stdout) as Bench;
    assert.deepEqual([bench.isa, bench.processors, bench.height, bench.width], [isa, processors, 64, 96]);
    assert.equal(bench.multiplyAdds, networkTable({ classes: 200 }, { height: 64, width: 96 }).multiplyAdds);
    const counts = bench.cores.map(({ cores }) => cores);
    assert.deepEqual([counts[0], counts.at(-1)], [1, processors]);
    assert.deepEqual(
      counts,
      [...new Set(counts)].sort((a, b) => a - b),
    );
    for (const { median, fastest, imagesPerSecond } of bench.cores) {
      assert.ok(fastest > 0 && fastest <= median && imagesPerSecond > 0);
    }
  });

  it('takes the time it is given', () => {
    const start = performance.now();
    const { status } = shufflenet(...quick, '--seconds', '0.3');
    assert.equal(status, 0);
    assert.ok(performance.now() - start > 300);
  });

  it('tells of its options, and exits with 2 for wrong ones, 1 for a missing file', () => {
    const help = shufflenet('bench', '--help');
    assert.equal(help.status, 0);
    for (const option of ['--weights', '--precision <precision>', '--size <HxW>', '--seconds <s>', '--json']) {
      assert.ok(help.stdout.includes(option), option);
    }
    assert.equal(shufflenet('bench', '--seconds', '0').status, 2);
    assert.equal(shufflenet('bench', '--seconds', 'x').status, 2);
    assert.equal(shufflenet('bench', '--size', '20x20').status, 2);
    const { status, stderr } = shufflenet('bench', '--weights', 'missing.safetensors');
    assert.equal(status, 1);
    assert.match(stderr, /^shufflenet: .*missing\.safetensors.* \(ERR_FILE\)\n$/);
  });
});
