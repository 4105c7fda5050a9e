import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { parse } from 'csv-parse/sync';
import { main, parseLines, root, shufflenet } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-many-'));
after(() => rmSync(folder, { recursive: true }));
chmodSync(folder, 0o755);

/** A copy of a photo, or what is none. */
function photo(name: string, from = 'chelsea'): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  if (from === '') writeFileSync(file, 'no image');
  else copyFileSync(path.join(root, `examples/${from}.jpg`), file);
  return file;
}

const tree = ['tree/b.jpg', 'tree/c.PNG', 'tree/a/z.jpg', 'tree/a/deep/y.jpeg', 'tree/d/x.jpg'].map((name) =>
  photo(name),
);
photo('tree/notes.txt', '');
mkdirSync(path.join(folder, 'tree/folder.jpg'));
symlinkSync('..', path.join(folder, 'tree/d/round'));
const [b, c, z, y, x] = tree as [string, string, string, string, string];

function found(...args: string[]): string[] {
  const { status, stdout, stderr } = shufflenet('classify', '--json', '--top', '1', ...args);
  assert.deepEqual([status, stderr], [0, '']);
  return parseLines(stdout).map(({ image, predictions }) => {
    assert.equal(predictions?.[0]?.label, 'Egyptian cat');
    return image;
  });
}

function run(input: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'classify', ...args], {
    encoding: 'utf8',
    cwd: root,
    input,
  });
  return { status, stdout, stderr };
}

describe('images to classify', () => {
  it('takes folders, and their folders with --recursive, but no links that go round', () => {
    assert.deepEqual(found(path.join(folder, 'tree')), [b, c]);
    assert.deepEqual(found('-r', path.join(folder, 'tree')), [b, c, z, y, x]);
  });

  it('takes patterns, sorted, relative and absolute', () => {
    assert.deepEqual(found('examples/{none,chel*}.jpg'), ['examples/chelsea.jpg']);
    assert.deepEqual(found(path.join(folder, 'tree/**/*.jp?(e)g')), [b, x, y, z].sort());
  });

  it('takes a file whose name looks like a pattern or an option', () => {
    const odd = photo('odd/photo[1]*.jpg');
    photo('odd/photo1.jpg');
    assert.deepEqual(found(odd), [odd]);
    assert.deepEqual(found('--', odd), [odd]);
  });

  it('takes lists on standard input, whatever ends their lines, next to other images', () => {
    const spaced = photo('sp ace/ü, "x".jpg');
    const broken = photo('sp ace/two\nlines.jpg');
    const list = run(`${b}\r\n\n${spaced}`, '--json', '--top', '1', x, '-', z);
    assert.deepEqual([list.status, list.stderr], [0, '']);
    assert.deepEqual(
      parseLines(list.stdout).map(({ image }) => image),
      [x, b, spaced, z],
    );
    const nul = run(`${broken}\0${b}\0`, '--json', '--top', '1', '--null', '-');
    assert.deepEqual([nul.status, nul.stderr], [0, '']);
    assert.deepEqual(
      parseLines(nul.stdout).map(({ image }) => image),
      [broken, b],
    );
  });

  it('says so where there are none', () => {
    const empty = path.join(folder, 'tree/folder.jpg');
    const cases: [string, string[], RegExp][] = [
      ['', ['-'], /^shufflenet: no paths of images on standard input \(ERR_FILE\)\n$/],
      ['\n\n', ['-'], /^shufflenet: no paths of images on standard input \(ERR_FILE\)\n$/],
      ['', ['none/*.jpg'], /^shufflenet: none\/\*\.jpg: no file matches this pattern \(ERR_FILE\)\n$/],
      ['', ['-r', empty], /^shufflenet: .*: no image files \(.*\) in this folder or below \(ERR_FILE\)\n$/],
    ];
    for (const [input, args, message] of cases) {
      const { status, stdout, stderr } = run(input, ...args);
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, message);
    }
  });

  it('reports folders that it may not read, and goes on', (context) => {
    const closed = path.join(folder, 'tree/a/deep');
    // Nothing is closed to root.
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const as = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8', cwd: root, ...user });
    if (process.platform === 'win32' || as('-e', `require(${JSON.stringify(main)})`).status === null) {
      return context.skip('no other user may run the command');
    }
    chmodSync(closed, 0);
    try {
      const { status, stdout, stderr } = as(main, 'classify', '--json', '-r', path.join(folder, 'tree'));
      assert.equal(status, 1);
      assert.match(stderr, /^shufflenet: .*tree\/a\/deep: cannot be read: EACCES.* \(ERR_FILE\)\n$/);
      assert.deepEqual(
        parseLines(stdout).map(({ image }) => image),
        [b, c, z, x],
      );
      const alone = as(main, 'classify', closed);
      assert.deepEqual([alone.status, alone.stdout], [1, '']);
      assert.match(alone.stderr, /^shufflenet: .*tree\/a\/deep: cannot be read: EACCES.* \(ERR_FILE\)\n$/);
    } finally {
      chmodSync(closed, 0o755);
    }
  });
});

describe('results of many images', () => {
  const mixed = Array.from({ length: 10 }, (_, i) =>
    photo(`mixed/${i}.jpg`, i === 3 ? '' : i % 2 ? 'coffee' : 'chelsea'),
  );
  mixed[7] = path.join(folder, 'mixed/missing.jpg');

  it('passes over bad images in between, keeps the order, and counts them', () => {
    const { status, stdout, stderr } = run(mixed.join('\n'), '--json', '--concurrency', '4', '-');
    assert.equal(status, 1);
    const results = parseLines(stdout);
    assert.deepEqual(
      results.map(({ image }) => image),
      mixed,
    );
    const seen = results.map(({ predictions, error }) => error?.code ?? predictions![0]!.label);
    const [cat, cup] = ['Egyptian cat', 'espresso'];
    assert.deepEqual(seen, [cat, cup, cat, 'ERR_IMAGE', cat, cup, cat, 'ERR_FILE', cat, cup]);
    const lines = stderr.trimEnd().split('\n');
    assert.match(lines[0]!, /^shufflenet: .*mixed\/3\.jpg: .* \(ERR_IMAGE\)$/);
    assert.match(lines[1]!, /^shufflenet: .*mixed\/missing\.jpg: .* \(ERR_FILE\)$/);
    assert.deepEqual(lines.slice(2), ['shufflenet: 2 of 10 images failed']);
  });

  it('gives the same results whatever works at once', () => {
    const [first, ...others] = [
      ['--concurrency', '1'],
      ['--concurrency', '7'],
      ['--threads', '2'],
      ['--format', 'jsonl'],
    ].map((args) => shufflenet('classify', ...(args[0] === '--format' ? args : ['--json', ...args]), ...mixed).stdout);
    for (const other of others) assert.equal(other, first);
  });

  it('prints CSV that reads back as the JSON lines', () => {
    const names = ['a,b.jpg', 'say "x".jpg', 'two\nlines.jpg', '=1+1.jpg', ' space .jpg'];
    const images = [...names.map((name) => photo(`csv/${name}`)), photo('csv/bad,"\n.jpg', '')];
    const args = ['--top', '3', ...images];
    const { status, stdout } = shufflenet('classify', '--format', 'csv', ...args);
    assert.equal(status, 1);
    const rows = parse(stdout, { columns: true }) as Record<string, string>[];
    const expected = parseLines(shufflenet('classify', '--json', ...args).stdout).flatMap(
      ({ image, predictions, error }): Record<string, string>[] =>
        predictions?.map(({ label, score, index }, i) => ({
          image,
          rank: `${i + 1}`,
          label,
          index: `${index}`,
          score: `${score}`,
          error: '',
        })) ?? [{ image, rank: '', label: '', index: '', score: '', error: `${error!.code}: ${error!.message}` }],
    );
    assert.equal(rows.length, 3 * 5 + 1);
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      expected,
    );
    assert.match(stdout, /^image,rank,label,index,score,error\n/);
  });

  it('refuses formats and numbers that there are not, and two formats', () => {
    for (const [args, message] of [
      [['--format', 'xml'], /Allowed choices are table, jsonl, csv/],
      [['--json', '--format', 'csv'], /'--json' cannot be used with option '--format <format>'/],
      [['--concurrency', '0'], /Expected a whole number from 1 to 1024/],
    ] as const) {
      const { status, stdout, stderr } = shufflenet('classify', ...args, b);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, message);
    }
  });
});
