import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { exportOnnx } from '../../lib';
import { randomWeights } from '../onnx/runtime';
import { main, root, shufflenet } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-export-'));
after(() => rmSync(folder, { recursive: true }));
const inFolder = (name: string) => path.join(folder, name);
/** A folder of its own, to see everything that is left in it. */
function newFolder(name: string): string {
  mkdirSync(inFolder(name));
  return inFolder(name);
}

describe('shufflenet export', () => {
  it('writes what exportOnnx() gives, and nothing else', async () => {
    const own = newFolder('own');
    const file = path.join(own, 'default.onnx');
    assert.deepEqual(shufflenet('export', '--onnx', file), { status: 0, stdout: '', stderr: '' });
    assert.ok(readFileSync(file).equals(await exportOnnx()));
    assert.deepEqual(readdirSync(own), ['default.onnx']);
  });

  it('takes other weights and one size', async () => {
    const weights = randomWeights({ groups: 2, scale: 0.25, classes: 3 }, 1);
    const [from, to] = [inFolder('random.safetensors'), inFolder('random.onnx')];
    writeFileSync(from, weights);
    const args = ['--weights', from, '--onnx', to, '--size', '64x96'];
    assert.deepEqual(shufflenet('export', ...args), { status: 0, stdout: '', stderr: '' });
    assert.ok(readFileSync(to).equals(await exportOnnx(weights, { size: { height: 64, width: 96 } })));
  });

  it('replaces a file, through a link too', () => {
    const [file, link] = [inFolder('old.onnx'), inFolder('link.onnx')];
    writeFileSync(file, 'old');
    symlinkSync(file, link);
    assert.equal(shufflenet('export', '--onnx', link).status, 0);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.ok(readFileSync(file).length > 1e6);
  });

  it('leaves what was there, and no half file, when it fails', () => {
    const own = newFolder('kept');
    const file = path.join(own, 'kept.onnx');
    writeFileSync(file, 'kept');
    const missing = shufflenet('export', '--weights', 'missing.safetensors', '--onnx', file);
    assert.deepEqual([missing.status, missing.stdout], [1, '']);
    assert.equal(missing.stderr, 'shufflenet: missing.safetensors: does not exist, check the path (ERR_FILE)\n');
    assert.equal(readFileSync(file, 'utf8'), 'kept');
    assert.deepEqual(readdirSync(own), ['kept.onnx']);
  });

  it('leaves no half file when the disk takes no more', { skip: process.platform === 'win32' }, () => {
    const own = newFolder('full');
    const file = path.join(own, 'kept.onnx');
    writeFileSync(file, 'kept');
    // Blocks of 512 bytes, or 1024 in some shells; the model needs 4 MB.
    const script = 'ulimit -f 1000; exec "$0" "$@"';
    const args = ['-c', script, process.execPath, main, 'export', '--onnx', file];
    const { status, stderr } = spawnSync('/bin/sh', args, { encoding: 'utf8', cwd: root });
    assert.equal(status, 1);
    assert.match(stderr, /^shufflenet: .*kept\.onnx: cannot be written: EFBIG.* \(ERR_FILE\)\n$/);
    assert.equal(readFileSync(file, 'utf8'), 'kept');
    assert.deepEqual(readdirSync(own), ['kept.onnx']);
  });

  it('reports where it cannot write', () => {
    const nowhere = shufflenet('export', '--onnx', inFolder('no/folder.onnx'));
    assert.deepEqual([nowhere.status, nowhere.stdout], [1, '']);
    assert.match(nowhere.stderr, /^shufflenet: .*folder\.onnx: cannot be written: ENOENT.* \(ERR_FILE\)\n$/);

    const own = newFolder('folder.onnx');
    const directory = shufflenet('export', '--onnx', own);
    assert.equal(directory.status, 1);
    assert.match(
      directory.stderr,
      /folder\.onnx: is not a regular file, pass the path of a file to write \(ERR_FILE\)/,
    );
    assert.deepEqual(readdirSync(own), []);
  });

  it('prints help with examples', () => {
    const { status, stdout } = shufflenet('export', '--help');
    assert.equal(status, 0);
    assert.match(stdout, /^Usage: shufflenet export.*Examples:\n  \$ shufflenet export --onnx shufflenet\.onnx/s);
  });

  for (const [args, message] of [
    [[], /^shufflenet: required option '--onnx <file>' not specified\n/],
    [['--size', '224'], /'--size <HxW>' argument '224' is invalid/],
    [['--size', '16x64'], /argument '16x64' is invalid/],
    [['--size', '64x5000'], /argument '64x5000' is invalid/],
    [['x.onnx'], /^shufflenet: too many arguments for 'export'/],
  ] as [string[], RegExp][]) {
    it(`exits with 2 for: shufflenet export ${args.join(' ')}`, () => {
      const file = inFolder('unused.onnx');
      const { status, stdout, stderr } = shufflenet('export', ...(args.length > 0 ? ['--onnx', file] : []), ...args);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, message);
      assert.ok(!existsSync(file));
    });
  }
});
