import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildGraph, stageOutput } from '../../lib/network/graph';
import type { NetworkOptions, Variant } from '../../lib/network/options';
import { layerShapes, windowCount } from '../../lib/network/shapes';
import { resolveNetwork } from '../../lib/network/table';

/** [height, width] after conv1 and stages 2, 3 and 4. */
function planes(variant: Partial<Variant>, height: number, width: number, options: NetworkOptions = {}): number[][] {
  const graph = buildGraph(resolveNetwork({ ...options, variant }));
  const shapes = layerShapes(graph, { height, width });
  const conv1 = graph.layers.findIndex(({ name }) => name === 'conv1');
  return [conv1, ...([2, 3, 4] as const).map((stage) => stageOutput(graph, stage))].map((index) => [
    shapes[index]!.height,
    shapes[index]!.width,
  ]);
}

const ceil = { begin: 0, end: 0, ceil: true };
const regimes: Record<string, Partial<Variant>> = {
  PyTorch: {},
  TensorFlow: { stemPadding: 'same', maxPoolPadding: 'same', avgPoolPadding: 'same', depthwisePadding: 'same' },
  Caffe: { maxPoolPadding: ceil, avgPoolPadding: ceil },
  MindSpore: { maxPoolPadding: 'same', avgPoolPadding: 'same' },
};

describe('shapes', () => {
  it('are those of Table 1 for 224x224, in every padding regime', () => {
    for (const variant of Object.values(regimes)) {
      assert.deepEqual(planes(variant, 224, 224), [
        [112, 112],
        [28, 28],
        [14, 14],
        [7, 7],
      ]);
    }
  });

  it('take images that are not square', () => {
    assert.deepEqual(planes({}, 720, 1280), [
      [360, 640],
      [90, 160],
      [45, 80],
      [23, 40],
    ]);
    assert.deepEqual(planes({}, 480, 640).at(-1), [15, 20]);
  });

  it('of the CIFAR network: no max-pool, stage 2 at full size', () => {
    const variant: Partial<Variant> = { stemStride: 1, maxPool: false, stage2Stride: 1, avgPoolKernel: 2 };
    assert.deepEqual(planes(variant, 32, 32), [
      [32, 32],
      [32, 32],
      [16, 16],
      [8, 8],
    ]);
  });

  it('exist for every size from 32 to 4096 with PyTorch and TensorFlow paddings', () => {
    const side = fc.integer({ min: 32, max: 4096 });
    fc.assert(
      fc.property(side, side, (height, width) => {
        for (const regime of ['PyTorch', 'TensorFlow', 'MindSpore']) {
          // Halved five times, rounding up.
          const expected = [Math.ceil(height / 32), Math.ceil(width / 32)];
          assert.deepEqual(planes(regimes[regime]!, height, width).at(-1), expected);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('say which layer cannot be built', () => {
    // A 1x1 plane: the padded convolution makes 1x1 of it, and no unpadded pool fits.
    assert.throws(() => planes({ maxPoolPadding: ceil }, 1, 32), {
      code: 'ERR_INPUT',
      message: 'image of 1x32 (height x width): maxpool cannot place a 3x3 window on 1x16',
    });
    // 8, 4, 2 and then a single row.
    assert.throws(() => planes({ avgPoolPadding: { begin: 1, end: 1, reflect: true } }, 16, 32), {
      code: 'ERR_INPUT',
      message: 'image of 16x32 (height x width): stage4.0.avgpool has nothing to reflect on 1x2',
    });
    // Odd planes: Caffe's pools make one row fewer than the padded depthwise convolution.
    assert.throws(() => planes(regimes['Caffe']!, 50, 224), {
      code: 'ERR_INPUT',
      message: 'image of 50x224 (height x width): stage4.0.concat cannot join planes of 1x7 and 2x7',
    });
  });
});

describe('windowCount', () => {
  /**
   * Places windows one by one. Without ceil every window is whole. With it a partial one follows as long as cells of
   * the padded plane are left, unless it would begin after the last real cell.
   */
  function place(size: number, kernel: number, stride: number, begin: number, end: number, ceilMode: boolean): number {
    const padded = begin + size + end;
    let count = 0;
    for (let start = 0; ; start += stride) {
      const fits = ceilMode ? start - stride + kernel < padded && start < size + begin : start + kernel <= padded;
      if (!fits) return count;
      count += 1;
    }
  }

  it('agrees with placing windows one by one', () => {
    for (const kernel of [1, 2, 3]) {
      for (const stride of [1, 2]) {
        for (let size = 1; size <= 20; size += 1) {
          const starts = [...Array(size).keys()].filter((cell) => cell % stride === 0);
          assert.equal(windowCount(size, kernel, stride, 'same'), starts.length);
          for (let begin = 0; begin < kernel; begin += 1) {
            for (let end = 0; end < kernel; end += 1) {
              for (const ceilMode of [false, true]) {
                const count = Math.max(0, windowCount(size, kernel, stride, { begin, end, ceil: ceilMode }));
                const expected = place(size, kernel, stride, begin, end, ceilMode);
                assert.equal(count, expected, JSON.stringify({ size, kernel, stride, begin, end, ceilMode }));
              }
            }
          }
        }
      }
    }
  });

  it('drops a last window that would begin beyond the input', () => {
    // PyTorch: MaxPool2d(2, 2, padding=1, ceil_mode=True) on 4 cells gives 3, on 5 gives 3.
    assert.equal(windowCount(4, 2, 2, { begin: 1, end: 1, ceil: true }), 3);
    assert.equal(windowCount(5, 2, 2, { begin: 1, end: 1, ceil: true }), 3);
    // Caffe: 112 -> 56 and 56 -> 28 by 3x3, stride 2, no padding.
    assert.equal(windowCount(112, 3, 2, ceil), 56);
    assert.equal(windowCount(56, 3, 2, ceil), 28);
  });
});
