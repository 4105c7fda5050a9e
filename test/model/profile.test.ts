import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { networkTable, ShuffleNet, type NetworkOptions, type Profile } from '../../lib';
import { complexity } from '../../lib/network/complexity';
import { failure, smallOptions, smallTensors, writeSafetensors } from '../weights/files';

let model: ShuffleNet;
before(async () => {
  model = await ShuffleNet.load();
});
after(() => model.close());

const loadSmall = (options: NetworkOptions = {}) =>
  ShuffleNet.load(writeSafetensors(smallTensors()), { network: { ...smallOptions, ...options } });
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const layersOf = ({ steps }: Profile) => steps.flatMap(({ name }) => name.split('+'));

describe('profile', () => {
  it('counts the multiply-adds of the network table, each layer in one step', async () => {
    for (const size of [
      { height: 224, width: 224 },
      { height: 65, width: 100 },
    ]) {
      const profile = await model.profile({ ...size, runs: 1 });
      const { classes } = model.network;
      const counted = networkTable({ classes }, size).multiplyAdds;
      assert.equal(sum(profile.steps.map(({ multiplyAdds }) => multiplyAdds)), counted);
      assert.equal(profile.multiplyAdds, counted);

      const { layers } = complexity(model.network, size);
      const working = layers.filter(({ multiplyAdds }) => multiplyAdds > 0);
      assert.deepEqual(
        working.map(({ name }) => name).sort(),
        layersOf(profile)
          .filter((name) => working.some((layer) => layer.name === name))
          .sort(),
      );
      for (const step of profile.steps) {
        const parts = layers.filter(({ name }) => step.name.split('+').includes(name));
        assert.equal(step.multiplyAdds, sum(parts.map(({ multiplyAdds }) => multiplyAdds)), step.name);
      }
    }
  });

  it('measures times that add up to the whole', async () => {
    const { steps, milliseconds, minMilliseconds } = await model.profile({ runs: 100 });
    for (const step of steps) {
      assert.ok(step.minMilliseconds > 0 && step.minMilliseconds <= step.milliseconds, step.name);
    }
    assert.ok(minMilliseconds <= milliseconds);
    const least = sum(steps.map((step) => step.minMilliseconds));
    assert.ok(least <= minMilliseconds, `${least} of ${minMilliseconds} ms`);
    assert.ok(least >= minMilliseconds / 2, `${least} of ${minMilliseconds} ms`);
  });

  it('relates multiply-adds to what all threads could do', async () => {
    const two = await ShuffleNet.load(undefined, { threads: 2 });
    const profile = await two.profile({ height: 96, width: 64, runs: 5 });
    two.close();
    const { isa, threads, height, width, runs, peak } = profile;
    assert.deepEqual([isa, threads, height, width, runs], [two.backend.isa, two.backend.threads, 96, 64, 5]);
    assert.ok(peak > 0.1 && peak < 2000, `${peak} GFLOP/s`);
    for (const timing of [profile, ...profile.steps]) {
      const { milliseconds, multiplyAdds, gflops, shareOfPeak } = timing;
      assert.ok(Math.abs(gflops - (2 * multiplyAdds) / (milliseconds * 1e6)) <= 1e-9 * gflops);
      assert.ok(Math.abs(shareOfPeak - gflops / (threads * peak)) <= 1e-9 * shareOfPeak);
    }
    assert.ok(profile.shareOfPeak > 0 && profile.shareOfPeak < 1, `${profile.shareOfPeak}`);
  });

  it('says what each step is, and counts its weights and activations', async () => {
    const profile = await model.profile({ runs: 1 });
    assert.deepEqual([profile.height, profile.width], [64, 64], 'the size that the weights are for');
    const step = profile.steps.find(({ name }) => name.split('+').includes('fc'))!;
    const { kind, groups, outputChannels, height, width, kernel, stride, bytes } = step;
    assert.deepEqual([kind, groups, outputChannels, height, width, kernel, stride], ['fc', 1, 200, 1, 1, 1, 1]);
    assert.equal(bytes, 4 * (960 * 200 + 200 + 960 + 200));
    for (const { name, form, groups, inputChannels, outputChannels } of profile.steps) {
      assert.match(form, /^(planes|channels)$/, name);
      assert.deepEqual([inputChannels % groups, outputChannels % groups], [0, 0], name);
    }
    // Batch norm is folded: a bias is left of its gammas and betas.
    const { layers, parameters } = complexity(model.network);
    const norms = layers.filter(({ op }) => op === 'batchNorm').map(({ output }) => output.channels);
    assert.ok(sum(profile.steps.map(({ bytes }) => bytes)) > 4 * (parameters - sum(norms)));
  });

  it('leaves the results of the model as they are', async () => {
    const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i));
    const image = { data, shape: [1, 3, 64, 64] };
    const before = await model.run(image);
    const [during] = await Promise.all([model.run(image), model.profile({ runs: 20 })]);
    assert.deepEqual(during, before);
    assert.deepEqual(await model.run(image), before);
  });

  it('rejects wrong options', async () => {
    const rejects = (options: unknown, ...parts: string[]) =>
      assert.rejects(model.profile(options as never), failure('ERR_OPTION', ...parts));
    await rejects({ height: 31 }, 'height: expected an integer from 32 to 4096, got 31');
    await rejects({ width: 64.5 }, 'width: expected an integer');
    await rejects({ runs: 0 }, 'runs: expected an integer from 1 to 10000, got 0');
    await rejects({ repeats: 3 }, 'repeats: no such option');
    await rejects({ signal: 1 }, 'signal: expected an AbortSignal');
    await rejects(null, 'options: expected an object');
  });

  it('rejects a size that the paddings cannot take, and a closed model', async () => {
    const small = await loadSmall({ variant: { avgPoolPadding: { begin: 0, end: 0, ceil: true } } });
    await assert.rejects(small.profile({ height: 72, width: 72 }), failure('ERR_INPUT', 'concat'));
    assert.ok((await small.profile({ height: 64, width: 64, runs: 1 })).steps.length > 0);
    small.close();
    await assert.rejects(small.profile(), failure('ERR_CLOSED'));
  });

  it('stops within a moment when its signal aborts', async () => {
    await assert.rejects(model.profile({ signal: AbortSignal.abort() }), failure('ERR_ABORTED'));
    const begin = performance.now();
    const signal = AbortSignal.timeout(50);
    await assert.rejects(model.profile({ height: 448, width: 448, runs: 10_000, signal }), failure('ERR_ABORTED'));
    assert.ok(performance.now() - begin < 2000);
  });
});
