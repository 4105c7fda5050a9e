import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ShuffleNetError } from '../../lib/errors';
import { buildGraph } from '../../lib/network/graph';
import type { Padding } from '../../lib/network/layers';
import type { Groups, NetworkOptions } from '../../lib/network/options';
import { networkOptions, resolveNetwork, type Unit } from '../../lib/network/table';

const units = (options: NetworkOptions): Unit[] => resolveNetwork(options).stages.flatMap((stage) => stage.units);
const first = (options: NetworkOptions): Unit => units(options)[0]!;
const concatUnits = (options: NetworkOptions): Unit[] => units(options).filter((unit) => unit.combine === 'concat');

describe('the network table', () => {
  it('has the widths and repeats of Table 1', () => {
    const widths: Record<Groups, number[]> = {
      1: [144, 288, 576],
      2: [200, 400, 800],
      3: [240, 480, 960],
      4: [272, 544, 1088],
      8: [384, 768, 1536],
    };
    for (const groups of [1, 2, 3, 4, 8] as const) {
      const network = resolveNetwork({ groups });
      assert.equal(network.stemChannels, 24);
      assert.deepEqual(
        network.stages.map(({ stage, units: list }) => [stage, list.length, list[0]!.out]),
        widths[groups].map((out, index) => [index + 2, [4, 8, 4][index], out]),
      );
    }
  });

  it('defaults to the paper: 1x, g = 3, 1000 classes', () => {
    const network = resolveNetwork();
    assert.equal(network.groups, 3);
    assert.equal(network.scale, 1);
    assert.equal(network.classes, 1000);
    assert.equal(network.squeezeExcitation, null);
    assert.deepEqual(network.stages[0].units.slice(0, 2), [
      {
        in: 24,
        mid: 60,
        branch: 216,
        out: 240,
        stride: 2,
        combine: 'concat',
        gconv1Groups: 1,
        gconv2Groups: 3,
        shuffle: true,
      },
      {
        in: 240,
        mid: 60,
        branch: 240,
        out: 240,
        stride: 1,
        combine: 'add',
        gconv1Groups: 3,
        gconv2Groups: 3,
        shuffle: true,
      },
    ]);
    assert.deepEqual(resolveNetwork({}), network);
    assert.deepEqual(resolveNetwork({ groups: undefined, variant: { maxPool: undefined } } as never), network);
  });

  it('is plain data, apart from the objects it was given', () => {
    const stemPadding = { begin: 0, end: 1 };
    const network = resolveNetwork({ variant: { stemPadding } });
    stemPadding.begin = 2;
    assert.deepEqual(network.variant.stemPadding, { begin: 0, end: 1 });
    assert.deepEqual(JSON.parse(JSON.stringify(network)), network);
  });

  it('rounds scaled widths to the nearest multiple of groups, ties upwards, at least groups', () => {
    const stem = (groups: Groups, scale: number) => resolveNetwork({ groups, scale }).stemChannels;
    assert.equal(stem(8, 0.5), 16); // 12 lies between 8 and 16
    assert.equal(stem(8, 0.25), 8); // 6
    assert.equal(stem(4, 0.25), 8); // 6 lies between 4 and 8
    assert.equal(stem(8, 0.1), 8); // 2.4
    assert.equal(stem(3, 0.5), 12);
    const mid = (groups: Groups, scale: number) => resolveNetwork({ groups, scale }).stages[0].units[1]!.mid;
    assert.equal(mid(2, 0.25), 12); // 12.5
    assert.equal(mid(4, 0.25), 16); // 17
    assert.equal(mid(4, 0.5), 36); // 34 lies between 32 and 36
    // 0.145 * 100 is 14.499999999999998 in floating point, and still a tie.
    assert.equal(resolveNetwork({ groups: 2, bottleneckRatio: 0.145 }).stages[0].units[1]!.mid, 30); // 29
  });

  it('takes the stem as given', () => {
    assert.equal(resolveNetwork({ scale: 1.5, stemChannels: 24 }).stemChannels, 24);
    assert.equal(first({ scale: 1.5, stemChannels: 24 }).branch, 360 - 24);
  });

  it('takes the widths of stages as given, and gives all options back', () => {
    const options: NetworkOptions = { groups: 1, stageChannels: [144, 288, 567], bottleneckRatio: 0.249 };
    const network = resolveNetwork(options);
    assert.deepEqual(
      network.stages.map(({ units: [concat] }) => [concat!.out, concat!.mid]),
      [
        [144, 36],
        [288, 72],
        [567, 141],
      ],
    );
    assert.deepEqual(networkOptions(network).stageChannels, [144, 288, 567]);
    assert.ok(!('stageChannels' in networkOptions(resolveNetwork({ stageChannels: [240, 480, 960] }))));
    for (const same of [options, {}, { groups: 8, scale: 0.5, shallow: true, squeezeExcitation: true }] as const) {
      assert.deepEqual(resolveNetwork(networkOptions(resolveNetwork(same))), resolveNetwork(same));
    }
    for (const stageChannels of [[1, 2], [1, 2, 3, 4], [1, 2, 0.5], [1, 2, 65537], 240]) {
      assert.throws(
        () => resolveNetwork({ stageChannels } as never),
        (error) =>
          error instanceof ShuffleNetError && error.code === 'ERR_OPTION' && /stageChannels/.test(error.message),
      );
    }
  });

  it('halves the units when shallow', () => {
    assert.deepEqual(
      resolveNetwork({ shallow: true }).stages.map((stage) => stage.units.length),
      [2, 4, 2],
    );
  });

  it('knows the bottleneck rules of published networks', () => {
    const mids = (options: NetworkOptions) => concatUnits(options).map((unit) => unit.mid);
    assert.deepEqual(mids({}), [60, 120, 240]);
    assert.deepEqual(mids({ variant: { bottleneck: 'branch' } }), [54, 60, 120]); // Caffe
    const zoo: NetworkOptions = { groups: 4, scale: 0.5, stemChannels: 24, variant: { bottleneck: 'none' } };
    assert.deepEqual(mids(zoo), [112, 136, 272]); // ONNX model zoo
    assert.equal(units(zoo)[1]!.mid, 136);
    assert.equal(first({ bottleneckRatio: 1 / 2 }).mid, 120);
  });

  it('has groups, shuffle and stride of the first unit as variants', () => {
    assert.equal(first({ variant: { firstUnitGconv1: 'groups' } }).gconv1Groups, 3);
    assert.equal(first({ variant: { firstUnitGconv2: 'one' } }).gconv2Groups, 1);
    assert.deepEqual(
      units({ variant: { shuffleFirstUnit: false } }).map((unit) => unit.shuffle),
      [false, ...Array<boolean>(15).fill(true)],
    );
    assert.ok(units({ shuffle: false }).every((unit) => !unit.shuffle));
    assert.ok(units({ groups: 1 }).every((unit) => !unit.shuffle));
    const cifar = first({ variant: { stage2Stride: 1 } });
    assert.deepEqual([cifar.stride, cifar.combine, cifar.branch], [1, 'concat', 216]);
  });

  it('pads a 2x2 average pool by nothing unless told', () => {
    assert.deepEqual(resolveNetwork({ variant: { avgPoolKernel: 2 } }).variant.avgPoolPadding, { begin: 0, end: 0 });
    assert.equal(
      resolveNetwork({ variant: { avgPoolKernel: 2, avgPoolPadding: 'same' } }).variant.avgPoolPadding,
      'same',
    );
  });

  it('pads depthwise convolutions alike, or those of each stage as told, whatever becomes of what told it', () => {
    const own = { begin: 0, end: 1 };
    const each: [Padding, Padding, Padding] = ['same', own, { begin: 0, end: 0 }];
    const { depthwisePadding } = resolveNetwork({ variant: { depthwisePadding: each } }).variant;
    own.begin = 2;
    each[0] = own;
    assert.deepEqual(depthwisePadding, ['same', { begin: 0, end: 1 }, { begin: 0, end: 0 }]);
    assert.deepEqual(resolveNetwork().variant.depthwisePadding, { begin: 1, end: 1 });
  });

  it('says which division fails', () => {
    const cases: [NetworkOptions, string][] = [
      [
        { groups: 8, stemChannels: 6 },
        'stage 2, unit 0: gconv2 makes 384 - 6 = 378 channels, which 8 groups do not divide',
      ],
      [
        { groups: 8, stemChannels: 6, variant: { firstUnitGconv1: 'groups' } },
        'stage 2, unit 0: gconv1 reads 6 channels, which 8 groups do not divide',
      ],
      [
        { groups: 8, stemChannels: 6, variant: { bottleneck: 'none', firstUnitGconv2: 'one' } },
        'stage 2, unit 0: the shuffle permutes 378 channels, which 8 groups do not divide',
      ],
      [
        { stemChannels: 240 },
        'stage 2, unit 0: gconv2 would make 240 - 240 = 0 channels, the stage must be wider than its input',
      ],
      [
        { stemChannels: 300 },
        'stage 2, unit 0: gconv2 would make 240 - 300 = -60 channels, the stage must be wider than its input',
      ],
    ];
    for (const [options, message] of cases) {
      assert.throws(() => resolveNetwork(options), { name: 'ShuffleNetError', code: 'ERR_NETWORK', message });
    }
    // Not a failure where that convolution is not grouped.
    resolveNetwork({ groups: 8, stemChannels: 6, variant: { firstUnitGconv2: 'one' } });
  });

  it('refuses bad options, naming the option, the value and what was expected', () => {
    const cases: [unknown, RegExp][] = [
      [null, /^network options: expected an object, got null$/],
      [[], /^network options: expected an object, got \[\]$/],
      [{ groups: 5 }, /^groups: expected 1, 2, 3, 4 or 8, got 5$/],
      [{ groups: '3' }, /^groups: .* got '3'$/],
      [{ scale: 0 }, /^scale: expected a number above 0 and at most 16, got 0$/],
      [{ scale: NaN }, /^scale: .* got NaN$/],
      [{ scale: Infinity }, /^scale: .* got Infinity$/],
      [{ classes: 0 }, /^classes: expected an integer from 1 to 1000000, got 0$/],
      [{ classes: 10.5 }, /^classes: .* got 10.5$/],
      [{ stemChannels: 1n }, /^stemChannels: .* got 1n$/],
      [{ bottleneckRatio: 1.01 }, /^bottleneckRatio: expected a number above 0 and at most 1, got 1.01$/],
      [{ shuffle: null }, /^shuffle: expected true or false, got null$/],
      [{ shallow: 1 }, /^shallow: /],
      [{ squeezeExcitation: 16 }, /^squeezeExcitation: expected true, false or { reduction }, got 16$/],
      [{ squeezeExcitation: {} }, /^squeezeExcitation\.reduction: .* got undefined$/],
      [{ squeezeExcitation: { reduction: 0 } }, /^squeezeExcitation\.reduction: expected an integer from 1 to 4096/],
      [{ squeezeExcitation: { reduction: 4, gate: 1 } }, /^squeezeExcitation\.gate: no such option/],
      [{ group: 3 }, /^group: no such option, expected one of groups, scale, /],
      [JSON.parse('{ "__proto__": {} }'), /^__proto__: no such option/],
      [{ toString: 1 }, /^toString: no such option/],
      [{ variant: 'megvii' }, /^variant: expected an object, got 'megvii'$/],
      [{ variant: { relu: true } }, /^variant\.relu: no such option/],
      [{ variant: { shuffleOrder: 'reverse' } }, /^variant\.shuffleOrder: expected 'standard' or 'inverse', got/],
      [{ variant: { concatRelu: true } }, /^variant\.concatRelu: expected 'afterConcat', 'branch' or 'none', got tr/],
      [{ variant: { stemStride: 3 } }, /^variant\.stemStride: expected 1 or 2, got 3$/],
      [{ variant: { avgPoolKernel: 4 } }, /^variant\.avgPoolKernel: expected 2 or 3, got 4$/],
      [{ variant: { batchNormEpsilon: 0 } }, /^variant\.batchNormEpsilon: /],
      [{ variant: { fcBias: 'no' } }, /^variant\.fcBias: expected true or false, got 'no'$/],
      [{ variant: { maxPoolPadding: 1 } }, /^variant\.maxPoolPadding: expected 'same' or { begin, end, ceil\? }/],
      [{ variant: { maxPoolPadding: { begin: 0 } } }, /^variant\.maxPoolPadding: .* got { begin: 0 }$/],
      [{ variant: { maxPoolPadding: { begin: 3, end: 0 } } }, /with 0 to 2 cells, got { begin: 3, end: 0 }$/],
      [{ variant: { maxPoolPadding: { begin: 0, end: 0, mode: 'ceil' } } }, /^variant\.maxPoolPadding: /],
      [{ variant: { maxPoolPadding: { begin: 0, end: 0, ceil: 'yes' } } }, /^variant\.maxPoolPadding: /],
      [{ variant: { stemPadding: { begin: 0, end: 0, ceil: true } } }, /^variant\.stemPadding: /],
      [
        { variant: { depthwisePadding: 'valid' } },
        /^variant\.depthwisePadding: expected 'same' or { begin, end } .*, or three of them, .* got 'valid'$/,
      ],
      [{ variant: { depthwisePadding: ['same', 'same'] } }, /^variant\.depthwisePadding: .* got \[ 'same', 'same' \]$/],
      [{ variant: { depthwisePadding: ['same', { begin: 3, end: 0 }, 'same'] } }, /^variant\.depthwisePadding: /],
      [{ variant: { depthwisePadding: Array(3) } }, /^variant\.depthwisePadding: .* got \[ <3 empty items> \]$/],
      [{ variant: { stemPadding: ['same', 'same', 'same'] } }, /^variant\.stemPadding: /],
      [
        { variant: { avgPoolKernel: 2, avgPoolPadding: { begin: 0, end: 2 } } },
        /^variant\.avgPoolPadding: .* with 0 to 1 cells/,
      ],
      [
        { variant: { avgPoolPadding: { begin: 2, end: 1, reflect: true } } },
        /^variant\.avgPoolPadding: expected 'same' or { begin, end, ceil\?, reflect\? } with .*, 0 to 1 and no ceil where/,
      ],
      [
        { variant: { avgPoolKernel: 2, avgPoolPadding: { begin: 0, end: 1, reflect: true } } },
        /^variant\.avgPoolPadding: .* with 0 to 1 cells, got/,
      ],
      [{ variant: { avgPoolPadding: { begin: 1, end: 1, ceil: true, reflect: true } } }, /no ceil where it reflects/],
      [{ variant: { avgPoolPadding: { begin: 1, end: 1, reflect: 1 } } }, /^variant\.avgPoolPadding: /],
      [{ variant: { maxPoolPadding: { begin: 1, end: 1, reflect: true } } }, /^variant\.maxPoolPadding: /],
      [
        { variant: { avgPoolPadding: { begin: 1, end: 1, reflect: true }, avgPoolCountPadding: false } },
        /^variant\.avgPoolCountPadding: expected true, as avgPoolPadding reflects, got false$/,
      ],
    ];
    for (const [options, message] of cases) {
      assert.throws(() => resolveNetwork(options as NetworkOptions), {
        name: 'ShuffleNetError',
        code: 'ERR_OPTION',
        message,
      });
    }
    assert.throws(
      () => resolveNetwork({ scale: 'x'.repeat(1e6) } as never),
      (error: ShuffleNetError) => error.message.length < 300,
    );
  });

  it('builds or refuses any combination of options, and what it builds divides', () => {
    const options = fc.record(
      {
        groups: fc.constantFrom<Groups>(1, 2, 3, 4, 8),
        scale: fc.double({ min: 0.01, max: 4, noNaN: true }),
        stemChannels: fc.integer({ min: 1, max: 64 }),
        bottleneckRatio: fc.double({ min: 0.01, max: 1, noNaN: true }),
        shuffle: fc.boolean(),
        shallow: fc.boolean(),
        squeezeExcitation: fc.boolean(),
        variant: fc.record(
          {
            shuffleOrder: fc.constantFrom('standard' as const, 'inverse' as const),
            shuffleFirstUnit: fc.boolean(),
            firstUnitGconv1: fc.constantFrom('one' as const, 'groups' as const),
            firstUnitGconv2: fc.constantFrom('one' as const, 'groups' as const),
            bottleneck: fc.constantFrom('out' as const, 'branch' as const, 'none' as const),
            stage2Stride: fc.constantFrom(1 as const, 2 as const),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(options, (given) => {
        let network;
        try {
          network = resolveNetwork(given);
        } catch (error) {
          assert.ok(error instanceof ShuffleNetError);
          assert.equal(error.code, 'ERR_NETWORK');
          return;
        }
        const { groups } = network;
        for (const unit of network.stages.flatMap((stage) => stage.units)) {
          assert.ok(unit.branch > 0 && unit.mid > 0);
          assert.equal(unit.combine === 'concat' ? unit.in + unit.branch : unit.branch, unit.out);
          assert.equal(unit.in % unit.gconv1Groups, 0);
          assert.equal(unit.mid % unit.gconv1Groups, 0);
          assert.equal(unit.mid % unit.gconv2Groups, 0);
          assert.equal(unit.branch % unit.gconv2Groups, 0);
          assert.equal(unit.shuffle ? unit.mid % groups : 0, 0);
        }
        const { layers, output } = buildGraph(network);
        assert.equal(new Set(layers.map((layer) => layer.name)).size, layers.length);
        assert.equal(output, layers.length - 1);
        layers.forEach((layer, index) => {
          const inputs = 'inputs' in layer ? layer.inputs : 'input' in layer ? [layer.input] : [];
          assert.ok(inputs.every((input) => Number.isInteger(input) && input >= 0 && input < index));
        });
      }),
      { numRuns: 300 },
    );
  });
});
