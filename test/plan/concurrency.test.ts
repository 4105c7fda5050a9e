import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { buildGraph } from '../../lib/network/graph';
import { resolveNetwork } from '../../lib/network/table';
import { assertClose, assertSame, build, coded, expected, randomImages, type Expected } from './compare';
import { randomTensors } from './random';

const graph = buildGraph(resolveNetwork({ groups: 3, scale: 0.25, classes: 7 }));
const tensors = randomTensors(graph, 1);
// More than plans are kept; some have a side in common.
const sizes = [
  [32, 32],
  [32, 64],
  [64, 32],
  [33, 47],
  [96, 64],
  [128, 32],
] as const;
const batches = sizes.map(([height, width], i) => randomImages(1 + (i % 3), height, width, i));
const wanted = batches.map((images) => expected(graph, tensors, images) as Expected);

const start = (model: Awaited<ReturnType<typeof build>>, { data, n, height, width }: (typeof batches)[number]) => {
  const logits = new Float32Array(n * 7);
  return model.run(0, data, n, height, width, false, [logits]).then(() => logits);
};

describe('runs at once', () => {
  for (const threads of [1, 3]) {
    it(`50 of mixed sizes on one model of ${threads} threads equal those one by one`, async () => {
      const model = await build(graph, tensors, threads);
      const alone: Float32Array[] = [];
      for (const [i, images] of batches.entries()) {
        alone.push(await start(model, images));
        assertClose(alone[i]!, wanted[i]!, images.n, `batch ${i}`);
      }
      const order = Array.from({ length: 50 }, (_, i) => (i * 5) % batches.length);
      const runs = await Promise.all(order.map((i) => start(model, batches[i]!)));
      runs.forEach((logits, i) => assertSame(logits, alone[order[i]!]!, `run ${i}`));
      assert.ok(model.memory().arenas > 0);
      model.close();
    });
  }

  it('on several models', async () => {
    const models = await Promise.all([1, 2, 1, 3].map((threads) => build(graph, tensors, threads)));
    const runs = Array.from({ length: 40 }, (_, i) => start(models[i % 4]!, batches[i % batches.length]!));
    (await Promise.all(runs)).forEach((logits, i) => {
      assertClose(logits, wanted[i % batches.length]!, batches[i % batches.length]!.n, `run ${i}`);
    });
    for (const model of models) model.close();
  });

  it('finish when the model is closed meanwhile; later ones are refused', async () => {
    for (const threads of [1, 3]) {
      const model = await build(graph, tensors, threads);
      const runs = Array.from({ length: 20 }, (_, i) => start(model, batches[i % batches.length]!));
      model.close();
      model.close();
      await assert.rejects(async () => start(model, batches[0]!), coded('ERR_CLOSED'));
      assert.deepEqual(model.memory(), { weights: 0, arenas: 0 });
      (await Promise.all(runs)).forEach((logits, i) => {
        assertClose(logits, wanted[i % batches.length]!, batches[i % batches.length]!.n, `run ${i}`);
      });
    }
  });
});

describe('garbage', () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;

  it('models that were never closed, with runs in flight, and tensors while a model is made', async () => {
    const pending: Promise<Float32Array>[] = [];
    const made: Promise<unknown>[] = [];
    for (let i = 0; i < 30; i++) {
      made.push(
        build(graph, randomTensors(graph, 1), 1 + (i % 3)).then((model) => {
          pending.push(start(model, batches[0]!));
        }),
      );
      collect();
      await new Promise(setImmediate);
    }
    await Promise.all(made);
    collect();
    for (const logits of await Promise.all(pending)) assertClose(logits, wanted[0]!, batches[0]!.n, 'orphan');
    collect();
  });

  it('gives models back', async () => {
    const alive: WeakRef<object>[] = [];
    for (let i = 0; i < 5; i++) {
      const model = await build(graph, tensors);
      await start(model, batches[0]!);
      alive.push(new WeakRef(model));
    }
    for (let i = 0; i < 10 && alive.some((model) => model.deref()); i++) {
      await new Promise(setImmediate);
      collect();
    }
    assert.ok(alive.filter((model) => model.deref()).length <= 1);
  });
});
