import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ShuffleNet, type Tensor } from '../../lib';
import { imageToTensor } from '../../lib/image/tensor';
import { buildGraph, stageOutput } from '../../lib/network/graph';
import { loadWeights } from '../../lib/weights/load';
import { interpret } from '../reference/network';
import { failure, valuesOf } from '../weights/files';
import { difference, digest, example, noise } from './files';

let model: ShuffleNet;
before(async () => {
  model = await ShuffleNet.load();
});
after(() => model.close());

async function photo(name: string): Promise<Tensor> {
  const { data, height, width } = await imageToTensor(example(name), model.preprocess);
  return { data, shape: [1, 3, height, width] };
}
const count = (shape: readonly number[]) => shape.reduce((product, side) => product * side);
const stages = ['stage2', 'stage3', 'stage4'] as const;

describe('features and embed', () => {
  it('are what the graph says, on odd and oblong images too', async () => {
    const { tensors } = await loadWeights();
    const values = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, valuesOf(tensor)]));
    const graph = buildGraph(model.network);
    for (const image of [await photo('chelsea.jpg'), noise(1, 3, 33, 50)]) {
      const [, , height, width] = image.shape as [number, number, number, number];
      const expected = interpret(graph, values, { height, width, data: image.data });
      const near = (actual: Float32Array, index: number, name: string) => {
        const { data } = expected[index]!;
        const peak = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        assert.ok(peak > 0.1, `${name}: all zeros would be no test`);
        const worst = difference(actual, Float32Array.from(data));
        assert.ok(worst <= 2e-5 * peak, `${name}: ${worst} of ${peak}`);
      };
      const features = await model.features(image);
      assert.deepEqual(Object.keys(features), [...stages]);
      for (const [i, stage] of stages.entries()) {
        const index = stageOutput(graph, (i + 2) as 2 | 3 | 4);
        const { channels, height, width } = expected[index]!;
        assert.deepEqual(features[stage].shape, [1, channels, height, width]);
        near(features[stage].data, index, stage);
      }
      near(
        await model.embed(image),
        graph.layers.findIndex(({ name }) => name === 'globalpool'),
        'pool',
      );
    }
  });

  it('have the shapes of the paper', async () => {
    const { stage2, stage3, stage4 } = await model.features(noise(1, 3, 224, 224));
    assert.deepEqual(
      [stage2.shape, stage3.shape, stage4.shape],
      [
        [1, 240, 28, 28],
        [1, 480, 14, 14],
        [1, 960, 7, 7],
      ],
    );
    for (const { data, shape } of [stage2, stage3, stage4]) assert.equal(data.length, count(shape));
  });

  it('of a photo are those of its tensor', async () => {
    const tensor = await photo('coffee.jpg');
    assert.deepEqual(await model.features(example('coffee.jpg')), await model.features(tensor));
    assert.deepEqual(await model.embed(example('coffee.jpg')), await model.embed(tensor));
  });

  it('of many images are those of each', async () => {
    const batch = noise(3, 3, 48, 40);
    const features = await model.features(batch);
    const images = [0, 1, 2].map((i): Tensor => {
      const length = batch.data.length / 3;
      return { data: batch.data.subarray(i * length, (i + 1) * length), shape: [1, 3, 48, 40] };
    });
    const vectors = await model.embed(images);
    assert.equal(vectors.length, 3);
    for (const [i, image] of images.entries()) {
      assert.deepEqual(vectors[i], await model.embed(image));
      const single = await model.features(image);
      for (const stage of stages) {
        const { data, shape } = features[stage];
        assert.equal(shape[0], 3);
        const length = data.length / 3;
        assert.equal(digest(data.slice(i * length, (i + 1) * length)), digest(single[stage].data));
      }
    }
    assert.deepEqual(await model.embed([]), []);
  });

  it('do not disturb runs of other sizes and kinds at the same time', async () => {
    const images = Array.from({ length: 24 }, (_, i) => noise(1, 3, 32 + 16 * (i % 3), 40));
    const alone = [];
    for (const image of images) {
      alone.push([
        digest((await model.run(image)).data),
        digest((await model.features(image)).stage3.data),
        digest(await model.embed(image)),
      ]);
    }
    const together = await Promise.all(
      images.map(async (image) => {
        const [{ data }, { stage3 }, vector] = await Promise.all([
          model.run(image),
          model.features(image),
          model.embed(image),
        ]);
        return [digest(data), digest(stage3.data), digest(vector)];
      }),
    );
    assert.deepEqual(together, alone);
  });

  it('refuse what classify refuses', async () => {
    for (const call of [model.features.bind(model), model.embed.bind(model)] as ((
      image: never,
    ) => Promise<unknown>)[]) {
      await assert.rejects(call('missing.jpg' as never), failure('ERR_FILE', 'missing.jpg'));
      await assert.rejects(call({ data: new Float32Array(5), shape: [1, 3, 32, 32] } as never), failure('ERR_INPUT'));
      await assert.rejects(call(7 as never), failure('ERR_INPUT', 'image: expected a path'));
    }
    await assert.rejects(model.embed(noise(2, 3, 32, 32)), failure('ERR_INPUT', 'expected [1, 3, height, width]'));
    await assert.rejects(
      model.embed([noise(1, 3, 32, 32), 'missing.jpg']),
      failure('ERR_FILE', 'images[1]: missing.jpg'),
    );
    await assert.rejects(model.features(noise(1, 3, 32, 32), { topK: 1 } as never), failure('ERR_OPTION', 'topK'));
    const closed = await ShuffleNet.load();
    closed.close();
    await assert.rejects(closed.features(noise(1, 3, 32, 32)), failure('ERR_CLOSED'));
    await assert.rejects(closed.embed(noise(1, 3, 32, 32)), failure('ERR_CLOSED'));
  });
});

describe('runSync', () => {
  it('gives the bits of run, for batches, views and threads', async () => {
    const threaded = await ShuffleNet.load(undefined, { threads: 2 });
    for (const image of [noise(1, 3, 32, 32), noise(3, 3, 65, 48), noise(1, 3, 224, 224)]) {
      const expected = await model.run(image);
      const before = digest(image.data);
      assert.deepEqual(model.runSync(image), expected);
      assert.deepEqual(threaded.runSync(image), expected);
      assert.equal(digest(image.data), before);
    }
    threaded.close();
  });

  it('throws what run rejects with', async () => {
    for (const input of [undefined, null, { data: new Float32Array(3), shape: [1, 3, 32, 32] }]) {
      assert.throws(() => model.runSync(input as never), failure('ERR_INPUT'));
    }
    for (const options of [null, 5, { signal: 1 }, { output: [] }]) {
      assert.throws(() => model.runSync(noise(1, 3, 32, 32), options as never), failure('ERR_OPTION'));
    }
    const closed = await ShuffleNet.load();
    closed.close();
    assert.throws(() => closed.runSync(noise(1, 3, 32, 32)), failure('ERR_CLOSED', 'the model is closed'));
  });
});

const runs: [string, (input: Tensor, options: { output?: Float32Array }) => Promise<Float32Array>][] = [
  ['run', async (input, options) => (await model.run(input, options)).data],
  ['runSync', async (input, options) => model.runSync(input, options).data],
];
for (const [name, run] of runs) {
  describe(`the output of ${name}`, () => {
    const image = noise(2, 3, 40, 32);

    it("may be the caller's, also a view", async () => {
      const expected = await run(image, {});
      assert.deepEqual(await run(image, { output: undefined } as never), expected);
      const around = new Float32Array(410).fill(7);
      const output = around.subarray(5, 405);
      assert.equal(await run(image, { output }), output);
      assert.deepEqual(output, expected);
      assert.deepEqual([...around.subarray(0, 5), ...around.subarray(405)], Array(10).fill(7));
      // Both in one buffer, side by side.
      const both = new Float32Array(400 + image.data.length);
      both.set(image.data, 400);
      const { shape } = image;
      assert.deepEqual(await run({ data: both.subarray(400), shape }, { output: both.subarray(0, 400) }), expected);
      assert.equal(digest(both.slice(400)), digest(image.data));
    });

    it('must be 400 float32 values of its own', async () => {
      const refuse = (output: unknown, ...parts: string[]) =>
        assert.rejects(run(image, { output } as never), failure('ERR_OPTION', 'output: expected ', ...parts));
      for (const length of [399, 401, 200]) {
        await refuse(new Float32Array(length), `a Float32Array of 400 values, got ${length}`);
      }
      await refuse(new Float64Array(400), 'got Float64Array');
      await refuse([], 'got Array');
      await refuse(null, 'got Null');
      const detached = new Float32Array(400);
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      await refuse(detached, 'got 0 (is it detached?)');
      await refuse(new Float32Array(new SharedArrayBuffer(1600)), 'SharedArrayBuffer');
      const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
      await refuse(new Float32Array(new Resizable(1600, { maxByteLength: 3200 })), 'resizable');
      for (const start of [0, 100, image.data.length - 400]) {
        await refuse(image.data.subarray(start, start + 400), 'memory apart from the input');
      }
    });
  });
}

describe('asyncDispose', () => {
  it('closes, and waits for the calls under way', async () => {
    const other = await ShuffleNet.load();
    let done = 0;
    const calls = [
      other.run(noise(1, 3, 512, 512)),
      other.classify(example('coffee.jpg')),
      other.embed(noise(1, 3, 64, 64)),
    ];
    for (const call of calls) void call.then(() => done++);
    const disposals = [other[Symbol.asyncDispose](), other[Symbol.asyncDispose]()];
    await assert.rejects(other.run(noise(1, 3, 32, 32)), failure('ERR_CLOSED'));
    await Promise.all(disposals);
    assert.equal(done, 3);
    assert.deepEqual(other.memory(), { weights: 0, arenas: 0 });
    await other[Symbol.asyncDispose]();
  });

  it('waits for calls that fail', async () => {
    const other = await ShuffleNet.load();
    const failed = assert.rejects(other.classify('missing.jpg'), failure('ERR_FILE'));
    await other[Symbol.asyncDispose]();
    await failed;
  });
});
