import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { ShuffleNet, type Prediction } from '../../lib';
import { imageToTensor } from '../../lib/image/tensor';
import { failure, smallTensors, writeSafetensors } from '../weights/files';
import { example, noise } from './files';

/** What the same weights give through Pillow. */
const photos: Record<string, [label: string, score: number][]> = {
  'chelsea.jpg': [
    ['Egyptian cat', 0.326],
    ['tailed frog', 0.059],
    ['lion', 0.054],
    ['bullfrog', 0.054],
    ['tabby', 0.049],
  ],
  'coffee.jpg': [
    ['espresso', 0.973],
    ['wooden spoon', 0.005],
    ['basketball', 0.001],
    ['sunglasses', 0.001],
    ["potter's wheel", 0.001],
  ],
};

let model: ShuffleNet;
before(async () => {
  model = await ShuffleNet.load();
});
after(() => model.close());

function near(actual: Prediction[], expected: Prediction[], tolerance: number): void {
  const scores = new Map(expected.map(({ index, score }) => [index, score]));
  assert.equal(actual.length, expected.length);
  for (const { index, label, score } of actual) {
    assert.ok(Math.abs(score - scores.get(index)!) <= tolerance, `${label}: ${score}, expected ${scores.get(index)}`);
  }
}

describe('classify', () => {
  for (const [name, expected] of Object.entries(photos)) {
    it(`tells what is in ${name}`, async () => {
      const all = await model.classify(example(name), { topK: 200 });
      assert.equal(all[0]!.label, expected[0]![0]);
      for (const [label, score] of expected) {
        const found = all.find((prediction) => prediction.label === label)!;
        assert.ok(Math.abs(found.score - score) < 0.05, `${label}: ${found.score}`);
      }
      const [first] = all;
      assert.ok(Math.abs(first!.score - expected[0]![1]) < 0.005, `${first!.score}`);
      assert.deepEqual(await model.classify(example(name)), all.slice(0, 5));
    });
  }

  it('scores every class once, best first, to a sum of 1', async () => {
    const all = await model.classify(example('chelsea.jpg'), { topK: 200 });
    assert.deepEqual(
      all.map(({ index }) => index).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, i) => i),
    );
    for (let i = 1; i < 200; i++) assert.ok(all[i - 1]!.score >= all[i]!.score);
    assert.ok(Math.abs(all.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-5);
    for (const { label, index } of all) assert.equal(label, model.labels![index]!.split(',')[0]);
  });

  it('makes scores of the logits by softmax', async () => {
    const image = noise(1, 3, 40, 56);
    const { data } = await model.run(image);
    const exponentials = Array.from(data, Math.exp);
    const sum = exponentials.reduce((a, b) => a + b);
    for (const { index, score } of await model.classify(image, { topK: 200 })) {
      assert.ok(Math.abs(score - exponentials[index]! / sum) < 1e-6);
    }
  });

  it('gives the same for a path, a URL, bytes, pixels and a tensor', async () => {
    const file = example('chelsea.jpg');
    const bytes = readFileSync(file);
    const expected = await model.classify(file, { topK: 200 });
    assert.deepEqual(await model.classify(pathToFileURL(file), { topK: 200 }), expected);
    assert.deepEqual(await model.classify(bytes, { topK: 200 }), expected);
    assert.deepEqual(await model.classify(new Uint8Array(bytes), { topK: 200 }), expected);

    const { data, height, width } = await imageToTensor(file, model.preprocess);
    assert.deepEqual(await model.classify({ data, shape: [1, 3, height, width] }, { topK: 200 }), expected);

    const decoded = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    const pixels = { data: decoded.data, width: decoded.info.width, height: decoded.info.height, channels: 3 } as const;
    near(await model.classify(pixels, { topK: 200 }), expected, 1e-3);
  });

  it('takes an array to an array of results, in order and to the same bits', async () => {
    const images = [example('coffee.jpg'), readFileSync(example('chelsea.jpg')), noise(1, 3, 32, 32)];
    const many = Array.from({ length: 12 }, (_, i) => images[i % 3]!);
    const results = await model.classify(many, { topK: 3 });
    assert.equal(results.length, 12);
    for (const [i, result] of results.entries()) {
      assert.deepEqual(result, await model.classify(many[i]!, { topK: 3 }));
    }
    assert.equal(results[0]![0]!.label, 'espresso');
    assert.equal(results[1]![0]!.label, 'Egyptian cat');
    assert.deepEqual(await model.classify([]), []);
  });

  it('runs many times at once', async () => {
    const expected = await Promise.all(['chelsea.jpg', 'coffee.jpg'].map((name) => model.classify(example(name))));
    const calls = Array.from({ length: 40 }, (_, i) => model.classify(example(['chelsea.jpg', 'coffee.jpg'][i % 2]!)));
    for (const [i, result] of (await Promise.all(calls)).entries()) assert.deepEqual(result, expected[i % 2]);
  });

  it('names the image of an array that failed', async () => {
    const images = [example('chelsea.jpg'), example('coffee.jpg'), Buffer.from('no image'), 'missing.jpg'];
    await assert.rejects(model.classify(images), failure('ERR_IMAGE', 'images[2]: buffer: expected JPEG'));
    await assert.rejects(
      model.classify([example('coffee.jpg'), 'missing.jpg']),
      failure('ERR_FILE', 'images[1]: missing.jpg: cannot be read: ENOENT'),
    );
  });

  it('refuses what is no image', async () => {
    await assert.rejects(model.classify('missing.jpg'), failure('ERR_FILE', 'missing.jpg', 'ENOENT'));
    await assert.rejects(model.classify(Buffer.from('no image')), failure('ERR_IMAGE', 'expected JPEG, PNG, WebP'));
    for (const wrong of [undefined, null, 5, {}, { data: [1, 2] }]) {
      await assert.rejects(model.classify(wrong as never), failure('ERR_INPUT', 'image: expected a path'));
    }
    await assert.rejects(
      model.classify({ data: new Float32Array(3 * 32 * 32), shape: [2, 3, 32, 32] }),
      failure('ERR_INPUT', 'input.shape: expected [1, 3, height, width]', 'got [ 2, 3, 32, 32 ]'),
    );
    const nan = new Float32Array(3 * 32 * 32).fill(NaN);
    await assert.rejects(model.classify({ data: nan, shape: [1, 3, 32, 32] }), failure('ERR_INPUT', 'NaN'));
  });

  it('checks its options', async () => {
    for (const topK of [0, 201, 1.5, -1, NaN, '3', null]) {
      await assert.rejects(
        model.classify(example('coffee.jpg'), { topK } as never),
        failure('ERR_OPTION', 'topK: expected an integer from 1 to 200'),
      );
    }
    await assert.rejects(
      model.classify(example('coffee.jpg'), { top: 3 } as never),
      failure('ERR_OPTION', 'top: no such option, expected one of topK, signal'),
    );
    assert.equal((await model.classify(example('coffee.jpg'), { topK: undefined } as never)).length, 5);
  });

  it('limits pixels before it decodes', async () => {
    const careful = await ShuffleNet.load(undefined, { limitPixels: 1000 });
    await assert.rejects(careful.classify(example('chelsea.jpg')), failure('ERR_IMAGE_LIMIT', 'limitPixels (1000)'));
    careful.close();
  });
});

describe('a network without labels', () => {
  it('calls its classes by number, and reports them all where they are fewer than 5', async () => {
    // Where all weights are 0 the logits are the biases; two of them are equal.
    const tensors = smallTensors();
    for (const [name, tensor] of tensors) if (!name.endsWith('var')) tensor.bytes.fill(0);
    tensors.get('fc.bias')!.bytes = new Uint8Array(new Float32Array([1, 2, 2]).buffer);
    const network = { groups: 1, scale: 1 / 64, classes: 3, shallow: true } as const;
    const small = await ShuffleNet.load(writeSafetensors(tensors), { network });
    assert.equal(small.labels, undefined);
    const predictions = await small.classify(noise(1, 3, 32, 32));
    const names = predictions.map(({ label, index }) => [label, index]);
    assert.deepEqual(names, [
      ['class 1', 1],
      ['class 2', 2],
      ['class 0', 0],
    ]);
    assert.equal(predictions[0]!.score, predictions[1]!.score);
    assert.ok(Math.abs(predictions[2]!.score - Math.exp(-1) / (2 + Math.exp(-1))) < 1e-6);

    const named = await ShuffleNet.load(writeSafetensors(tensors), { network, labels: ['a', 'b, c', ' d'] });
    assert.deepEqual(
      (await named.classify(noise(1, 3, 32, 32))).map(({ label }) => label),
      ['b', 'd', 'a'],
    );
    assert.deepEqual(named.labels, ['a', 'b, c', ' d']);
  });
});
