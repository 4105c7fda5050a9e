import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readStored } from '../../../lib/weights/formats/read';
import type { StoredTensor } from '../../../lib/weights/stored';
import { failure } from '../files';

const root = path.join(__dirname, '../../../..');
const fixture = (name: string) => new Uint8Array(readFileSync(path.join(root, 'test/fixtures/checkpoints/hdf5', name)));
const read = (name: string, bytes = fixture(name)) => readStored({ file: name, bytes });

/** Element i of a tensor of the fixtures is i + its number. */
const ramp = (number: number, length: number) => Float32Array.from({ length }, (_, i) => i + number);
const floats = ({ bytes }: StoredTensor) => new Float32Array(new Uint8Array(bytes).buffer);

for (const name of ['model.h5', 'model-latest.h5']) {
  test(`reads Keras' weights by their names, from the model's group of ${name}`, async () => {
    const { format, tensors, metadata } = await read(name);
    assert.equal(format, 'hdf5');
    assert.deepEqual(
      [...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape]),
      [
        ['conv1/kernel:0', 'F32', [2, 3, 4]],
        ['conv1/bias:0', 'F32', [4]],
        ['a/b/fc_/g0/kernel:0', 'F32', [5, 2]],
        ['half/kernel:0', 'F16', [3]],
        ['step/iterations:0', 'I64', []],
      ],
    );
    assert.deepEqual(floats(tensors.get('conv1/kernel:0')!), ramp(0, 24));
    assert.deepEqual(floats(tensors.get('a/b/fc_/g0/kernel:0')!), ramp(2, 10));
    assert.deepEqual(JSON.parse(metadata['model_config']!), { class_name: 'Model', config: { name: 'small' } });
  });
}

for (const name of ['any.h5', 'any-latest.h5']) {
  test(`reads all numbers of ${name} by their paths: deflated and empty ones too, but nothing outside of it`, async () => {
    const { tensors } = await read(name);
    assert.deepEqual([...tensors.keys()].sort(), ['byte', 'empty', 'link', 'x/deflated', 'x/double']);
    assert.deepEqual(floats(tensors.get('x/deflated')!), ramp(1, 2000));
    const double = tensors.get('x/double')!;
    assert.deepEqual(
      [double.dtype, ...new Float64Array(new Uint8Array(double.bytes).buffer)],
      ['F64', 0, 1, 2, 3, 4, 5],
    );
    assert.deepEqual([...tensors.get('link')!.bytes], [2, 3, 4, 5, 6, 7, 8]);
  });
}

test('reads several files at once', async () => {
  const all = await Promise.all(['weights.h5', 'model.h5', 'weights.h5'].map((name) => read(name)));
  assert.deepEqual(
    all.map(({ tensors }) => tensors.size),
    [3, 5, 3],
  );
});

test('refuses big-endian numbers', async () => {
  await assert.rejects(read('big-endian.h5'), failure('ERR_WEIGHTS_FORMAT', 'big-endian.h5: ', '"x" is big-endian'));
});

/** The first place of a text or number in the file, to be overwritten. */
function changed(name: string, from: Uint8Array, to: Uint8Array) {
  const bytes = fixture(name);
  const at = Buffer.from(bytes).indexOf(from);
  assert.ok(at >= 0 && from.length === to.length);
  bytes.set(to, at);
  return bytes;
}

test('refuses what its own lists name and does not have, or has twice', async () => {
  const text = (value: string) => Buffer.from(value);
  const layer = changed('weights.h5', text('conv1\0'), text('conv2\0'));
  await assert.rejects(read('x', layer), failure('ERR_WEIGHTS_FORMAT', 'x: ', 'conv'));
  const twice = changed('weights.h5', text('conv1/bias:0\0'), text('conv1/kernel:'));
  await assert.rejects(read('x', twice), failure('ERR_WEIGHTS_FORMAT', 'x: '));
});

test('refuses shapes of 2^63 and more than the file can hold', async () => {
  // any.h5's dataset "byte" is [7], twice in its dataspace: its size and how far it may grow.
  const sides = (n: bigint) => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(n);
    bytes.writeBigUInt64LE(n, 8);
    return bytes;
  };
  for (const n of [2n ** 63n, 2n ** 64n - 1n, 2n ** 40n, 2n ** 31n, 2n ** 25n]) {
    await assert.rejects(read('x', changed('any.h5', sides(7n), sides(n))), failure('ERR_WEIGHTS_FORMAT', 'x: '));
  }
});

test('does not inflate what would fill the memory', async () => {
  const bomb = gunzipSync(fixture('bomb.h5.gz'));
  // The first reading of a process compiles the library, which takes some 30 MB more.
  await read('x', fixture('any.h5'));
  const before = process.memoryUsage.rss();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
  await assert.rejects(read('x', bomb), failure('ERR_WEIGHTS_FORMAT', 'x: cannot be read as HDF5'));
  clearInterval(watch);
  // The chunk alone would take 64 MB.
  assert.ok(most - before < 80e6, `${most - before} bytes`);
});

test('a file that is cut anywhere is refused', async () => {
  const bytes = fixture('weights.h5');
  for (const length of [8, 100, 2048, bytes.length >> 1, bytes.length - 1]) {
    await assert.rejects(read('x', bytes.slice(0, length)), failure('ERR_WEIGHTS_FORMAT', 'x: cannot be read as HDF5'));
  }
});

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-hdf5-'));
after(() => rmSync(folder, { recursive: true }));

test('names the package that is missing where h5wasm is not installed', () => {
  cpSync(path.join(root, 'dist/lib'), path.join(folder, 'dist/lib'), { recursive: true });
  mkdirSync(path.join(folder, 'test'));
  const script = `
    const { readHdf5 } = require(${JSON.stringify(path.join(folder, 'dist/lib/weights/formats/hdf5.js'))});
    readHdf5({ file: 'x.h5', bytes: new Uint8Array(100) }).catch((error) => console.log(error.code, error.message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', cwd: folder });
  assert.equal(stderr, '');
  assert.match(stdout, /^ERR_WEIGHTS_FORMAT x\.h5: .*h5wasm.*not installed: npm install h5wasm$/m);
});
