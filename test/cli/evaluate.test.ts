import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { randomWeights } from '../onnx/runtime';
import { root, shufflenet } from './command';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-evaluate-'));
after(() => rmSync(folder, { recursive: true }));

/** A copy of a photo, or what is none. */
function photo(name: string, from: 'chelsea' | 'coffee' | ''): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  if (from === '') writeFileSync(file, 'no image');
  else copyFileSync(path.join(root, `examples/${from}.jpg`), file);
}

function text(name: string, ...lines: string[]): string {
  const file = path.join(folder, name);
  writeFileSync(file, lines.join('\n'));
  return file;
}

interface Evaluation {
  images: number;
  top1: { errors: number; error: number; interval: [number, number] };
  top5: { errors: number };
  imagesPerSecond: number;
  unreadable: { image: string; code: string }[];
  problems: { code: string; message: string }[];
  absent: number;
  classes: { index: number; label: string; synset?: string; images: number; top1: { errors: number } }[];
  confusions: { truth: { label: string }; predicted: { label: string }; count: number }[];
}

function evaluate(name: string, ...args: string[]) {
  const { status, stdout, stderr } = shufflenet('evaluate', path.join(folder, name), '--json', ...args);
  assert.notEqual(stdout, '', stderr);
  return { status, stderr, result: JSON.parse(stdout) as Evaluation };
}

/** The default weights' classes of the two photos, and a third. */
const cat = { synset: 'n02124075', index: '32', label: 'Egyptian_cat' };
const espresso = { synset: 'n07920052', index: '193', label: 'espresso' };
const goldfish = { synset: 'n01443537', index: '0', label: 'goldfish, Carassius auratus' };

describe('shufflenet evaluate', () => {
  for (const scheme of ['synset', 'index', 'label'] as const) {
    it(`counts errors of folders called by ${scheme}, with their folders`, () => {
      photo(`${scheme}/${cat[scheme]}/a.jpg`, 'chelsea');
      photo(`${scheme}/${cat[scheme]}/deep/b.JPEG`, 'coffee');
      photo(`${scheme}/${espresso[scheme]}/c.jpg`, 'coffee');
      photo(`${scheme}/${goldfish[scheme]}/d.jpg`, 'coffee');
      const { status, stderr, result } = evaluate(scheme);
      assert.deepEqual([status, stderr], [0, '']);
      assert.deepEqual([result.images, result.top1.errors, result.top5.errors], [4, 2, 2]);
      assert.equal(result.top1.error, 0.5);
      assert.ok(result.top1.interval[0] > 0.1 && result.top1.interval[1] < 0.9 && result.imagesPerSecond > 0);
      assert.deepEqual(
        result.classes.map(({ synset, label, images, top1 }) => [synset, label, images, top1.errors]),
        [
          ['n01443537', 'goldfish', 1, 1],
          ['n02124075', 'Egyptian cat', 2, 1],
          ['n07920052', 'espresso', 1, 0],
        ],
      );
      assert.deepEqual(
        result.confusions.map(({ truth, predicted, count }) => [truth.label, predicted.label, count]),
        [
          ['goldfish', 'espresso', 1],
          ['Egyptian cat', 'espresso', 1],
        ],
      );
    });
  }

  it('prints classes, confusions, errors with their interval, and throughput', () => {
    photo('print/n02124075/a.jpg', 'coffee');
    const { status, stdout, stderr } = shufflenet('evaluate', path.join(folder, 'print'));
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^n02124075 Egyptian cat +1 +100\.00 % +100\.00 %$/m);
    assert.match(stdout, /^ +1 {2}Egyptian cat, taken for espresso$/m);
    assert.match(stdout, /^1 images, [\d.]+ images\/s$/m);
    assert.match(stdout, /^top-1 error +100\.00 % {2}\(95 %: 20\.65 % to 100\.00 %; accuracy 0\.00 %\)$/m);
  });

  it('names images that cannot be decoded and classes without images, and counts the others', () => {
    photo('broken/n02124075/a.jpg', 'chelsea');
    photo('broken/n02124075/b.jpg', '');
    mkdirSync(path.join(folder, 'broken/n07920052'));
    const { status, stderr, result } = evaluate('broken');
    assert.equal(status, 1);
    assert.match(stderr, /b\.jpg.*ERR_IMAGE/);
    assert.match(stderr, /n07920052: no image files/);
    assert.deepEqual([result.images, result.top1.errors], [1, 0]);
    assert.deepEqual(
      result.unreadable.map(({ image, code }) => [path.basename(image), code]),
      [['b.jpg', 'ERR_IMAGE']],
    );
    assert.equal(result.problems.length, 1);
  });

  it('fails where no image is left', () => {
    photo('none/n02124075/b.jpg', '');
    const { status, stderr, stdout } = shufflenet('evaluate', path.join(folder, 'none'));
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /no image could be classified/);
  });

  it('names folders that are no class, and what a class could be called', () => {
    photo('other/cats/a.jpg', 'chelsea');
    photo('other/n02124075/a.jpg', 'chelsea');
    const { status, stderr } = shufflenet('evaluate', path.join(folder, 'other'));
    assert.equal(status, 1);
    assert.match(stderr, /1 of the folders are no class .*n01443537.*"goldfish".*0 to 199.*: "cats" \(ERR_OPTION\)/);
    photo('flat/a.jpg', 'chelsea');
    assert.match(shufflenet('evaluate', path.join(folder, 'flat')).stderr, /folder for each class.*--truth/);
    assert.match(shufflenet('evaluate', path.join(folder, 'nowhere')).stderr, /nowhere.*ERR_FILE/);
  });

  const lists: [string, ...string[]][] = [
    ['lines of file and synset', 'a.jpg n02124075', 'b.jpg n07920052', 'gone.jpg n07920052'],
    ['lines of file and index, file names with spaces too', 'a.jpg 32', 'b.jpg\t193', 'go ne.jpg 193'],
    ['CSV with a heading', 'file,class', 'a.jpg,"Egyptian cat"', '"b.jpg",espresso', 'gone.jpg,espresso'],
    [
      "Kaggle's CSV",
      'ImageId,PredictionString',
      'a,n02124075 85 1 499 272 ',
      'b,n07920052 1 2 3 4 n07920052 5 6 7 8 ',
      'c,n07920052 1 2 3 4',
    ],
  ];
  for (const [what, ...lines] of lists) {
    it(`takes the classes of a folder's images from ${what}`, () => {
      photo('list/a.jpg', 'chelsea');
      photo('list/b.jpg', 'coffee');
      const { status, result } = evaluate('list', '--truth', text('truth.txt', ...lines));
      assert.equal(status, 0);
      assert.deepEqual([result.images, result.top1.errors, result.absent], [2, 0, 1]);
    });
  }

  it('takes classes alone, of images in the order of their names', () => {
    photo('order/a.jpg', 'chelsea');
    photo('order/b.jpg', 'coffee');
    assert.equal(evaluate('order', '--truth', text('order.txt', '32', '193')).result.top1.errors, 0);
    assert.equal(evaluate('order', '--truth', text('order.txt', '193', '32')).result.top1.errors, 2);
    const { status, stderr } = shufflenet(
      ...['evaluate', path.join(folder, 'order'), '--truth', text('order.txt', '32')],
    );
    assert.equal(status, 1);
    assert.match(stderr, /1 classes without names.* 2 images/);
  });

  it("takes no numbers of ImageNet's development kit for indices, nor what could be some of them", () => {
    photo('kit/a.jpg', 'chelsea');
    photo('kit/b.jpg', 'coffee');
    const weights = path.join(folder, 'thousand.safetensors');
    writeFileSync(weights, randomWeights({ scale: 0.25, classes: 1000 }, 1));
    const among = (...truth: string[]) =>
      shufflenet(...['evaluate', path.join(folder, 'kit'), '--weights', weights, '--truth', text('kit.txt', ...truth)]);
    assert.match(among('490', '1000').stderr, /1 of the classes.*"1000"; numbers from 1.*use synsets \(ERR_OPTION\)/);
    const { status, stderr } = among('490', '361');
    assert.equal(status, 1);
    assert.match(stderr, /kit\.txt: numbers without names.*development kit.*use synsets, or indices.*\(ERR_OPTION\)/);
    assert.equal(among('490', '0').stderr, '');
    assert.equal(among('a.jpg 490', 'b.jpg 361').stderr, '');
  });

  it('passes over images that the list does not name, and refuses one that names an image twice', () => {
    photo('few/a.jpg', 'chelsea');
    photo('few/b.jpg', 'coffee');
    const { status, stderr, result } = evaluate('few', '--truth', text('few.txt', 'a.jpg 32'));
    assert.deepEqual([status, result.images, result.problems.length], [1, 1, 1]);
    assert.match(stderr, /b\.jpg: .*few\.txt does not tell its class/);
    const twice = text('few.txt', 'a.jpg 32', 'a.jpg 33');
    assert.match(shufflenet('evaluate', path.join(folder, 'few'), '--truth', twice).stderr, /"a\.jpg" occurs twice/);
  });

  it('takes names from --labels, and refuses as many as do not fit', () => {
    photo('named/thing 32/a.jpg', 'chelsea');
    const names = Array.from({ length: 200 }, (_, index) => `thing ${index}`);
    const { result } = evaluate('named', '--labels', text('names.txt', ...names));
    assert.deepEqual([result.top1.errors, result.classes[0]!.label], [0, 'thing 32']);
    const short = text('names.txt', ...names.slice(1));
    const { status, stderr } = shufflenet('evaluate', path.join(folder, 'named'), '--labels', short);
    assert.equal(status, 1);
    assert.match(stderr, /names\.txt: 199 names for 200 classes \(ERR_OPTION\)/);
    const classified = shufflenet(
      'classify',
      '--json',
      '--labels',
      text('names.txt', ...names),
      'examples/chelsea.jpg',
    );
    assert.match(classified.stdout, /"label":"thing 32"/);
  });

  const shared = path.join(root, '../shared/images/photos-200');
  it("finds the default weights' published errors", { skip: !existsSync(shared) }, () => {
    const { status, stdout } = shufflenet('evaluate', '--json', shared);
    const { images, top1, top5 } = JSON.parse(stdout) as Evaluation;
    assert.deepEqual([status, images, top1.errors, top5.errors], [0, 200, 115, 58]);
  });
});
