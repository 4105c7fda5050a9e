import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ours, oursSync, oursTwice, race, ratiosTo } from '../../bench/field';
import { NetworkFiles } from '../../bench/network-files';

describe('races', () => {
  it('time each contestant in every round, in a process of its own, after checking that they compute the same', async () => {
    const files = new NetworkFiles();
    const job = await files.job({ scale: 0.25, groups: 1 }, { batch: 1, height: 64, width: 64 }, 1);
    const batch = await files.job({ scale: 0.25, groups: 1 }, { batch: 3, height: 64, width: 64 }, 1);
    const entrants = [
      { name: 'one', contestant: ours, job },
      { name: 'sync', contestant: oursSync, job },
      { name: 'twice', contestant: oursTwice, job },
      { name: 'three', contestant: oursSync, job: batch },
      { name: 'forced', contestant: oursSync, job, isa: 'scalar' },
    ];
    const { times, versions, absent } = await race(entrants, { rounds: 2, turn: 5 });
    assert.deepEqual(absent, {});
    assert.match(versions['forced']!, / scalar$/);
    for (const { name } of entrants) {
      const { rounds, summary, fastest } = times[name]!;
      assert.equal(rounds.length, 2);
      assert.ok(rounds.every((time) => time > 0) && fastest <= summary.minimum);
    }
    assert.deepEqual(Object.keys(ratiosTo('one', times)), ['sync', 'twice', 'three', 'forced']);
  });
});
