import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkName } from '../../bench/network-files';
import { networks } from '../../bench/networks';
import { Random } from '../../bench/random';
import { randomTensors, safetensors } from '../../bench/weights';
import { ShuffleNet } from '../../lib';
import { buildGraph } from '../../lib/network/graph';
import { resolveNetwork } from '../../lib/network/table';

describe('random weights of the benchmark', () => {
  for (const options of networks) {
    it(`make sane logits that depend on the image: ${networkName(options)}`, async () => {
      const graph = buildGraph(resolveNetwork(options));
      const model = await ShuffleNet.load(safetensors(graph, randomTensors(graph, 1), options));
      const random = new Random(3);
      const logits = () => model.runSync({ data: random.floats(3 * 64 * 64, -2, 2), shape: [1, 3, 64, 64] }).data;
      const [one, other] = [logits(), logits()];
      model.close();
      const largest = Math.max(...one.map(Math.abs));
      assert.ok(largest > 0.1 && largest < 1000, `the largest logit is ${largest}`);
      const difference = Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
      assert.ok(difference > largest / 100, `logits of ${largest} differ by ${difference} for another image`);
    });
  }

  it('are the same in every run, and others with another seed', () => {
    const graph = buildGraph(resolveNetwork({ scale: 0.25 }));
    assert.deepEqual(randomTensors(graph, 1), randomTensors(graph, 1));
    assert.notDeepEqual(randomTensors(graph, 1)['fc.weight'], randomTensors(graph, 2)['fc.weight']);
  });
});
