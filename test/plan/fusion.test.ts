import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Padding } from '../../lib/network/layers';
import { assertParity, randomImages } from './compare';
import { Builder, none } from './graphs';
import { randomTensors } from './random';

const one: Padding = { begin: 1, end: 1 };

/** Each draws a graph whose last value (or the one it returns) is compared, with every kind of end. */
const graphs: Record<string, (b: Builder, x: number, y: number) => number | void> = {
  'relu after shuffle': (b, x) => b.relu(b.shuffle(x, 3)),
  'relu of a shuffled value with other readers': (b, x) => {
    const s = b.shuffle(x, 2);
    b.add(b.relu(s), s);
  },
  'shuffle of a shuffle': (b, x) => b.conv(b.shuffle(b.shuffle(x, 2), 3), 4, { groups: 2 }),
  'shuffle and its inverse': (b, x) => b.conv(b.shuffle(b.shuffle(x, 4), 3), 4, { groups: 4 }),
  'relu twice, with other readers': (b, x) => {
    const r = b.relu(x);
    b.concat(b.add(b.relu(r), r), x);
  },
  'relu of a value that others read without': (b, x) => b.concat(b.relu(x), b.conv(x, 5)),
  'add of two values used elsewhere': (b, x, y) => b.concat(b.concat(b.add(x, y), x), y),
  'add of a value to itself': (b, x) => b.add(x, x),
  'add of a shuffled value, either side': (b, x, y) => b.add(b.add(b.shuffle(x, 3), b.conv(y, 12)), b.shuffle(y, 4)),
  'add of two shuffled values': (b, x, y) => b.relu(b.add(b.shuffle(x, 3), b.shuffle(y, 2))),
  'add with shuffled 1x1 convolution': (b, x, y) => b.add(b.shuffle(b.conv(x, 12), 3), y),
  'add with a later value': (b, x) => {
    const p = b.conv(x, 12);
    b.add(p, b.depthwise(x));
  },
  'add where the other side came from this one': (b, x) => {
    const p = b.conv(x, 12);
    b.add(b.conv(b.relu(p), 12), p);
  },
  'add with the input': (b) => b.add(b.conv(b.conv(b.input, 4, { kernel: 3, padding: one }), 3), b.input),
  'add twice in a row': (b, x, y) => {
    b.relu(b.add(b.add(b.conv(x, 12), x), y));
  },
  'batch norm after an add': (b, x, y) => b.batchNorm(b.add(b.conv(x, 12), y)),
  'batch norm after a pool': (b, x) => b.batchNorm(b.avgPool(x, 3, 2, one)),
  'batch norm after a concatenation': (b, x, y) => b.batchNorm(b.concat(x, y)),
  'batch norm after a shuffle': (b, x) => b.batchNorm(b.shuffle(x, 3)),
  'batch norm after a shuffled depthwise convolution': (b, x) => b.batchNorm(b.depthwise(b.shuffle(x, 3))),
  'batch norm after relu': (b, x) => b.batchNorm(b.relu(b.conv(x, 8))),
  'batch norm of the input': (b) => b.batchNorm(b.input),
  'batch norm twice': (b, x) => b.batchNorm(b.batchNorm(b.conv(x, 8), { gamma: false }), { beta: false }),
  'batch norm of a value with other readers': (b, _, y) => b.add(b.batchNorm(y), y),
  'batch norm of a fully connected layer': (b, x) => b.relu(b.batchNorm(b.fullyConnected(b.globalPool(x), 9))),
  'concatenation of shuffled values': (b, x, y) => b.conv(b.concat(b.shuffle(x, 3), b.shuffle(y, 2)), 6, { groups: 3 }),
  'concatenation of a value with itself': (b, x) => b.conv(b.concat(x, x), 6, { groups: 2 }),
  'concatenation of a value with itself shuffled': (b, x) => b.relu(b.concat(x, b.shuffle(x, 2))),
  'concatenation of a value with its relu': (b, x) => b.concat(x, b.relu(x)),
  'concatenation of a value with other readers': (b, x, y) => {
    const c = b.concat(b.conv(x, 5), y);
    b.concat(b.conv(y, 3), b.depthwise(c));
  },
  'concatenation read before and after': (b, x, y) => {
    const before = b.depthwise(b.shuffle(x, 2));
    const c = b.concat(x, y);
    const after = b.depthwise(b.shuffle(x, 2), { stride: 1 });
    b.concat(b.add(before, after), c);
  },
  'concatenation of concatenations': (b, x, y) => b.concat(b.concat(x, y), b.relu(b.concat(y, b.conv(x, 3)))),
  'concatenation with the input': (b, x) => b.conv(b.concat(b.input, x), 6, { groups: 3 }),
  'concatenation of a global pool, a sigmoid and a depthwise convolution': (b, x) => {
    const g = b.globalPool(x, 'max');
    b.concat(b.concat(g, b.sigmoid(g)), b.depthwise(g));
  },
  'relu of a concatenation': (b, x, y) => b.relu(b.concat(b.conv(x, 5), b.avgPool(y, 3, 1, one))),
  'relu of a concatenation, a part of which is used elsewhere': (b, x, y) => {
    const part = b.conv(x, 12);
    b.concat(b.relu(b.concat(part, b.conv(y, 4))), part);
  },
  'relu of a concatenation that is used elsewhere': (b, x, y) => {
    const c = b.concat(b.conv(x, 5), b.conv(y, 4));
    b.add(b.relu(c), c);
  },
  'relu of a shuffled concatenation': (b, x, y) => b.relu(b.shuffle(b.concat(b.conv(x, 5), b.conv(y, 4)), 3)),
  'scale of a shuffled value': (b, x) => b.scale(b.shuffle(x, 3), b.sigmoid(b.globalPool(x))),
  'scale by a shuffled factor': (b, x) => b.scale(x, b.shuffle(b.globalPool(x), 3)),
  'scale of both shuffled alike': (b, x) => {
    const s = b.shuffle(x, 3);
    b.relu(b.scale(s, b.globalPool(s)));
  },
  'scale of both shuffled differently': (b, x) => b.scale(b.shuffle(x, 2), b.shuffle(b.globalPool(x), 3)),
  'scale of the input': (b) => b.scale(b.input, b.globalPool(b.input)),
  'scale, then add': (b, x, y) => b.relu(b.add(y, b.scale(b.conv(x, 12), b.globalPool(y)))),
  'scale of a part of a concatenation': (b, x, y) => {
    const p = b.conv(x, 12);
    b.concat(b.scale(p, b.globalPool(p)), b.concat(p, y));
  },
  'global pool of a part of a concatenation': (b, x, y) => {
    const c = b.concat(x, y);
    const factor = b.concat(b.globalPool(y), b.globalPool(x, 'max'));
    b.scale(c, factor);
  },
  'pixels: global pool, pool, convolution and scale of parts of a concatenation': (b, x, y) => {
    const [p, q] = [b.conv(b.globalPool(x), 6), b.conv(b.globalPool(y), 6)];
    const c = b.concat(p, q);
    const parts = b.add(b.maxPool(p, 1, 1), b.globalPool(q));
    b.concat(b.add(b.scale(p, q), b.depthwise(parts)), c);
  },
  'a pixel that windows with padding make larger': (b, x) =>
    b.maxPool(b.depthwise(b.globalPool(x), { padding: { begin: 2, end: 2 } }), 3, 1, { begin: 2, end: 2 }),
  'a pixel that a pool makes larger': (b, x) => b.maxPool(b.globalPool(x), 3, 1, { begin: 2, end: 2 }),
  'depthwise convolution of a shuffled input': (b) => b.depthwise(b.shuffle(b.input, 3)),
  'depthwise convolution of a shuffled concatenation': (b, x, y) =>
    b.depthwise(b.shuffle(b.concat(x, y), 4), { stride: 2 }),
  'depthwise convolutions one after another, shuffled between': (b, x) =>
    b.depthwise(b.shuffle(b.depthwise(b.shuffle(x, 3), { stride: 2 }), 2)),
  '1x1 convolution of the input': (b) => b.conv(b.input, 7),
  '1x1 convolution of the shuffled input': (b) => b.conv(b.shuffle(b.input, 3), 6, { groups: 3 }),
  'pools of the input': (b) =>
    b.add(b.maxPool(b.input, 3, 2, 'same'), b.avgPool(b.input, 2, 2, { begin: 0, end: 0, ceil: true })),
  'two readers, the later one far away': (b, x, y) => {
    let z = x;
    for (let i = 0; i < 5; i++) z = b.add(b.conv(b.relu(b.conv(z, 24)), 12), z);
    b.concat(b.concat(z, x), y);
  },
  'a residual that is read again': (b, x, y) => {
    const sum = b.relu(b.add(x, b.conv(y, 12)));
    const next = b.relu(b.add(sum, b.conv(sum, 12)));
    b.concat(next, sum);
  },
  'a residual that a depthwise convolution reads after the sum': (b, x, y) => {
    const sum = b.add(x, b.conv(y, 12));
    b.add(b.conv(sum, 12), b.depthwise(x));
  },
  'a residual of a residual of a residual': (b, x) => {
    let z = b.relu(b.conv(x, 12));
    for (let i = 0; i < 4; i++) z = b.relu(b.add(z, b.conv(b.shuffle(b.conv(z, 6, { groups: 2 }), 2), 12)));
  },
  'a shuffled view of a value that a sum is made over': (b, x) => {
    const view = b.shuffle(x, 3);
    const sum = b.add(x, b.conv(b.relu(b.conv(x, 6)), 12));
    b.concat(sum, b.conv(view, 6, { groups: 3 }));
  },
  'an earlier value as the output': (b, x) => {
    const g = b.globalPool(x);
    b.conv(x, 50, { kernel: 3 });
    return g;
  },
  'a value nobody reads': (b, x, y) => {
    b.conv(x, 50);
    b.depthwise(y);
  },
  'sigmoid and max pool of everything': (b, x) => b.sigmoid(b.shuffle(b.globalPool(x, 'max'), 3)),
  'relu of a global pool and of a sigmoid': (b, x) => b.relu(b.sigmoid(b.relu(b.globalPool(x)))),
};

describe('what the fuser must take apart', () => {
  for (const [name, draw] of Object.entries(graphs)) {
    it(name, async () => {
      for (const [height, width] of [
        [7, 7],
        [5, 18],
        [1, 1],
        [33, 3],
      ] as const) {
        for (const head of ['avg', 'max', 'conv'] as const) {
          const b = new Builder(3, height, width);
          const x = b.relu(b.batchNorm(b.conv(b.input, 12, { kernel: 3, padding: one })));
          const y = b.conv(x, 12, { groups: 2 });
          const from = draw(b, x, y) ?? b.last;
          // Too small a plane for this graph.
          if (b.shapes.some((shape) => shape.height * shape.width === 0)) continue;
          const graph = b.end(head, from);
          const label = `${head} ${JSON.stringify(graph.layers)}`;
          const images = randomImages(2, height, width, 3);
          assert.equal(await assertParity(graph, randomTensors(graph, 5), images, { threads: 2, label }), 'equal');
        }
      }
    });
  }
});

describe('convolutions of every shape', () => {
  const paddings: Padding[] = [none, one, 'same', { begin: 0, end: 1 }, { begin: 3, end: 2 }];
  for (const kernel of [1, 2, 3, 5, 7]) {
    for (const stride of [1, 2, 3]) {
      it(`${kernel}x${kernel}, stride ${stride}`, async () => {
        for (const channels of [1, 6, 20]) {
          for (const groups of new Set([1, 2, channels].filter((g) => channels % g === 0))) {
            for (const padding of paddings) {
              for (const [height, width] of [
                [9, 23],
                [2, 2],
              ] as const) {
                for (const outChannels of [groups, 3 * groups]) {
                  const b = new Builder(channels, height, width);
                  // Of the input itself, and of a value in the arena.
                  for (const input of [b.input, b.relu(b.input)]) {
                    b.conv(input, outChannels, { kernel, stride, groups, padding });
                  }
                  if (b.shapes.some((shape) => shape.height * shape.width === 0)) continue;
                  const graph = b.end('conv', b.add(b.last, b.last - 1));
                  const label = JSON.stringify(graph.layers);
                  const images = randomImages(1, height, width, 3, channels);
                  assert.equal(await assertParity(graph, randomTensors(graph, 5), images, { label }), 'equal');
                }
              }
            }
          }
        }
      });
    }
  }
});

describe('pools of every shape', () => {
  const paddings = (kernel: number): Padding[] => [
    'same',
    ...[0, kernel - 1].flatMap((begin) =>
      [0, Math.floor(kernel / 2)].flatMap((end) => [false, true].map((ceil) => ({ begin, end, ceil }))),
    ),
  ];
  for (const kernel of [1, 2, 3, 5]) {
    for (const stride of [1, 2, 3, 4]) {
      it(`${kernel}x${kernel}, stride ${stride}`, async () => {
        for (const padding of paddings(kernel)) {
          for (const [height, width] of [
            [9, 23],
            [2, 4],
            [8, 1],
          ] as const) {
            const b = new Builder(5, height, width);
            for (const input of [b.input, b.conv(b.input, 5)]) {
              b.maxPool(input, kernel, stride, padding);
              b.avgPool(input, kernel, stride, padding, true);
              b.avgPool(input, kernel, stride, padding, false);
            }
            if (b.shapes.some((shape) => shape.height * shape.width === 0)) continue;
            const pools = b.layers.map((_, i) => i).filter((i) => /Pool/.test(b.layers[i]!.op));
            const graph = b.end(
              'conv',
              pools.reduce((a, pool) => b.concat(a, pool)),
            );
            const label = JSON.stringify(graph.layers);
            const images = randomImages(1, height, width, 3, 5);
            assert.equal(await assertParity(graph, randomTensors(graph, 5), images, { label }), 'equal');
          }
        }
      });
    }
  }
});
