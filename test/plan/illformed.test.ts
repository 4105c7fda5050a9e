import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binding } from '../../lib/native/binding';
import type { Graph } from '../../lib/network/layers';
import { coded, randomImages } from './compare';
import { Builder } from './graphs';
import { Random, randomTensors } from './random';

/** Anything goes: these graphs are wrong on purpose. */
type Loose = { layers: Record<string, unknown>[]; output: unknown };

function sound(): { graph: Loose; tensors: Record<string, unknown> } {
  const b = new Builder(3, 8, 8);
  const x = b.relu(b.batchNorm(b.conv(b.input, 12, { kernel: 3, padding: { begin: 1, end: 1 } })));
  const y = b.depthwise(b.shuffle(b.conv(x, 12, { groups: 3 }), 3), { stride: 2 });
  const z = b.concat(b.avgPool(x, 3, 2, { begin: 1, end: 1, ceil: false }), b.add(y, b.conv(y, 12)));
  const s = b.scale(z, b.sigmoid(b.fullyConnected(b.globalPool(z), 24)));
  b.fullyConnected(b.globalPool(b.maxPool(s, 2, 2, 'same'), 'max'), 5);
  const graph: Graph = { layers: b.layers, output: b.last };
  return { graph: structuredClone(graph) as unknown as Loose, tensors: randomTensors(graph, 1) };
}

const sane = { threads: 2 };

/** Makes and runs whatever it is given; each part may refuse. */
async function attempt(graph: unknown, tensors: unknown, options: unknown = sane): Promise<void> {
  const create = binding().createModel as (...args: unknown[]) => ReturnType<ReturnType<typeof binding>['createModel']>;
  const model = await create(0, graph, tensors, options);
  // The number of outputs is whatever the graph says; 5 where it was left alone.
  const images = randomImages(1, 8, 8, 1, 3);
  await model.run(0, images.data, 1, 8, 8, true, [new Float32Array(5)]).finally(() => model.close());
}

const find = (graph: Loose, op: string) => graph.layers.find((layer) => layer.op === op)!;
const cases: Record<string, (graph: Loose, tensors: Record<string, unknown>) => void> = {
  'no layers': (graph) => (graph.layers = []),
  'layers that are no array': (graph) => ((graph as { layers: unknown }).layers = { length: 3 }),
  'a layer that is null': (graph) => (graph.layers[2] = null as never),
  'a hole': (graph) => delete graph.layers[2],
  'an output beyond the layers': (graph) => (graph.output = 99),
  'an output of another type': (graph) => (graph.output = '1'),
  'an output of more than a pixel': (graph) => (graph.output = graph.layers.findIndex(({ op }) => op === 'conv')),
  'the input as the output': (graph) => (graph.output = 0),
  'an input that is not the first layer': (graph) => (graph.layers[3] = { name: 'again', op: 'input', channels: 12 }),
  'a first layer that is not the input': (graph) => (graph.layers[0] = { name: 'first', op: 'relu', input: 0 }),
  'an input without channels': (graph) => delete graph.layers[0]!.channels,
  'an unknown operation': (graph) => (graph.layers[3]!.op = 'swish'),
  'a missing name': (graph) => delete graph.layers[3]!.name,
  'a later layer as input': (graph) => (find(graph, 'relu').input = 7),
  'itself as input': (graph) => (find(graph, 'relu').input = graph.layers.indexOf(find(graph, 'relu'))),
  'a negative input': (graph) => (find(graph, 'relu').input = -1),
  'a fractional input': (graph) => (find(graph, 'relu').input = 0.5),
  'a missing input': (graph) => delete find(graph, 'relu').input,
  'one of two inputs': (graph) => (find(graph, 'add').inputs = [1]),
  'a later second input': (graph) => (find(graph, 'concat').inputs = [1, 90]),
  'groups that do not divide the outputs': (graph) => (find(graph, 'conv').groups = 5),
  'groups that do not divide the inputs': (graph) => (find(graph, 'conv').groups = 2),
  'shuffle groups that do not divide': (graph) => (find(graph, 'shuffle').groups = 5),
  'no kernel': (graph) => (find(graph, 'conv').kernel = 0),
  'no stride': (graph) => (find(graph, 'avgPool').stride = 0),
  'a negative padding': (graph) => (find(graph, 'avgPool').padding = { begin: -1, end: 0 }),
  'a pool with more padding than kernel': (graph) => (find(graph, 'avgPool').padding = { begin: 3, end: 0 }),
  'a maximum of reflected cells': (graph) => (find(graph, 'maxPool').padding = { begin: 0, end: 0, reflect: true }),
  'a convolution of reflected cells': (graph) => (find(graph, 'conv').padding = { begin: 1, end: 1, reflect: true }),
  'reflected cells that do not count': (graph) =>
    Object.assign(find(graph, 'avgPool'), { padding: { begin: 1, end: 1, reflect: true }, countPadding: false }),
  'a reflection that rounds up': (graph) =>
    (find(graph, 'avgPool').padding = { begin: 1, end: 1, ceil: true, reflect: true }),
  'a reflection of two cells': (graph) => (find(graph, 'avgPool').padding = { begin: 2, end: 1, reflect: true }),
  'a reflection in 5x5 windows': (graph) =>
    Object.assign(find(graph, 'avgPool'), { kernel: 5, padding: { begin: 1, end: 1, reflect: true } }),
  'a padding without an end': (graph) => (find(graph, 'avgPool').padding = { begin: 1 }),
  'an addition of different channels': (graph) => (find(graph, 'add').inputs = [0, 3]),
  'an addition of different planes': (graph) => ((find(graph, 'add').inputs as number[])[0] = 3),
  'a concatenation of different planes': (graph) => (find(graph, 'concat').inputs = [3, graph.layers.length - 9]),
  'a scale by a plane': (graph) => (find(graph, 'scale').inputs = [3, 3]),
  'a scale by other channels': (graph) => ((find(graph, 'scale').inputs as number[])[0] = 3),
  'a sigmoid of a plane': (graph) => (find(graph, 'sigmoid').input = find(graph, 'globalPool').input),
  'a fully connected layer on a plane': (graph) =>
    (find(graph, 'fullyConnected').input = find(graph, 'globalPool').input),
  'a missing tensor': (graph, tensors) => delete tensors[find(graph, 'conv').weight as string],
  'a tensor of another type': (graph, tensors) =>
    (tensors[find(graph, 'conv').weight as string] = new Float64Array(324)),
  'a tensor one short': (graph, tensors) => (tensors[find(graph, 'conv').weight as string] = new Float32Array(323)),
  'an empty tensor': (graph, tensors) => (tensors[find(graph, 'conv').weight as string] = new Float32Array(0)),
  'a bias one long': (graph, tensors) => (tensors[find(graph, 'conv').bias as string] = new Float32Array(13)),
  'a short variance': (graph, tensors) => (tensors[find(graph, 'batchNorm').variance as string] = new Float32Array(1)),
  'no mean': (graph) => delete find(graph, 'batchNorm').mean,
  'no weight': (graph) => delete find(graph, 'fullyConnected').weight,
  'a detached tensor': (graph, tensors) => {
    const { buffer } = tensors[find(graph, 'conv').weight as string] as Float32Array;
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  },
  'a name that every object has': (graph) => (find(graph, 'conv').weight = 'constructor'),
};

describe('ill-formed graphs are refused with a code', () => {
  it('the sound one is not', async () => {
    const { graph, tensors } = sound();
    await attempt(graph, tensors);
  });

  for (const [name, spoil] of Object.entries(cases)) {
    it(name, async () => {
      const { graph, tensors } = sound();
      spoil(graph, tensors);
      const codes = ['ERR_NETWORK', 'ERR_OPTION', 'ERR_WEIGHTS_TENSOR', 'ERR_INPUT'];
      await assert.rejects(attempt(graph, tensors), coded(...codes));
    });
  }

  it('arguments of other types', async () => {
    const { graph, tensors } = sound();
    const junk = [undefined, null, 1, 'x', true, Symbol('x'), 1n, [], {}, () => 1, new Float32Array(3)];
    for (const value of junk) {
      await assert.rejects(attempt(value, tensors), coded());
      await assert.rejects(attempt(graph, value), coded());
      await assert.rejects(attempt(graph, tensors, value ?? null), coded());
      if (value !== 1) await assert.rejects(attempt(graph, tensors, { threads: value }), coded());
    }
    for (const threads of [0, -1, 1.5, NaN, Infinity, 2 ** 40]) {
      await assert.rejects(attempt(graph, tensors, { threads }), coded('ERR_OPTION'));
    }
  });

  it('arguments of run', async () => {
    const b = new Builder(3, 4, 4);
    const graph = b.end('avg', b.conv(b.input, 2));
    const model = await binding().createModel(0, graph, randomTensors(graph, 1), { threads: 1 });
    const right: unknown[] = [new Float32Array(48), 1, 4, 4, false, [new Float32Array(2)]];
    const detached = new Float32Array(48);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const wrong: [number, unknown[]][] = [
      [0, [undefined, null, [], new Float32Array(47), new Float32Array(49), new Float64Array(48), detached]],
      [1, [0, -1, 2, 0.5, '1', null, NaN, 2 ** 31]],
      [2, [0, -1, 3, 0.5, undefined, 2 ** 31]],
      [3, [0, -1, 5, 0.5, {}, 2 ** 32 + 4]],
      [5, [undefined, [], [undefined, undefined], new Float32Array(2)]],
      [5, [new Float32Array(1), new Float32Array(3), new Int32Array(2), new ArrayBuffer(8)].map((array) => [array])],
    ];
    const call = async (args: unknown[]) => (model.run as (...args: unknown[]) => Promise<void>)(0, ...args);
    await call(right);
    for (const [at, values] of wrong) {
      for (const value of values) {
        await assert.rejects(call(right.with(at, value)), coded('ERR_INPUT', 'ERR_OPTION'), `argument ${at}`);
      }
    }
    await assert.rejects(call([]), coded());
    model.close();
  });

  it('graphs spoiled at random, where they are refused at all', async () => {
    const numbers = [-1, 0, 0.5, NaN, 1, 2, 3, 7, 24, 100];
    const junk = () => [undefined, null, true, false, '', 'x', 'same', 'weight', ...numbers, [], {}];
    const outcomes = { refused: 0, ran: 0 };
    for (let seed = 0; seed < 2000; seed++) {
      const random = new Random(seed);
      const { graph, tensors } = sound();
      for (let changes = random.integer(1, 3); changes > 0; changes--) {
        if (random.chance(0.15)) {
          const name = random.pick(Object.keys(tensors));
          if (random.chance(0.3)) delete tensors[name];
          else tensors[name] = random.pick([...junk(), random.floats(random.integer(0, 40))]);
          continue;
        }
        const layer = random.pick(graph.layers);
        const field = random.pick(Object.keys(layer));
        const value = layer[field];
        if (random.chance(0.1)) delete layer[field];
        else if (random.chance(0.3) && typeof value === 'number') layer[field] = random.integer(0, graph.layers.length);
        else if (typeof value === 'object' && value !== null && random.chance(0.7)) {
          (value as Record<string, unknown>)[random.pick(Object.keys(value))] = random.pick(junk());
        } else layer[field] = random.pick<unknown>(junk());
      }
      await attempt(graph, tensors).then(
        () => outcomes.ran++,
        (error) => {
          assert.ok(coded()(error), `seed ${seed}`);
          outcomes.refused++;
        },
      );
    }
    assert.ok(outcomes.refused > 1000 && outcomes.ran > 50, JSON.stringify(outcomes));
  });
});
