import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  compare,
  cores,
  keptFile,
  networks,
  rowOf,
  tables,
  tablesFile,
  withTables,
  type Counts,
  type Kept,
} from '../../bench/arm/counts';

const counts = (total: number): Counts => ({ total, fma: total / 2, classes: { fma: total / 2, other: total / 2 } });

function made(totals: Record<string, number>, version = '12.2.0'): Kept {
  const entries = Object.entries(totals).map(([row, total]) => [row, counts(total)]);
  return { compilers: { gcc: version }, counts: Object.fromEntries(entries) };
}

const kept = made({ a: 1_000_000, b: 2_000_000 });

describe('the gate of instruction counts', () => {
  it('is open for the same counts, and for up to 1 % more', () => {
    assert.deepEqual(compare(kept, kept, true), { failures: [], notes: [] });
    assert.deepEqual(compare(kept, made({ a: 1_008_000, b: 2_000_000 }), true), { failures: [], notes: [] });
  });

  it('closes for more than 1 % in a single row, and names it', () => {
    const { failures } = compare(kept, made({ a: 1_000_000, b: 2_024_000 }), true);
    assert.deepEqual(failures, ['b: 2.02 million, 1.20 % more than the 2.00 that are kept']);
  });

  it('closes for rows that are not kept, or not counted any more', () => {
    const { failures } = compare(kept, made({ a: 1_000_000, c: 1 }), true);
    assert.equal(failures.length, 2);
    assert.match(failures[0]!, /^c: .*no count is kept/);
    assert.match(failures[1]!, /^b: kept, but not counted/);
    assert.deepEqual(compare(kept, made({ a: 1_000_000 }), false).failures, [], 'with --only');
  });

  it('is open for fewer instructions, and says that they could be kept', () => {
    const { failures, notes } = compare(kept, made({ a: 900_000, b: 1_990_000 }), true);
    assert.deepEqual(failures, []);
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /^a: 0.90 million, 10.00 % less/);
  });

  it('blames another compiler where there is one, and does not close for that alone', () => {
    const same = compare(kept, made({ a: 1_000_000, b: 2_000_000 }, '13.1.0'), true);
    assert.deepEqual(same.failures, []);
    assert.match(same.notes[0]!, /^gcc is 13.1.0 and was 12.2.0; other compilers alone may change the counts/);
    const more = compare(kept, made({ a: 1_000_000, b: 2_024_000 }, '13.1.0'), true);
    assert.equal(more.failures.length, 2);
    assert.match(more.failures[1]!, /^gcc is 13.1.0/);
  });
});

describe('bench/results/arm-instructions.json', () => {
  const file = JSON.parse(readFileSync(keptFile, 'utf8')) as Kept;

  it('has a count for every network and core, each the sum of its classes', () => {
    const rows = networks.flatMap(({ name }) => cores.map((core) => rowOf(name, core.name)));
    assert.deepEqual(Object.keys(file.counts), rows);
    for (const [row, { total, fma, classes }] of Object.entries(file.counts)) {
      const sum = Object.values(classes).reduce((some, value) => some + value, 0);
      assert.deepEqual([total, fma], [sum, classes['fma']], row);
      assert.ok(fma > 4e6, row);
    }
  });

  it('is what the tables of docs/arm-loops.md show', () => {
    const document = readFileSync(tablesFile, 'utf8');
    const shown = withTables(document, tables(file)) === document;
    assert.ok(shown, 'npm run bench:arm -- --update writes both');
    const other = { ...file, counts: { ...file.counts, '1x g=3, cortex-a72': counts(1e9) } };
    assert.notEqual(withTables(document, tables(other)), document);
  });
});
