import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { networkTable, type NetworkTable } from '../../lib';
import { readNpy, writeNpy } from '../../lib/cli/npy';
import { smallOptions, smallTensors, writeSafetensors } from '../weights/files';
import { difference } from '../model/files';
import { fixture, main, parseLines, root, shufflenet, type Result } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-cli-'));
after(() => rmSync(folder, { recursive: true }));
const inFolder = (name: string) => path.join(folder, name);

/** Two photos and what is no photo. */
const photos = inFolder('photos');
mkdirSync(path.join(photos, 'more.jpg.d'), { recursive: true });
copyFileSync(path.join(root, 'examples/coffee.jpg'), path.join(photos, 'b.JPG'));
copyFileSync(path.join(root, 'examples/chelsea.jpg'), path.join(photos, 'a.jpeg'));
writeFileSync(path.join(photos, 'notes.txt'), 'no image');

/** Weights whose labels try to steer the terminal. */
const hostile = inFolder('hostile.safetensors');
writeFileSync(
  hostile,
  writeSafetensors(smallTensors(), {
    'shufflenet.config': JSON.stringify(smallOptions),
    'shufflenet.labels': JSON.stringify(['\u001b[31mred', 'two\nlines', 'back\u202ewards\u009b']),
    'shufflenet.source': 'a\u001b]0;title\u0007b',
  }),
);

/** Everything of C0, C1 and text direction but the newlines that end lines. */
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('shufflenet classify', () => {
  it('prints the likeliest classes of a photo', () => {
    const { status, stdout, stderr } = shufflenet('classify', 'examples/chelsea.jpg');
    assert.deepEqual([status, stderr], [0, '']);
    const lines = stdout.split('\n');
    assert.equal(lines[0], 'examples/chelsea.jpg');
    assert.match(lines[1]!, /^   0\.3[23]\d  Egyptian cat$/);
    for (const line of lines.slice(2, 6)) assert.match(line, /^   0\.0[456]\d  \w[\w ]+$/);
    assert.deepEqual(lines.slice(6), ['']);
  });

  it('prints JSON', () => {
    const { status, stdout } = shufflenet('classify', '--json', '--top', '3', '--threads', '2', 'examples/coffee.jpg');
    assert.equal(status, 0);
    const result = JSON.parse(stdout) as Result;
    assert.equal(result.image, 'examples/coffee.jpg');
    assert.equal(result.predictions!.length, 3);
    const { label, score, index } = result.predictions![0]!;
    assert.deepEqual([label, index], ['espresso', 193]);
    assert.ok(Math.abs(score - 0.973) < 0.005);
  });

  it('takes folders: their image files, sorted', () => {
    const { status, stdout, stderr } = shufflenet('classify', '--top', '1', photos, 'examples/coffee.jpg');
    assert.deepEqual([status, stderr], [0, '']);
    const blocks = stdout.split('\n\n').map((block) => block.trim().split('\n'));
    assert.deepEqual(
      blocks.map(([name]) => name),
      [path.join(photos, 'a.jpeg'), path.join(photos, 'b.JPG'), 'examples/coffee.jpg'],
    );
    assert.match(blocks[0]![1]!, /Egyptian cat$/);
    assert.match(blocks[1]![1]!, /espresso$/);
  });

  it('reports bad images, passes over them, and exits with 1', () => {
    const bad = path.join(photos, 'notes.txt');
    const { status, stdout, stderr } = shufflenet('classify', '--top', '1', bad, 'examples/coffee.jpg', 'missing.jpg');
    assert.equal(status, 1);
    assert.match(stdout, /^examples\/coffee\.jpg\n   0\.97\d  espresso\n$/);
    const [first, second, ...rest] = stderr.split('\n');
    assert.match(first!, /^shufflenet: .*notes\.txt: expected JPEG, PNG, .* \(ERR_IMAGE\)$/);
    assert.match(second!, /^shufflenet: missing\.jpg: cannot be read: ENOENT.* \(ERR_FILE\)$/);
    assert.deepEqual(rest, ['shufflenet: 2 of 3 images failed', '']);

    const json = shufflenet('classify', '--json', bad, 'examples/coffee.jpg');
    assert.equal(json.status, 1);
    const results = parseLines(json.stdout);
    assert.deepEqual(
      results.map(({ image }) => image),
      [bad, 'examples/coffee.jpg'],
    );
    assert.equal(results[0]!.error!.code, 'ERR_IMAGE');
    assert.equal(results[1]!.predictions!.length, 5);
  });

  it('reports a folder without images', () => {
    const { status, stdout, stderr } = shufflenet('classify', path.join(photos, 'more.jpg.d'));
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^shufflenet: .*more\.jpg\.d: no image files \(\.jpg, .*\) in this folder \(ERR_FILE\)\n$/);
  });

  it('takes other weights, and shows their labels without control characters', () => {
    const { status, stdout, stderr } = shufflenet('classify', '--weights', hostile, 'examples/coffee.jpg');
    assert.deepEqual([status, stderr], [0, '']);
    assert.doesNotMatch(stdout, controls);
    assert.equal(stdout.trim().split('\n').length, 4);
    assert.ok(stdout.includes('\\u001b[31mred') && stdout.includes('two\\u000alines'));
    const json = shufflenet('classify', '--weights', hostile, '--json', 'examples/coffee.jpg').stdout;
    assert.doesNotMatch(json, controls);
    const labels = (JSON.parse(json) as Result).predictions!.map(({ label }) => label).sort();
    assert.deepEqual(labels, ['\u001b[31mred', 'back\u202ewards\u009b', 'two\nlines']);
    assert.doesNotMatch(shufflenet('info', hostile).stdout, controls);

    const name = path.join(photos, '\u001b[2Jx.jpg');
    const missing = shufflenet('classify', name);
    assert.doesNotMatch(missing.stderr, controls);
  });

  it('fails without usable weights', () => {
    const args = ['--weights', 'missing.safetensors', 'examples/coffee.jpg'];
    const { status, stdout, stderr } = shufflenet('classify', ...args);
    assert.deepEqual([status, stdout], [1, '']);
    assert.equal(stderr, 'shufflenet: missing.safetensors: does not exist, check the path (ERR_FILE)\n');
  });
});

describe('shufflenet run', () => {
  it('writes the logits of a .npy file', () => {
    for (const name of ['val8', 'noise-224x160']) {
      const output = inFolder(`${name}.npy`);
      const { status, stdout, stderr } = shufflenet('run', '--input', fixture(`${name}.input.npy`), '--output', output);
      assert.deepEqual([status, stdout, stderr], [0, '', '']);
      const logits = readNpy(readFileSync(output), output);
      const expected = readNpy(readFileSync(fixture(`${name}.logits.npy`)), name);
      assert.deepEqual(logits.shape, expected.shape);
      assert.ok(difference(logits.data, expected.data) < 1e-4);
    }
    const threaded = inFolder('threaded.npy');
    shufflenet('run', '--input', fixture('val8.input.npy'), '--output', threaded, '--threads', '2');
    assert.deepEqual(readFileSync(threaded), readFileSync(inFolder('val8.npy')));
  });

  it('reports files that cannot be used', () => {
    const output = inFolder('unused.npy');
    const missing = shufflenet('run', '--input', 'missing.npy', '--output', output);
    assert.deepEqual([missing.status, missing.stdout], [1, '']);
    assert.match(missing.stderr, /^shufflenet: missing\.npy: cannot be read: ENOENT.* \(ERR_FILE\)\n$/);

    const image = shufflenet('run', '--input', 'examples/coffee.jpg', '--output', output);
    assert.equal(image.status, 1);
    assert.equal(image.stderr, 'shufflenet: examples/coffee.jpg: not a .npy file (ERR_INPUT)\n');

    const small = inFolder('small.npy');
    writeFileSync(small, writeNpy({ data: new Float32Array(3 * 16 * 16), shape: [1, 3, 16, 16] }));
    const wrong = shufflenet('run', '--input', small, '--output', output);
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /^shufflenet: input\.shape: expected \[n, 3, height, width\].* \(ERR_INPUT\)\n$/);

    const nowhere = shufflenet('run', '--input', fixture('chelsea.input.npy'), '--output', inFolder('no/folder.npy'));
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /folder\.npy: cannot be written: ENOENT.* \(ERR_FILE\)\n$/);
  });
});

describe('shufflenet table', () => {
  it("prints the paper's Table 1", () => {
    const { status, stdout } = shufflenet('table');
    assert.equal(status, 0);
    for (const line of [
      'Layer Output Kernel Stride Repeat g=1 g=2 g=3 g=4 g=8',
      'Image 224x224 3 3 3 3 3',
      'Conv1 112x112 3x3 2 1 24 24 24 24 24',
      'MaxPool 56x56 3x3 2',
      'Stage2 28x28 2 1 144 200 240 272 384',
      'Stage2 28x28 1 3 144 200 240 272 384',
      'Stage3 14x14 1 7 288 400 480 544 768',
      'Stage4 7x7 1 3 576 800 960 1088 1536',
      'GlobalPool 1x1 7x7',
      'FC 1x1 1000 1000 1000 1000 1000',
      'Complexity 142.5M 140.0M 136.5M 133.3M 136.8M',
      'with FC 143.1M 140.8M 137.5M 134.3M 138.4M',
    ]) {
      const found = stdout.split('\n').some((text) => text.trim().replace(/ +/g, ' ') === line);
      assert.ok(found, `${line}\nnot in\n${stdout}`);
    }
  });

  it('prints JSON: all columns, or the one of --groups', () => {
    const all = JSON.parse(shufflenet('table', '--json').stdout) as NetworkTable[];
    assert.deepEqual(
      all,
      ([1, 2, 3, 4, 8] as const).map((groups) => networkTable({ groups })),
    );
    // As the paper's figures were recomputed, in millions with the classifier.
    const counts = all.map(({ multiplyAdds }) => Math.round(multiplyAdds / 1e4) / 100);
    assert.deepEqual(counts, [143.08, 140.84, 137.46, 134.34, 138.37]);
    const one = JSON.parse(shufflenet('table', '--groups', '3', '--scale', '0.5', '--json').stdout) as NetworkTable;
    assert.deepEqual([one.groups, one.scale, Math.round(one.multiplyAdds / 1e4) / 100], [3, 0.5, 37.59]);
    const scaled = JSON.parse(shufflenet('table', '--scale', '2', '--json').stdout) as NetworkTable[];
    assert.equal(Math.round(scaled[2]!.multiplyAdds / 1e4) / 100, 524.05);
    assert.match(shufflenet('table', '--groups', '8').stdout, /Repeat +g=8\n/);
  });
});

describe('shufflenet info', () => {
  it('describes the default weights', () => {
    const { status, stdout } = shufflenet('info');
    assert.equal(status, 0);
    for (const line of [
      /^weights +\S*shufflenet-1x-g3-tiny-imagenet\.safetensors$/m,
      /^size +2\.4 MB$/m,
      /^network +ShuffleNet 1x, g = 3$/m,
      /^classes +200, with labels$/m,
      /^image +shorter side to 64 \(lanczos3\), crop 64x64$/m,
      /^parameters +1,096,928$/m,
      /^multiply-adds +11\.3M at 64x64$/m,
      /^backend +\w+ \(available: .*scalar\)$/m,
      /^accuracy +.*44\.85/m,
      /^license +MIT/m,
    ]) {
      assert.match(stdout, line);
    }
    assert.doesNotMatch(stdout, /^variant/m);
  });

  it('prints JSON, and where a file differs from the paper', () => {
    type Info = { bytes: number; parameters: number; labels: boolean; network: { variant: object } };
    const own = JSON.parse(shufflenet('info', '--json').stdout) as Info;
    assert.deepEqual([own.bytes, own.parameters, own.labels], [2374832, 1096928, true]);
    assert.deepEqual(own.network.variant, {});

    const variant = { shuffleOrder: 'inverse', maxPoolPadding: { begin: 0, end: 0, ceil: true } };
    const file = inFolder('variant.safetensors');
    const config = JSON.stringify({ ...smallOptions, variant });
    writeFileSync(file, writeSafetensors(smallTensors(), { 'shufflenet.config': config }));
    const { network } = JSON.parse(shufflenet('info', file, '--json').stdout) as Info;
    assert.deepEqual(network.variant, variant);
    const { stdout } = shufflenet('info', file);
    assert.match(stdout, /^network +ShuffleNet 0\.015625x, g = 1, shallow$/m);
    assert.match(stdout, /^variant +shuffleOrder 'inverse', maxPoolPadding { begin: 0, end: 0, ceil: true }$/m);
    assert.match(stdout, /^classes +3, without labels$/m);
  });

  it('refuses what is no weights file', () => {
    const { status, stderr } = shufflenet('info', 'examples/coffee.jpg');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^shufflenet: examples\/coffee\.jpg: no header of safetensors, nor .* \(ERR_WEIGHTS_FORMAT\)\n$/,
    );
  });
});

describe('usage', () => {
  it('prints help and version, and exits with 0', () => {
    for (const args of [
      ['--help'],
      ['help'],
      ['classify', '--help'],
      ['run', '--help'],
      ['table', '--help'],
      ['help', 'info'],
    ]) {
      const { status, stdout, stderr } = shufflenet(...args);
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^Usage: shufflenet/);
      assert.match(stdout, /Examples?:\n  \$ shufflenet /);
    }
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
    assert.deepEqual(shufflenet('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
  });

  const wrong: [args: string[], message: RegExp][] = [
    [[], /^Usage: shufflenet/],
    [['clasify'], /^shufflenet: unknown command 'clasify'\n/],
    [['--nope'], /^shufflenet: unknown option '--nope'\n/],
    [['classify'], /^shufflenet: missing required argument 'image'\n/],
    [['classify', '--nope', 'x.jpg'], /^shufflenet: unknown option '--nope'\n/],
    [['classify', '--top', '0', 'x.jpg'], /'--top <n>' argument '0' is invalid\. Expected a whole number from 1\./],
    [['classify', '--top', '1.5', 'x.jpg'], /argument '1\.5' is invalid/],
    [['classify', '--top', '201', 'x.jpg'], /^shufflenet: --top: expected 1 to 200, got 201\n$/],
    [['classify', '--precision', 'fp8', 'x.jpg'], /argument 'fp8' is invalid\. Allowed choices are fp32, fp16\./],
    [['classify', '--threads', 'two', 'x.jpg'], /argument 'two' is invalid\. Expected a whole number from 1 to 1024\./],
    [['classify', '--top'], /^shufflenet: option '--top <n>' argument missing\n/],
    [['run', '--input', 'x.npy'], /^shufflenet: required option '--output <file>' not specified\n/],
    [['run', '--input', 'x.npy', '--output', 'y.npy', 'z'], /^shufflenet: too many arguments for 'run'/],
    [['table', '--groups', '5'], /argument '5' is invalid\. Allowed choices are 1, 2, 3, 4, 8\./],
    [['table', '--scale', 'x'], /argument 'x' is invalid\. Expected a number such as 0\.5\./],
    [['table', '--scale', '0'], /^shufflenet: scale: expected a number above 0 and at most 16, got 0\n$/],
    [['info', 'a', 'b'], /^shufflenet: too many arguments for 'info'/],
  ];
  for (const [args, message] of wrong) {
    it(`exits with 2 for: shufflenet ${args.join(' ')}`, () => {
      const { status, stdout, stderr } = shufflenet(...args);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n    at /);
    });
  }

  it('ends quietly when nobody reads on', async () => {
    const child = spawn(process.execPath, [main, 'table', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    // Closed before the command has anything to write.
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    assert.deepEqual(await once(child, 'close'), [0, null]);
    assert.equal(stderr, '');
  });

  it('reports an instruction set that there is not', () => {
    const env = { ...process.env, SHUFFLENET_ISA: 'nonsense' };
    const { status, stderr } = spawnSync(process.execPath, [main, 'info'], { encoding: 'utf8', env });
    assert.equal(status, 1);
    assert.match(stderr, /^shufflenet: SHUFFLENET_ISA is 'nonsense', but .* \(ERR_ISA\)\n$/);
  });
});
