import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { complexity, networkTable } from '../../lib/network/complexity';
import type { Groups, NetworkOptions } from '../../lib/network/options';
import { resolveNetwork } from '../../lib/network/table';

const allGroups = [1, 2, 3, 4, 8] as const;
const of = (options: NetworkOptions = {}) => complexity(resolveNetwork(options));
/** Millions, to two decimals. */
const millions = (count: number) => Math.round(count / 1e4) / 100;
const near = (actual: number, expected: number, tolerance: number, message: string) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${message}: ${actual}, not ${expected}`);

describe('multiply-adds', () => {
  it('are those recomputed from Table 1', () => {
    const conv = { 1: 142.5, 2: 140.04, 3: 136.5, 4: 133.25, 8: 136.83 };
    const all = { 1: 143.08, 2: 140.84, 3: 137.46, 4: 134.34, 8: 138.37 };
    for (const groups of allGroups) {
      const { convMultiplyAdds, multiplyAdds } = of({ groups });
      assert.equal(millions(convMultiplyAdds), conv[groups]);
      assert.equal(millions(multiplyAdds), all[groups]);
    }
    assert.equal(millions(of({ scale: 0.5 }).multiplyAdds), 37.59);
    assert.equal(millions(of({ scale: 2 }).multiplyAdds), 524.05);
    near(of({ scale: 0.5, stemChannels: 24 }).multiplyAdds / 1e6, 42.7, 0.05, '0.5x, stem 24');
    near(of({ scale: 2, stemChannels: 24 }).multiplyAdds / 1e6, 507.6, 0.05, '2x, stem 24');
  });

  it('are hw(2cm/g + 9m) for a unit of stride 1 (section 3.2)', () => {
    for (const groups of allGroups) {
      const { stages } = resolveNetwork({ groups });
      const { layers } = of({ groups });
      stages.forEach(({ stage, units }, index) => {
        const { out: c, mid: m } = units[1]!;
        const side = [28, 14, 7][index]!;
        const counted = layers
          .filter(({ name }) => name.startsWith(`stage${stage}.1.`))
          .reduce((sum, layer) => sum + layer.multiplyAdds, 0);
        assert.equal(counted, side ** 2 * ((2 * c * m) / groups + 9 * m));
      });
    }
  });

  it('are the figures of Table 1 within 0.5 M, convolutions only', () => {
    const figures = { 1: 143, 2: 140, 3: 137, 4: 133, 8: 137 };
    for (const groups of allGroups) near(of({ groups }).convMultiplyAdds / 1e6, figures[groups], 0.5, `g=${groups}`);
  });

  it('are near the round figures of Table 2: within 6, 2.5 and 2.5 M', () => {
    // One figure stands for five group counts. 0.25x is 11.0 to 12.4 M here; stems of 12 instead of 6 channels give 13.
    for (const [scale, figure, tolerance] of [
      [1, 140, 6],
      [0.5, 38, 2.5],
      [0.25, 13, 2.5],
    ] as const) {
      for (const groups of allGroups) {
        near(of({ groups, scale }).multiplyAdds / 1e6, figure, tolerance, `${scale}x g=${groups}`);
      }
    }
  });

  it('are near the figures of Tables 5 and 8: within 2 %', () => {
    const rows: [NetworkOptions, number][] = [
      [{ scale: 2 }, 524],
      [{ scale: 2, squeezeExcitation: true }, 527],
      [{ scale: 1.5, stemChannels: 24 }, 292],
      [{ groups: 8 }, 140],
      [{ groups: 4, scale: 0.5 }, 38],
      [{ scale: 0.5 }, 38],
      [{ scale: 1 }, 140],
    ];
    for (const [options, figure] of rows) {
      near(of(options).multiplyAdds / 1e6, figure, figure * 0.02, JSON.stringify(options));
    }
    // The default stem of 1.5x has 36 channels.
    near(of({ scale: 1.5 }).multiplyAdds / 1e6, 292, 292 * 0.03, '1.5x');
  });

  it('of squeeze-and-excitation come to 3 M at 2x (Table 5)', () => {
    const [plain, se] = [of({ scale: 2 }), of({ scale: 2, squeezeExcitation: true })];
    assert.equal(Math.round((se.multiplyAdds - plain.multiplyAdds) / 1e6), 3);
    assert.equal(Math.round(se.multiplyAdds / 1e6), 527);
    assert.equal(se.convMultiplyAdds, plain.convMultiplyAdds);
  });

  it('of the shallow network are those of the units left, not the 40 M of Table 5', () => {
    const [full, shallow] = [of({ scale: 0.5 }), of({ scale: 0.5, shallow: true })];
    const unit = ({ side, c }: { side: number; c: number }) => side ** 2 * ((2 * c * (c / 4)) / 3 + (9 * c) / 4);
    const removed = 2 * unit({ side: 28, c: 120 }) + 4 * unit({ side: 14, c: 240 }) + 2 * unit({ side: 7, c: 480 });
    assert.equal(full.multiplyAdds - shallow.multiplyAdds, removed);
    near(of({ scale: 0.7, shallow: true }).multiplyAdds / 1e6, 40, 0.5, '0.7x shallow');
  });

  it('grow with the image', () => {
    const at = (height: number, width: number) => complexity(resolveNetwork(), { height, width });
    assert.equal(at(448, 448).convMultiplyAdds, 4 * of().convMultiplyAdds);
    assert.equal(at(224, 448).convMultiplyAdds, 2 * of().convMultiplyAdds);
    assert.deepEqual(at(224, 448).layers.at(-3)!.output, { channels: 960, height: 7, width: 14 });
  });

  it('refuse sizes outside 32 to 4096', () => {
    for (const height of [31, 4097, 64.5, NaN, '224']) {
      assert.throws(() => complexity(resolveNetwork(), { height: height as number }), {
        code: 'ERR_OPTION',
        message: /^height: expected an integer from 32 to 4096, got /,
      });
    }
    assert.throws(() => complexity(resolveNetwork(), { size: 224 } as never), { code: 'ERR_OPTION' });
    assert.equal(complexity(resolveNetwork(), { height: 32, width: 4096 }).layers.length, of().layers.length);
  });
});

describe('parameter counts of published networks', () => {
  const count = (options: NetworkOptions, expected: number) =>
    assert.equal(of(options).parameters, expected, JSON.stringify(options));

  it('pytorchcv', () => {
    const published: [Groups, number, number][] = [
      [1, 0.25, 209_746],
      [3, 0.25, 305_902],
      [1, 0.5, 534_484],
      [3, 0.5, 718_324],
      [1, 0.75, 975_214],
      [3, 0.75, 1_238_266],
      [1, 1, 1_531_936],
      [2, 1, 1_733_848],
      [3, 1, 1_865_728],
      [4, 1, 1_968_344],
      [8, 1, 2_434_768],
    ];
    for (const [groups, scale, expected] of published) count({ groups, scale }, expected);
  });

  it('megvii: stems of their own, no bias in the classifier', () => {
    const published: [Groups, number, number, number][] = [
      [3, 0.5, 12, 717_324],
      [3, 1, 24, 1_864_728],
      [3, 1.5, 24, 3_441_168],
      [3, 2, 48, 5_449_776],
      [8, 0.5, 16, 1_010_448],
      [8, 1, 24, 2_433_768],
      [8, 1.5, 24, 4_268_952],
      [8, 2, 48, 6_521_232],
    ];
    for (const [groups, scale, stemChannels, expected] of published) {
      count({ groups, scale, stemChannels, variant: { fcBias: false } }, expected);
    }
  });

  it('tensorpack', () => {
    count({ groups: 8, scale: 0.5 }, 1_011_448);
    count({ groups: 8 }, 2_434_768);
  });

  it('jaxony: biases everywhere, no batch norm after the stem', () => {
    count({ variant: { convBias: true, stemBias: true, stemBatchNorm: false, stemRelu: false } }, 1_877_920);
  });

  it("ONNX model zoo, with batch norm's statistics", () => {
    const { parameters, statistics } = of({
      groups: 4,
      scale: 0.5,
      stemChannels: 24,
      variant: { firstUnitGconv1: 'groups', bottleneck: 'none', stemBias: true },
    });
    assert.equal(parameters + statistics, 1_420_152);
  });
});

describe('networkTable', () => {
  it('is Table 1', () => {
    const { rows, ...totals } = networkTable();
    const lines = rows.map(({ layer, output, kernel, stride, repeat, channels }) => {
      assert.equal(output.height, output.width);
      assert.equal(kernel?.height, kernel?.width);
      return [layer, output.height, kernel?.height, stride, repeat, channels];
    });
    assert.deepEqual(lines, [
      ['Image', 224, undefined, null, null, 3],
      ['Conv1', 112, 3, 2, 1, 24],
      ['MaxPool', 56, 3, 2, null, 24],
      ['Stage2', 28, undefined, 2, 1, 240],
      ['Stage2', 28, undefined, 1, 3, 240],
      ['Stage3', 14, undefined, 2, 1, 480],
      ['Stage3', 14, undefined, 1, 7, 480],
      ['Stage4', 7, undefined, 2, 1, 960],
      ['Stage4', 7, undefined, 1, 3, 960],
      ['GlobalPool', 1, 7, null, null, 960],
      ['FC', 1, undefined, null, null, 1000],
    ]);
    assert.equal(totals.groups, 3);
    assert.equal(totals.scale, 1);
    assert.equal(millions(totals.convMultiplyAdds), 136.5);
    assert.equal(millions(totals.multiplyAdds), 137.46);
    assert.equal(totals.parameters, 1_865_728);
    assert.deepEqual(JSON.parse(JSON.stringify(networkTable())), networkTable());
  });

  it('follows options and image size', () => {
    const { rows } = networkTable(
      { classes: 10, shallow: true, variant: { maxPool: false, stage2Stride: 1, stemStride: 1, avgPoolKernel: 2 } },
      { height: 32, width: 64 },
    );
    assert.deepEqual(
      rows.map(({ layer, output, stride, repeat }) => [layer, output.height, output.width, stride, repeat]),
      [
        ['Image', 32, 64, null, null],
        ['Conv1', 32, 64, 1, 1],
        ['Stage2', 32, 64, 1, 1],
        ['Stage2', 32, 64, 1, 1],
        ['Stage3', 16, 32, 2, 1],
        ['Stage3', 16, 32, 1, 3],
        ['Stage4', 8, 16, 2, 1],
        ['Stage4', 8, 16, 1, 1],
        ['GlobalPool', 1, 1, null, null],
        ['FC', 1, 1, null, null],
      ],
    );
    assert.deepEqual(rows.at(-2)!.kernel, { height: 8, width: 16 });
    assert.equal(rows.at(-1)!.channels, 10);
  });
});
