import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, quantile, ratios, summarize } from '../../bench/statistics';

describe('statistics of the benchmark', () => {
  it('takes the middle value, or the mean of the two in the middle, and leaves the samples as they were', () => {
    const samples = [5, 1, 3];
    assert.equal(median(samples), 3);
    assert.deepEqual(samples, [5, 1, 3]);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([7]), 7);
    assert.ok(Number.isNaN(median([])));
  });

  it('sorts by value, not as text', () => {
    assert.equal(median([9, 10, 11]), 10);
  });

  it('interpolates quantiles', () => {
    assert.equal(quantile([0, 10], 0.25), 2.5);
    assert.equal(quantile([1, 2, 3, 4, 5], 0), 1);
    assert.equal(quantile([1, 2, 3, 4, 5], 1), 5);
  });

  it('is not moved by a sample that another process slowed down', () => {
    const quiet = summarize([10, 11, 10, 12, 11]);
    const disturbed = summarize([10, 11, 10, 12, 1000]);
    assert.equal(disturbed.median, quiet.median);
    assert.equal(disturbed.minimum, quiet.minimum);
    assert.equal(disturbed.spread, quiet.spread);
  });

  it('gives the spread as the median deviation over the median', () => {
    assert.deepEqual(summarize([8, 10, 14]), {
      median: 10,
      minimum: 8,
      quartiles: [9, 12],
      spread: 0.2,
      samples: 3,
    });
  });

  it('compares within rounds, so that drift of the machine cancels out', () => {
    const ours = [1, 2, 4, 8];
    const theirs = ours.map((time) => 1.5 * time);
    const { median, spread } = ratios(theirs, ours);
    assert.equal(median, 1.5);
    assert.equal(spread, 0);
  });

  it('refuses to compare what was not measured in the same rounds', () => {
    assert.throws(() => ratios([1, 2], [1]), /2 rounds cannot be compared with 1/);
  });
});
