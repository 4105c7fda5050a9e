import assert from 'node:assert/strict';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { ShuffleNet, type Classified, type Image, type Tensor } from '../../lib';
import { failure } from '../weights/files';
import { example, noise } from './files';

let model: ShuffleNet;
before(async () => {
  model = await ShuffleNet.load();
});
after(() => model.close());

const small = noise(1, 3, 32, 32);
const large = noise(1, 3, 256, 256);

/** A source that tells what was asked of it. */
function source<T>(items: readonly T[], { async = false, delay = 0 } = {}) {
  const state = { taken: 0, returned: 0 };
  const next = () => {
    if (state.taken >= items.length) return { done: true as const, value: undefined };
    return { done: false as const, value: items[state.taken++]! };
  };
  const ended = () => {
    state.returned++;
    return { done: true as const, value: undefined };
  };
  const iterable = async
    ? {
        [Symbol.asyncIterator]: () => ({
          next: () => setTimeout(delay).then(next),
          return: async () => ended(),
        }),
      }
    : { [Symbol.iterator]: () => ({ next, return: ended }) };
  return { state, iterable: iterable as Iterable<T> | AsyncIterable<T> };
}

async function collect<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of generator) all.push(item);
  return all;
}

describe('classifyAll', () => {
  it('gives what classify gives, in order, whatever takes longer', async () => {
    const images = Array.from({ length: 30 }, (_, i) => [large, small, example('coffee.jpg'), small][i % 4]!);
    for (const async of [false, true]) {
      for (const concurrency of [1, 2, 3, 40]) {
        const results = await collect(model.classifyAll(source(images, { async }).iterable, { concurrency, topK: 2 }));
        assert.deepEqual(
          results.map(({ image }) => image),
          images,
        );
        const expected = await model.classify(images.slice(0, 4), { topK: 2 });
        results.forEach(({ predictions }, i) => assert.deepEqual(predictions, expected[i % 4]));
      }
    }
    assert.deepEqual(await collect(model.classifyAll([])), []);
    assert.equal((await collect(model.classifyAll(new Set([small]))))[0]!.predictions!.length, 5);
    async function* paths() {
      yield example('chelsea.jpg');
    }
    assert.equal((await collect(model.classifyAll(paths())))[0]!.predictions![0]!.label, 'Egyptian cat');
  });

  it('goes on after images that cannot be classified', async () => {
    const wrong: [unknown, string][] = [
      ['missing.jpg', 'ERR_FILE'],
      [Buffer.from('x'), 'ERR_IMAGE'],
      [5, 'ERR_INPUT'],
      [null, 'ERR_INPUT'],
      [{ data: small.data, shape: [3] }, 'ERR_INPUT'],
      [new URL('http://x/'), 'ERR_OPTION'],
    ];
    const images = [small, ...wrong.map(([image]) => image as Image), small];
    const results = await collect(model.classifyAll(images));
    assert.deepEqual(
      results.map(({ image }) => image),
      images,
    );
    assert.deepEqual(
      results.map(({ error }) => error?.code),
      [undefined, ...wrong.map(([, code]) => code), undefined],
    );
    assert.deepEqual(results.at(-1)!.predictions, await model.classify(small));
  });

  for (const async of [false, true]) {
    it(`takes no more than concurrency images ahead of ${async ? 'an async' : 'a sync'} source`, async () => {
      for (const concurrency of [1, 2, 5]) {
        const { state, iterable } = source(
          Array.from({ length: 20 }, () => small),
          { async },
        );
        const generator = model.classifyAll(iterable, { concurrency });
        assert.equal(state.taken, 0);
        for (let given = 1; given <= 20; given++) {
          assert.equal((await generator.next()).done, false);
          await setTimeout(2);
          assert.ok(state.taken <= given + concurrency - 1, `${state.taken} taken, ${given} given of ${concurrency}`);
          if (concurrency > 1 && given < 10) assert.ok(state.taken > given, 'works ahead');
        }
        assert.equal((await generator.next()).done, true);
        assert.equal(state.returned, 0);
      }
    });
  }

  it('takes as many at once as the process has cores, by default', async () => {
    const threaded = await ShuffleNet.load(undefined, { threads: 1024 });
    for (const [instance, expected] of [
      [model, model.backend.processors],
      [threaded, 1],
    ] as const) {
      const { state, iterable } = source(Array.from({ length: 200 }, () => small));
      const generator = instance.classifyAll(iterable);
      await generator.next();
      await setTimeout(5);
      assert.ok(state.taken <= expected, `${state.taken} of ${expected}`);
      await generator.return();
    }
    threaded.close();
  });

  it('gives a result as soon as it is there, though the source is slow', async () => {
    let release!: () => void;
    async function* slow() {
      yield small;
      await new Promise<void>((resolve) => (release = resolve));
      yield small;
    }
    const generator = model.classifyAll(slow(), { concurrency: 4 });
    assert.ok((await generator.next()).value);
    release();
    assert.equal((await collect(generator)).length, 1);
  });

  it('cancels what is under way and ends the source when the loop is left', async () => {
    for (const async of [false, true]) {
      const { state, iterable } = source([small, ...Array.from({ length: 20 }, () => noise(1, 3, 1024, 1024))], {
        async,
      });
      const start = performance.now();
      await model.run(noise(1, 3, 1024, 1024));
      const whole = performance.now() - start;
      let left = 0;
      for await (const _ of model.classifyAll(iterable, { concurrency: 10 })) {
        left = performance.now();
        break;
      }
      assert.equal(state.returned, 1);
      assert.ok(state.taken <= 10);
      assert.ok(performance.now() - left < 3 * whole, 'did not wait for ten large images');
    }
    const failing = {
      [Symbol.iterator]: () => ({
        next: () => ({ value: small }),
        return: () => {
          throw new Error('no');
        },
      }),
    };
    await assert.rejects(
      (async () => {
        for await (const _ of model.classifyAll(failing)) break;
      })(),
      /^Error: no$/,
    );
  });

  it('passes on what the source throws, after the results before', async () => {
    function* broken() {
      yield small;
      yield small;
      throw new RangeError('broken');
    }
    const results: Classified[] = [];
    await assert.rejects(
      (async () => {
        for await (const result of model.classifyAll(broken(), { concurrency: 8 })) results.push(result);
      })(),
      /^RangeError: broken$/,
    );
    assert.equal(results.length, 2);
  });

  it('throws ERR_ABORTED at once, also while the source or an image makes it wait', async () => {
    const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    // None of them is done before the abort.
    const slow = noise(1, 3, 1024, 1024);
    const endless = function* () {
      for (;;) yield slow;
    };
    for (const images of [never, endless()] as AsyncIterable<Tensor>[]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const generator = model.classifyAll(images, { signal: controller.signal, concurrency: 8 });
      const pending = generator.next();
      await setImmediate();
      controller.abort(reason);
      await assert.rejects(pending, (error: Error) => failure('ERR_ABORTED')(error) && error.cause === reason);
      assert.equal((await generator.next()).done, true);
    }
  });

  it('throws ERR_CLOSED when the model is closed, also while the source makes it wait', async () => {
    const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const { state, iterable } = source(Array.from({ length: 20 }, () => small));
    for (const images of [never, iterable] as Iterable<Tensor>[]) {
      const other = await ShuffleNet.load();
      const generator = other.classifyAll(images, { concurrency: 2 });
      if (images === iterable) await generator.next();
      const pending = generator.next();
      await setTimeout(20);
      other.close();
      await assert.rejects(Promise.all([pending, generator.next()]), failure('ERR_CLOSED'));
      await assert.rejects(other.classifyAll([small]).next(), failure('ERR_CLOSED'));
    }
    assert.equal(state.returned, 1);
  });

  it('checks its arguments when it is first asked', async () => {
    for (const wrong of ['path.jpg', Buffer.from('x'), 5, null, undefined, {}, small]) {
      await assert.rejects(
        model.classifyAll(wrong as never).next(),
        failure('ERR_OPTION', 'images: expected an iterable of images'),
      );
    }
    for (const concurrency of [0, 1025, 1.5, '2']) {
      await assert.rejects(
        model.classifyAll([], { concurrency } as never).next(),
        failure('ERR_OPTION', 'concurrency'),
      );
    }
    await assert.rejects(model.classifyAll([], { topK: 201 }).next(), failure('ERR_OPTION', 'topK'));
  });
});
