import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { convertWeights, ShuffleNet } from '../../lib';
import { checkpoints } from '../weights/families/fixtures';
import { root, shufflenet } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-convert-'));
after(() => rmSync(folder, { recursive: true }));
const inFolder = (name: string) => path.join(folder, name);
const { file } = checkpoints.find(({ name }) => name === 'megvii')!;

describe('shufflenet convert', () => {
  it('writes what convertWeights() gives, and nothing else', async () => {
    const to = inFolder('megvii.safetensors');
    assert.deepEqual(shufflenet('convert', file, to), { status: 0, stdout: '', stderr: '' });
    assert.ok(readFileSync(to).equals(await convertWeights(file)));
    assert.deepEqual(readdirSync(folder), ['megvii.safetensors']);
  });

  it('takes a dtype, and class names with their synsets from a file', async () => {
    const [to, names] = [inFolder('half.safetensors'), inFolder('names.txt')];
    const synsets = Array.from({ length: 10 }, (_, i) => `n0144010${i}`);
    writeFileSync(names, synsets.map((synset, i) => `${synset} fish, number ${i}\n`).join(''));
    assert.deepEqual(shufflenet('convert', file, to, '--dtype', 'f16', '--labels', names).stderr, '');
    await using model = await ShuffleNet.load(to);
    assert.deepEqual([model.labels![9], model.synsets], ['fish, number 9', synsets]);
    assert.ok(readFileSync(to).length < readFileSync(inFolder('megvii.safetensors')).length);
  });

  it('keeps what was there when it fails, and says which file is wrong', () => {
    const [to, names] = [inFolder('kept.safetensors'), inFolder('few.txt')];
    writeFileSync(to, 'kept');
    writeFileSync(names, 'one\ntwo\n');
    const { status, stderr } = shufflenet('convert', file, to, '--labels', names);
    assert.equal(status, 1);
    assert.equal(stderr, `shufflenet: ${names}: 2 names for 10 classes (ERR_OPTION)\n`);
    assert.match(
      shufflenet('convert', file, to, '--family', 'jaxony').stderr,
      /family jaxony has.*_WEIGHTS_TENSOR\)\n$/,
    );
    assert.equal(shufflenet('convert', file, to, '--dtype', 'f64').status, 2);
    assert.equal(shufflenet('convert', file).status, 2);
    assert.equal(readFileSync(to, 'utf8'), 'kept');
  });
});

describe("files of TensorFlow's and MindSpore's", () => {
  const trop = path.join(root, 'test/fixtures/checkpoints/keras/tropcomplique/model.index');
  const mindcv = checkpoints.find(({ name }) => name === 'mindcv')!.file;
  for (const [from, format, family] of [
    [trop, 'tensorflow', 'tropcomplique'],
    [mindcv, 'mindspore', 'mindcv'],
  ] as const) {
    it(`${path.basename(from)} is told, converted, and classifies as what it is converted to`, () => {
      const { stdout } = shufflenet('info', from);
      assert.match(stdout, new RegExp(`^format +${format}\nfamily +${family}$`, 'm'));
      const to = inFolder(`${family}.safetensors`);
      assert.equal(shufflenet('convert', from, to).status, 0);
      const classify = (weights: string) =>
        shufflenet('classify', '--weights', weights, '--json', path.join(root, 'examples/chelsea.jpg')).stdout;
      assert.match(classify(from), /"predictions":\[\{/);
      assert.equal(classify(from), classify(to));
    });
  }

  it("the data of TensorFlow's are refused with the file to give", () => {
    const { status, stderr } = shufflenet(
      'classify',
      '--weights',
      trop.replace('.index', '.data-00000-of-00001'),
      'x.jpg',
    );
    assert.equal(status, 1);
    assert.ok(stderr.endsWith(`expected its ${trop} (ERR_WEIGHTS_FORMAT)\n`), stderr);
  });
});

describe('shufflenet info', () => {
  it('tells format, family, conventions, preprocessing and the checksum of a file', () => {
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    const { stdout } = shufflenet('info', file);
    for (const line of [
      `sha256         ${sha256}`,
      'format         pytorch',
      'family         megvii',
      "variant        shuffleOrder 'inverse', shufflePlace 'afterDepthwise', concatRelu 'branch', fcBias false",
      'channels       6, 24, 48, 60',
      'classes        10, without labels',
      'image          shorter side to 256 (linear), crop 224x224',
      'pixels         BGR x 1, mean 0 0 0, std 1 1 1',
      'license        code: MIT; weights: as their publisher says',
    ]) {
      assert.ok(stdout.includes(`${line}\n`), `${line} in\n${stdout}`);
    }
    const json = JSON.parse(shufflenet('info', file, '--json').stdout) as Record<string, unknown>;
    assert.deepEqual([json['sha256'], json['format'], json['family']], [sha256, 'pytorch', 'megvii']);
  });

  it('tells paddings by stage', () => {
    const { stdout } = shufflenet(
      'info',
      path.join(root, 'test/fixtures/checkpoints/graphs/farmingyard-50.caffemodel'),
    );
    assert.match(
      stdout,
      /, depthwisePadding \[ { begin: 1, end: 1 }, { begin: 1, end: 1 }, { begin: 0, end: 0 } \]\nchannels /,
    );
  });

  it('of a converted file tells whose it was, and whether its tensors are still those that were written', async () => {
    const converted = Buffer.from(await convertWeights(file));
    const to = inFolder('damaged.safetensors');
    writeFileSync(to, converted);
    const { stdout } = shufflenet('info', to);
    assert.match(stdout, /^format +safetensors\nfamily +megvii$/m);
    assert.match(stdout, /^source +megvii\.pth\.tar \(pytorch, megvii\)$/m);
    converted[converted.length - 2]! ^= 1;
    writeFileSync(to, converted);
    const { status, stderr } = shufflenet('info', to);
    assert.equal(status, 1);
    assert.match(stderr, /not those that were written: checksum sha256:.*\(ERR_WEIGHTS_VALUE\)\n$/);
  });

  it('reads a file as another family where it is told so', () => {
    const args = ['--family', 'megvii'];
    const { file: other } = checkpoints.find(({ name }) => name === 'pytorchcv')!;
    assert.match(shufflenet('info', other, ...args).stderr, /not all of what family megvii has/);
    assert.equal(shufflenet('info', file, ...args).status, 0);
  });
});
