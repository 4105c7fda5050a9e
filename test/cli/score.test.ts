import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Score, share } from '../../lib/cli/score';

test("the interval is Wilson's", () => {
  // Newcombe 1998, method 3: 81 of 263 and 0 of 20.
  const near = (got: number, expected: number) => assert.ok(Math.abs(got - expected) < 5e-5, `${got}`);
  const [low, high] = share(81, 263).interval;
  near(low, 0.2553);
  near(high, 0.3662);
  assert.equal(share(0, 20).interval[0], 0);
  near(share(0, 20).interval[1], 0.1611);
  assert.ok(share(20, 20).interval[1] === 1 && share(20, 20).error === 1);
});

test('counts errors by class, and pairs that were confused by how often', () => {
  const score = new Score();
  score.add(3, [3, 1, 2, 4, 5]);
  score.add(3, [1, 3, 2, 4, 5]);
  score.add(3, [1, 2, 4, 5, 6]);
  score.add(0, [2, 1, 3, 4, 5]);
  assert.deepEqual([score.images, score.top1Errors, score.top5Errors], [4, 3, 2]);
  assert.deepEqual(score.classes(), [
    { index: 0, images: 1, top1Errors: 1, top5Errors: 1 },
    { index: 3, images: 3, top1Errors: 2, top5Errors: 1 },
  ]);
  assert.deepEqual(score.confusions(), [
    { truth: 3, predicted: 1, count: 2 },
    { truth: 0, predicted: 2, count: 1 },
  ]);
});
