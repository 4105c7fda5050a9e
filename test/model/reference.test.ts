import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ShuffleNet } from '../../lib';
import { binding } from '../../lib/native/binding';
import { difference, digest, noise, readFixture, references, runScript } from './files';

/** Every instruction set has to be this close; float32 rounding accounts for about 5e-6, that of halves for about 3e-2. */
const tolerance = 1e-4;
const halfTolerance = 0.15;

interface Report {
  isa: string;
  threads: number;
  differences: Record<string, number>;
  digests: string[];
}

describe("the default weights, against PyTorch's logits in float64", () => {
  for (const isa of binding().backend().available) {
    it(`${isa}, with 1, 2 and 3 threads to the same bits`, () => {
      const { stdout, stderr } = runScript(
        `const reports = [];
        for (const threads of [1, 2, 3]) {
          const model = await ShuffleNet.load(undefined, { threads, precision: 'fp16' });
          const report = { isa: model.backend.isa, threads: model.backend.threads, differences: {}, digests: [] };
          for (const name of references) {
            const { data } = await model.run(readFixture(name + '.input.npy'));
            report.differences[name] = difference(data, readFixture(name + '.logits.npy').data);
            report.digests.push(digest(data));
          }
          reports.push(report);
        }
        console.log(JSON.stringify(reports));`,
        { SHUFFLENET_ISA: isa },
      );
      assert.equal(stderr, '');
      const reports = JSON.parse(stdout) as Report[];
      assert.deepEqual(
        reports.map(({ threads }) => threads),
        [1, 2, 3].map((threads) => Math.min(threads, binding().backend().processors)),
      );
      for (const report of reports) {
        assert.equal(report.isa, isa);
        assert.deepEqual(Object.keys(report.differences), references);
        for (const [name, worst] of Object.entries(report.differences)) {
          assert.ok(worst < (isa.endsWith('fp16') ? halfTolerance : tolerance), `${name}: ${worst} from the reference`);
        }
        assert.deepEqual(report.digests, reports[0]!.digests);
      }
    });
  }
});

describe('runs', () => {
  let model: ShuffleNet;
  before(async () => {
    model = await ShuffleNet.load();
  });

  it('give a batch the bits of its images one by one', async () => {
    const { data, shape } = readFixture('val8.input.npy');
    const batch = await model.run({ data, shape });
    assert.deepEqual(batch.shape, [8, 200]);
    const length = data.length / 8;
    for (let i = 0; i < 8; i++) {
      const image = { data: data.subarray(i * length, (i + 1) * length), shape: [1, 3, 64, 64] };
      const single = await model.run(image);
      assert.deepEqual(single.data, batch.data.slice(i * 200, (i + 1) * 200));
    }
  });

  it('give the same bits with any number of threads, for odd, oblong and extreme sizes', async () => {
    const threaded = await Promise.all([2, 3, 5].map((threads) => ShuffleNet.load(undefined, { threads })));
    for (const [height, width] of [
      [32, 32],
      [33, 47],
      [99, 32],
      [64, 301],
      [65, 96],
      [32, 4096],
    ] as const) {
      const image = noise(1, 3, height, width);
      const { data } = await model.run(image);
      assert.ok(data.every(Number.isFinite));
      for (const other of threaded) {
        const same = digest((await other.run(image)).data) === digest(data);
        assert.ok(same, `${height}x${width} with ${other.backend.threads} threads`);
      }
    }
  });

  it('many at once, of different sizes, give the bits they give alone', async () => {
    const images = Array.from({ length: 60 }, (_, i) => noise(1 + (i % 2), 3, 32 + 8 * (i % 7), 40));
    const alone: string[] = [];
    for (const image of images) alone.push(digest((await model.run(image)).data));
    const together = await Promise.all(images.map((image) => model.run(image)));
    assert.deepEqual(
      together.map(({ data }) => digest(data)),
      alone,
    );
    assert.ok(new Set(alone).size === 14, 'the sizes and batches all differ');

    const threaded = await ShuffleNet.load(undefined, { threads: 2 });
    const again = await Promise.all(images.map((image) => threaded.run(image)));
    assert.deepEqual(
      again.map(({ data }) => digest(data)),
      alone,
    );
    threaded.close();
  });

  it('never write to their input', async () => {
    const image = noise(1, 3, 48, 64);
    const copy = image.data.slice();
    await model.run(image);
    assert.deepEqual(image.data, copy);
  });

  it('leave the event loop free', async () => {
    const image = noise(1, 3, 1024, 1024);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    await model.run(image);
    clearInterval(timer);
    // Tens of milliseconds at the very least, in which a blocked loop would tick once or never.
    assert.ok(ticks >= 5, `${ticks} ticks`);
  });

  it('see the reference fail when an input is wrong', async () => {
    const { data, shape } = readFixture('chelsea.input.npy');
    const other = data.slice();
    for (let i = 0; i < 64; i++) other[32 * 64 + i] = 0;
    const logits = await model.run({ data: other, shape });
    assert.ok(difference(logits.data, readFixture('chelsea.logits.npy').data) > 100 * tolerance);
  });
});
