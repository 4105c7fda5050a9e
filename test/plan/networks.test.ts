import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildGraph } from '../../lib/network/graph';
import type { Graph } from '../../lib/network/layers';
import type { NetworkOptions } from '../../lib/network/options';
import { resolveNetwork } from '../../lib/network/table';
import type { Tensors } from '../reference/network';
import {
  assertClose,
  assertParity,
  assertRun,
  assertSame,
  build,
  expected,
  randomImages,
  run,
  type Expected,
} from './compare';
import { randomTensors } from './random';

const sizes = [
  [32, 32],
  [33, 47],
  [64, 64],
  [63, 65],
  [96, 40],
] as const;

function make(options: NetworkOptions, seed = 1): { graph: Graph; tensors: Tensors } {
  const graph = buildGraph(resolveNetwork(options));
  return { graph, tensors: randomTensors(graph, seed) };
}

describe('whole networks equal the reference', () => {
  const cases: NetworkOptions[] = [
    ...([1, 2, 3, 4, 8] as const).flatMap((groups) => [0.25, 0.5, 1].map((scale) => ({ groups, scale }))),
    { groups: 3, scale: 1.5 },
    { groups: 3, scale: 2 },
    ...([2, 3, 8] as const).map((groups): NetworkOptions => ({ groups, scale: 0.5, shuffle: false })),
    ...([1, 3] as const).map((groups): NetworkOptions => ({ groups, scale: 0.5, shallow: true })),
    { groups: 3, scale: 0.5, squeezeExcitation: true },
    { groups: 4, scale: 0.25, squeezeExcitation: { reduction: 3 } },
    { groups: 8, scale: 0.25, squeezeExcitation: { reduction: 4096 }, shallow: true },
    ...[0.05, 0.125, 0.5, 1].map((bottleneckRatio): NetworkOptions => ({ groups: 2, scale: 0.25, bottleneckRatio })),
    ...[1, 5, 16, 31].map((stemChannels): NetworkOptions => ({ groups: 1, scale: 0.25, stemChannels })),
    ...[1, 7].map((classes): NetworkOptions => ({ groups: 3, scale: 0.25, classes })),
  ];
  cases.forEach((options, index) => {
    it(JSON.stringify(options), async () => {
      const { graph, tensors } = make(options, index);
      const model = await build(graph, tensors, 1 + (index % 3));
      // Sizes, batches and threads take turns, so that all of them meet all kinds of networks.
      for (const turn of [index, index + 2]) {
        const [height, width] = sizes[turn % sizes.length]!;
        const images = randomImages([1, 2, 5][index % 3]!, height, width, turn);
        assert.equal(await assertRun(model, graph, tensors, images, 'network'), 'equal');
      }
      model.close();
    });
  });

  for (const [options, height, width] of [
    [{ groups: 3, scale: 1 }, 224, 224],
    [{ groups: 8, scale: 0.25 }, 224, 224],
    [{ groups: 4, scale: 0.25 }, 128, 512],
  ] as const) {
    it(`${JSON.stringify(options)} at ${height}x${width}`, async () => {
      const { graph, tensors } = make(options);
      assert.equal(await assertParity(graph, tensors, randomImages(1, height, width), { threads: 2 }), 'equal');
    });
  }
});

describe('results do not depend on', () => {
  const cases: [NetworkOptions, number, number][] = [
    [{ groups: 3, scale: 1 }, 64, 64],
    [{ groups: 1, scale: 0.25 }, 33, 47],
    [{ groups: 8, scale: 0.5, squeezeExcitation: true }, 63, 65],
    [{ groups: 4, scale: 0.25, variant: { shufflePlace: 'afterDepthwise' } }, 96, 200],
  ];
  for (const [options, height, width] of cases) {
    it(`threads, bit for bit: ${JSON.stringify(options)} at ${height}x${width}`, async () => {
      const { graph, tensors } = make(options);
      const images = randomImages(2, height, width);
      const models = await Promise.all([1, 2, 3, 5].map((threads) => build(graph, tensors, threads)));
      const first = await run(models[0]!, graph, images);
      for (const model of models) {
        // Twice: which thread takes which piece changes.
        for (let i = 0; i < 2; i++) assertSame(await run(model, graph, images), first, 'threads');
        model.close();
      }
    });
  }

  it('the other images of a batch, and what was run before', async () => {
    const { graph, tensors } = make({ groups: 3, scale: 0.5 });
    const model = await build(graph, tensors, 2);
    const images = randomImages(5, 33, 47);
    const together = await run(model, graph, images);
    const one = images.data.length / 5;
    for (let i = 4; i >= 0; i--) {
      const image = { ...images, n: 1, data: images.data.subarray(i * one, (i + 1) * one) };
      assertSame(await run(model, graph, image), together.slice(i * 1000, (i + 1) * 1000), `image ${i}`);
      await run(model, graph, randomImages(1, 32 + 8 * i, 64)); // more sizes than plans are kept
    }
    model.close();
  });

  it('anything but the logits, where probabilities are asked for', async () => {
    const { graph, tensors } = make({ groups: 3, scale: 0.25, classes: 7 });
    const images = randomImages(2, 64, 64);
    const largest = Math.max(...(expected(graph, tensors, images) as Expected).logits.map(Math.abs));
    for (const name of ['fc.weight', 'fc.bias']) tensors[name] = tensors[name]!.map((x) => (x * 5) / largest);
    const model = await build(graph, tensors);
    const { logits } = expected(graph, tensors, images) as Expected;
    const wanted = [0, 7].flatMap((at) => {
      const exponentials = [...logits.subarray(at, at + 7)].map(Math.exp);
      return exponentials.map((x) => x / exponentials.reduce((a, b) => a + b));
    });
    const probabilities = await run(model, graph, images, true);
    assertClose(probabilities, { logits: Float64Array.from(wanted), peak: 1 }, 2, 'probabilities');
    model.close();
  });
});
