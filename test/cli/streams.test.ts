import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import sharp from 'sharp';
import { main, parseLines, root, shufflenet, start, type Result } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-streams-'));
after(() => rmSync(folder, { recursive: true }));

/** 500 small images, of 256 patterns. */
const small = path.join(folder, 'small');
const names = Array.from({ length: 500 }, (_, i) => path.join(small, `${String(i).padStart(3, '0')}.png`));
before(async () => {
  mkdirSync(small);
  for (const [i, name] of names.entries()) {
    const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, p) => (31 * i + p * (i + 7)) % 256);
    await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
      .png()
      .toFile(name);
  }
});

const posix = { skip: process.platform === 'win32' };

describe('classify while the list is still being written', () => {
  it('prints each image before the next one is given', async () => {
    const { child, ended, lines } = start('classify', '--json', '--top', '1', '--concurrency', '4', '-');
    for (const name of ['chelsea', 'coffee', 'chelsea']) {
      // The line arrives in two pieces.
      child.stdin.write('examples/');
      child.stdin.write(`${name}.jpg\n`);
      const { value } = await lines.next();
      assert.equal((JSON.parse(value as string) as Result).image, `examples/${name}.jpg`);
    }
    child.stdin.end();
    assert.deepEqual(await ended, { code: 0, stderr: '' });
  });

  it('classifies hundreds of images in order', () => {
    const { status, stdout, stderr } = shufflenet('classify', '--json', '--top', '2', small);
    assert.deepEqual([status, stderr], [0, '']);
    const results = parseLines(stdout);
    assert.deepEqual(
      results.map(({ image }) => image),
      names,
    );
    assert.ok(new Set(results.map(({ predictions }) => predictions![0]!.score)).size > 240);
  });

  it('takes no more of the list than the reader of the results does', async () => {
    const { child, ended } = start('classify', '--json', '--top', '200', '-');
    // 500 paths of 4 KB, and some 15 KB of results for each.
    for (const name of names) child.stdin.write(`${small}${'/.'.repeat(2000)}/${path.basename(name)}\n`);
    // Reads what its own buffer holds, and no more.
    await once(child.stdout, 'readable');
    let waiting = -1;
    while (waiting !== child.stdin.writableLength) {
      waiting = child.stdin.writableLength;
      await setTimeout(1500);
    }
    assert.ok(waiting > 1e6, `only ${waiting} bytes of the list wait`);
    child.stdin.end();
    let newlines = 0;
    child.stdout.on('data', (text: Buffer) => (newlines += text.toString('latin1').split('\n').length - 1)).resume();
    assert.deepEqual(await ended, { code: 0, stderr: '' });
    assert.equal(newlines, 500);
  });

  it('ends quietly when nobody reads on', posix, () => {
    const script = `yes examples/coffee.jpg | { '${process.execPath}' '${main}' classify --json -; echo $? >&2; } | head -1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', cwd: root, timeout: 20_000 });
    assert.equal(stderr, '0\n');
    assert.equal(parseLines(stdout)[0]!.image, 'examples/coffee.jpg');
  });
});

describe('signals', posix, () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`stops cleanly at ${signal}`, async () => {
      const { child, ended, lines } = start('classify', '--json', '-');
      for (let i = 0; i < 2000; i++) child.stdin.write('examples/coffee.jpg\n');
      for (let i = 0; i < 3; i++) await lines.next();
      child.kill(signal);
      let more = 0;
      for await (const line of lines) {
        assert.equal((JSON.parse(line) as Result).predictions!.length, 5);
        more++;
      }
      assert.deepEqual(await ended, { code, stderr: '' });
      // Those that were on their way when the signal was sent.
      assert.ok(more < 500, `${more} more images`);
    });
  }

  it('stops while it waits for the list', async () => {
    const { child, ended, lines } = start('classify', '--json', '-');
    child.stdin.write('missing.jpg\n');
    await lines.next();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    // Not 1, although an image failed.
    assert.equal(code, 130);
    assert.match(stderr, /^shufflenet: missing\.jpg: .* \(ERR_FILE\)\n$/);
  });

  it('ends at once at the second signal, whatever it waits for', async () => {
    const fifo = path.join(folder, 'never.jpg');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    const { child, ended, lines } = start('classify', '--json', 'examples/coffee.jpg', fifo);
    await lines.next();
    // A file being opened cannot be cancelled.
    child.kill('SIGINT');
    assert.equal(await Promise.race([ended, setTimeout(1000, 'under way')]), 'under way');
    child.kill('SIGINT');
    assert.deepEqual(await ended, { code: 'SIGINT', stderr: '' });
  });
});
