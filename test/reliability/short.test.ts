import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measureApart, names } from './run';

// Enough to notice when a promise breaks; the figures of docs/reliability.md come from `npm run test:reliability`.
describe('reliability, in short', () => {
  for (const name of names) {
    it(name, () => {
      const { broken } = measureApart(name, true);
      assert.deepEqual(broken, []);
    });
  }
});
