import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { main, root, shufflenet } from './command';
import { screen } from './terminal';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-progress-'));
after(() => rmSync(folder, { recursive: true }));
const photos = path.join(folder, 'photos');
mkdirSync(photos);
for (let i = 10; i < 40; i++) {
  const file = path.join(photos, `${i}.jpg`);
  if (i === 25) writeFileSync(file, 'no image');
  else copyFileSync(path.join(root, `examples/${i % 2 ? 'coffee' : 'chelsea'}.jpg`), file);
}

/** That of util-linux: others take other options. */
const hasScript = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '');

/** Runs a shell command that uses `shufflenet` in a terminal; all that it writes there. */
function inTerminal(
  command: string,
  input: (terminal: { output: string; type(keys: string): void }) => void = () => {},
) {
  const shell = `shufflenet() { '${process.execPath}' '${main}' "$@"; }; stty cols 80; ${command}`;
  const env = { ...process.env, SHELL: '/bin/sh' };
  const child = spawn('script', ['-qec', shell, '/dev/null'], { cwd: root, env, timeout: 30_000 });
  const terminal = { output: '', type: (keys: string) => void child.stdin.write(keys) };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    terminal.output += text;
    input(terminal);
  });
  return once(child, 'close').then(([code]) => ({ code: code as number, output: terminal.output }));
}

const bar = /\[=*-*\] \d+\/30  \d+\.\d images\/s/;

describe('progress in a terminal', { skip: !hasScript && 'needs script of util-linux' }, () => {
  const plain = shufflenet('classify', photos);
  const errors = plain.stderr.trimEnd().split('\n');

  it('shows images, images per second, time left and failures on stderr only', async () => {
    const file = path.join(folder, 'results.txt');
    const { code, output } = await inTerminal(`shufflenet classify '${photos}' > '${file}'`);
    assert.equal(code, 1);
    assert.equal(readFileSync(file, 'utf8'), plain.stdout);
    assert.match(output, bar);
    assert.match(output, /\[=+-+\] \d+\/30  \d+\.\d images\/s  ETA \d+s/);
    assert.match(output, /\[={24}\] 30\/30  \d+\.\d images\/s  ETA 0s  1 failed/);
    // Nothing of it stays.
    assert.deepEqual(screen(output), errors);
  });

  it('keeps out of the way of the results', async () => {
    const { output } = await inTerminal(`shufflenet classify '${photos}'`);
    assert.match(output, bar);
    const lines = screen(output);
    const shown = lines.filter((line) => !errors.includes(line));
    assert.deepEqual(shown, plain.stdout.trimEnd().split('\n'));
    assert.equal(lines.length, shown.length + errors.length);
  });

  it('counts a list without knowing its length', async () => {
    const { code, output } = await inTerminal(`ls -d '${photos}'/1*.jpg | shufflenet classify --json - > /dev/null`);
    assert.equal(code, 0);
    assert.match(output, /G10 images  \d+\.\d images\/s/);
    assert.doesNotMatch(output, /ETA|\[[=-]/);
    assert.deepEqual(screen(output), ['']);
  });

  it('shows none for one image, nor where stderr is no terminal', async () => {
    const { output } = await inTerminal('shufflenet classify --top 1 examples/coffee.jpg');
    assert.match(output, /^examples\/coffee\.jpg\r\n   0\.97\d  espresso\r\n$/);
    const file = path.join(folder, 'stderr.txt');
    const piped = await inTerminal(`shufflenet classify '${photos}' 2> '${file}'`);
    assert.doesNotMatch(piped.output, /\x1b/);
    assert.equal(readFileSync(file, 'utf8'), plain.stderr);
  });

  it('leaves the terminal in order at Ctrl-C', async () => {
    let typed = false;
    const { code, output } = await inTerminal(
      `yes examples/coffee.jpg | shufflenet classify --json - > '${path.join(folder, 'stopped.jsonl')}'`,
      (terminal) => {
        if (typed || !/G\d+ images .*G\d+ images /.test(terminal.output)) return;
        typed = true;
        terminal.type('\x03');
      },
    );
    assert.equal(code, 130);
    assert.deepEqual(screen(output.replace('^C', '')), ['']);
    for (const line of readFileSync(path.join(folder, 'stopped.jsonl'), 'utf8').trimEnd().split('\n')) JSON.parse(line);
  });
});
