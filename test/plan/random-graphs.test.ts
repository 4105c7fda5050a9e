import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertParity, randomImages } from './compare';
import { randomGraph } from './graphs';
import { Random, randomTensors } from './random';

// Any range of seeds can be tried.
const [first, count] = [Number(process.env.FIRST_SEED ?? 0), Number(process.env.SEEDS ?? 1500)];

describe('random graphs', () => {
  it(`${count} equal the reference`, async () => {
    const failures: string[] = [];
    for (let seed = first; seed < first + count; seed++) {
      const { graph, height, width } = randomGraph(new Random(seed));
      const input = graph.layers[0]!;
      assert.ok(input.op === 'input');
      const images = randomImages(1 + (seed % 2), height, width, seed, input.channels);
      const options = { threads: 1 + (seed % 3 === 0 ? 1 : 0), label: `seed ${seed}` };
      await assertParity(graph, randomTensors(graph, seed), images, options).then(
        (result) => assert.equal(result, 'equal', `seed ${seed}: refused`),
        (error: Error) => failures.push(`${error.message}\n${JSON.stringify(graph.layers)}`),
      );
    }
    failures.sort((a, b) => a.length - b.length);
    const smallest = failures.slice(0, 3).join('\n');
    assert.equal(failures.length, 0, `${failures.length} of ${count} fail, the smallest:\n${smallest}`);
  });
});
