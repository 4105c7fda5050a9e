import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShuffleNet } from '../../../lib';
import { loadWeights } from '../../../lib/weights/load';
import { encodeValues } from '../../../lib/weights/values';
import { difference } from '../../model/files';
import { Peer } from '../../onnx/runtime';
import { failure } from '../files';
import { numbers } from '../formats/stored';
import { bytesOf, image, logitsOf } from './fixtures';
import { Model, type Node } from './model';

const zoo = 'zoo.onnx';
const groups = 4;

/** That a model, changed, still gives the logits of its framework, here and in onnxruntime. */
async function same(file: string, set: number, change?: (model: Model) => void): Promise<void> {
  const model = await Model.read(bytesOf(file));
  change?.(model);
  const bytes = model.write(set);
  const peer = await Peer.load(bytes);
  const { data } = await peer.run(image(file), model.logits);
  await peer.close();
  assert.ok(difference(data, logitsOf(file)) <= 5e-5, 'onnxruntime');
  await using own = await ShuffleNet.load(bytes);
  assert.ok(difference((await own.run(image(file))).data, logitsOf(file)) <= 5e-5, 'here');
}

/** Every Reshape-Transpose-Reshape, replaced. `order` is where each channel comes from. */
function replaceShuffles(model: Model, others: (x: string, order: number[]) => Node[]): void {
  for (const transpose of model.nodes.filter(({ type }) => type === 'Transpose')) {
    const before = model.maker(transpose.inputs[0]!)!;
    const after = model.nodes.find(({ inputs }) => inputs[0] === transpose.outputs[0])!;
    const [, rows, columns] = numbers(model.known(before.inputs[1]!)!) as [number, number, number];
    const order = Array.from({ length: rows * columns }, (_, to) => (to % rows) * columns + Math.floor(to / rows));
    model.nodes.splice(model.nodes.indexOf(before), 1);
    model.nodes.splice(model.nodes.indexOf(transpose), 1);
    model.replace(after, others(before.inputs[0]!, order));
  }
}

/** Every convolution of several groups that is no depthwise one, by groups. */
function splitConvs(model: Model, parts: (x: string, sizes: number[]) => { nodes: Node[]; names: string[] }): void {
  for (const conv of model.nodes.filter(({ attributes }) => attributes.get('group') === groups)) {
    const { shape, bytes } = model.known(conv.inputs[1]!)!;
    const own = [shape[0]! / groups, ...shape.slice(1)];
    const length = bytes.length / groups;
    const { nodes, names } = parts(conv.inputs[0]!, Array<number>(groups).fill(shape[1]!));
    const convs = names.map((name, group) => {
      const weight = { dtype: 'F32' as const, shape: own, bytes: bytes.subarray(group * length, (group + 1) * length) };
      const attributes = { ...Object.fromEntries(conv.attributes), group: 1 };
      return model.node('Conv', [name, model.tensor(weight)], attributes);
    });
    const outputs = convs.map(({ outputs: [name] }) => name!);
    model.replace(conv, [...nodes, ...convs, model.node('Concat', outputs, { axis: 1 })]);
  }
}

/** Every batch norm, by its factors and summands and what they are made of. */
function replaceNorms(
  model: Model,
  others: (x: string, norm: Record<'mean' | 'deviation' | 'gamma' | 'beta', number[]>) => Node[],
) {
  for (const norm of model.nodes.filter(({ type }) => type === 'BatchNormalization')) {
    const [gamma, beta, mean, variance] = norm.inputs.slice(1).map((name) => numbers(model.known(name)!));
    const epsilon = norm.attributes.get('epsilon') ?? 1e-5;
    const deviation = variance!.map((value) => Math.sqrt(value + (epsilon as number)));
    model.replace(norm, others(norm.inputs[0]!, { mean: mean!, deviation, gamma: gamma!, beta: beta! }));
  }
}

const byChannels = (values: readonly number[]) => [values.length, 1, 1];

describe('a shuffle', () => {
  it('may be a Gather of channels', () =>
    same(zoo, 13, (model) =>
      replaceShuffles(model, (x, order) => [model.node('Gather', [x, model.integers(order)], { axis: 1 })]),
    ));

  it('may be slices by steps, joined', () =>
    same(zoo, 10, (model) =>
      replaceShuffles(model, (x, order) => {
        const steps = order.length / groups;
        const slices = Array.from({ length: steps }, (_, start) =>
          model.node('Slice', [x, ...[[start], [1000], [1], [steps]].map((list) => model.integers(list))]),
        );
        return [
          ...slices,
          model.node(
            'Concat',
            slices.map(({ name }) => name),
            { axis: 1 },
          ),
        ];
      }),
    ));

  it('that is none is refused, naming the operator', async () => {
    const model = await Model.read(bytesOf(zoo));
    replaceShuffles(model, (x, order) => [model.node('Gather', [x, model.integers(order.toReversed())], { axis: 1 })]);
    await assert.rejects(loadWeights(model.write(13)), failure('ERR_WEIGHTS_TENSOR', 'Gather', 'order that shuffles'));
  });
});

describe('a convolution of groups', () => {
  const split = (model: Model) => (x: string, sizes: number[]) => {
    const names = sizes.map(() => model.name());
    return { nodes: [model.node('Split', [x], { axis: 1, split: sizes }, names)], names };
  };

  for (const set of [11, 13]) {
    it(`may be several of what a Split makes, in operator set ${set}`, () =>
      same(zoo, set, (model) => splitConvs(model, split(model))));
  }

  it('may be several of even parts', () =>
    same(zoo, 18, (model) =>
      splitConvs(model, (x, sizes) => {
        const names = sizes.map(() => model.name());
        return { nodes: [model.node('Split', [x], { axis: -3, num_outputs: sizes.length }, names)], names };
      }),
    ));

  it('may be several of what Slices make, in the oldest operator set too', () =>
    same(zoo, 7, (model) =>
      splitConvs(model, (x, sizes) => {
        const nodes = sizes.map((size, i) =>
          model.node('Slice', [x], { starts: [0, i * size], ends: [1, (i + 1) * size], axes: [0, 1] }),
        );
        return { nodes, names: nodes.map(({ name }) => name) };
      }),
    ));

  const changes: [string, (names: string[]) => string[]][] = [
    ['in another order', (names) => names.toReversed()],
    ['one of them twice', ([first, ...others]) => [first!, first!, ...others.slice(1)]],
  ];
  for (const [words, change] of changes) {
    it(`by parts ${words} is refused, naming the operator`, async () => {
      const model = await Model.read(bytesOf(zoo));
      splitConvs(model, (x, sizes) => {
        const { nodes, names } = split(model)(x, sizes);
        return { nodes, names: change(names) };
      });
      await assert.rejects(loadWeights(model.write(13)), failure('ERR_WEIGHTS_TENSOR', '(Concat)', 'not the groups'));
    });
  }

  it('of which a part is missing is refused, naming the operator', async () => {
    const model = await Model.read(bytesOf(zoo));
    splitConvs(model, split(model));
    for (const node of model.nodes) if (node.inputs.length === groups) node.inputs.pop();
    await assert.rejects(loadWeights(model.write(13)), failure('ERR_WEIGHTS_TENSOR', '(Concat)', 'not all 8 channels'));
  });
});

describe('a batch norm', () => {
  it('may be a product and a sum', () =>
    same(zoo, 13, (model) =>
      replaceNorms(model, (x, { mean, deviation, gamma, beta }) => {
        const factors = gamma.map((value, i) => value / deviation[i]!);
        const summands = beta.map((value, i) => value - mean[i]! * factors[i]!);
        const scaled = model.node('Mul', [x, model.floats(factors, byChannels(factors))]);
        return [scaled, model.node('Add', [model.floats(summands, [1, ...byChannels(summands)]), scaled.name])];
      }),
    ));

  it('may be all that it consists of', () =>
    same('megvii.onnx', 9, (model) =>
      replaceNorms(model, (x, { mean, deviation, gamma, beta }) => {
        const by = (values: number[]) => model.floats(values, byChannels(values));
        const centred = model.node('Sub', [x, by(mean)]);
        const scaled = model.node('Div', [centred.name, by(deviation)]);
        const factored = model.node('Mul', [by(gamma), scaled.name]);
        return [centred, scaled, factored, model.node('Add', [factored.name, by(beta)])];
      }),
    ));

  it('may be a product and a sum of halves', async () => {
    const model = await Model.read(bytesOf(zoo));
    const halves = (values: number[]) =>
      model.tensor({
        dtype: 'F16',
        shape: byChannels(values),
        bytes: encodeValues(Float32Array.from(values), 'F16', ''),
      });
    replaceNorms(model, (x, { mean, deviation, gamma, beta }) => {
      const factors = gamma.map((value, i) => value / deviation[i]!);
      const summands = beta.map((value, i) => value - mean[i]! * factors[i]!);
      const scaled = model.node('Mul', [x, halves(factors)]);
      return [scaled, model.node('Add', [scaled.name, halves(summands)])];
    });
    await using own = await ShuffleNet.load(model.write(13));
    const distance = difference((await own.run(image(zoo))).data, logitsOf(zoo));
    assert.ok(distance < 0.05 && distance > 5e-5, `${distance}`);
  });

  it('may have a Scale of its own behind it, as Caffe has', () =>
    same(zoo, 13, (model) => {
      for (const norm of model.nodes.filter(({ type }) => type === 'BatchNormalization')) {
        const [x, gamma, beta, ...statistics] = norm.inputs as [string, string, string, string, string];
        const [factors, summands] = [numbers(model.known(gamma)!), numbers(model.known(beta)!)];
        const ones = [model.floats(factors.map(() => 1)), model.floats(factors.map(() => 0))];
        const plain = model.node('BatchNormalization', [x, ...ones, ...statistics]);
        const scaled = model.node('Mul', [plain.name, model.floats(factors, byChannels(factors))]);
        const moved = model.node('Add', [scaled.name, model.floats(summands, byChannels(summands))]);
        model.replace(norm, [plain, scaled, moved]);
      }
    }));

  it('may be folded into its convolution where that is no joined one', () =>
    same(zoo, 13, (model) => {
      const split = (x: string, sizes: number[]) => {
        const names = sizes.map(() => model.name());
        return { nodes: [model.node('Split', [x], { axis: 1, split: sizes }, names)], names };
      };
      splitConvs(model, split);
      for (const norm of model.nodes.filter(({ type }) => type === 'BatchNormalization')) {
        const conv = model.maker(norm.inputs[0]!)!;
        if (conv.type !== 'Conv') continue;
        const [gamma, beta, mean, variance] = norm.inputs.slice(1).map((name) => numbers(model.known(name)!));
        const factors = gamma!.map((value, i) => value / Math.sqrt(variance![i]! + 1e-5));
        const weight = model.known(conv.inputs[1]!)!;
        const each = numbers(weight).length / factors.length;
        const scaled = numbers(weight).map((value, i) => value * factors[Math.floor(i / each)]!);
        const biases = conv.inputs[2] ? numbers(model.known(conv.inputs[2])!) : mean!.map(() => 0);
        const bias = biases.map((value, i) => (value - mean![i]!) * factors[i]! + beta![i]!);
        conv.inputs = [conv.inputs[0]!, model.floats(scaled, weight.shape), model.floats(bias)];
        model.replace(norm, [model.node('Identity', [conv.outputs[0]!])]);
      }
    }));

  it('of one image at a time, as while training, is refused', async () => {
    const model = await Model.read(bytesOf(zoo));
    for (const node of model.nodes) if (node.type === 'BatchNormalization') node.attributes.set('training_mode', 1);
    await assert.rejects(
      loadWeights(model.write(15)),
      failure('ERR_WEIGHTS_TENSOR', 'BatchNormalization', 'training_mode'),
    );
  });
});

describe('an image that the graph itself normalises', () => {
  const mean = [123.68, 116.78, 103.94] as const;
  const std = [58.4, 57.1, 57.4] as const;

  /** The zoo's network with these operators before it. */
  async function normalising(before: (model: Model, x: string) => Node[]): Promise<Model> {
    const model = await Model.read(bytesOf(zoo));
    const conv = model.nodes.find(({ type }) => type === 'Conv')!;
    const nodes = before(model, conv.inputs[0]!);
    conv.inputs[0] = nodes.at(-1)!.name;
    model.nodes.unshift(...nodes);
    return model;
  }

  for (const [range, scale] of [
    [255, 1],
    [1, 1 / 255],
  ] as const) {
    it(`from 0 to ${range}: that is its preprocessing, and run() takes images after it`, async () => {
      const of = (values: readonly number[]) => values.map((value) => (value * range) / 255);
      const model = await normalising((own, x) => {
        const centred = own.node('Sub', [x, own.floats(of(mean), [3, 1, 1])]);
        return [centred, own.node('Div', [centred.name, own.floats(of(std), [1, 3, 1, 1])])];
      });
      const { data, shape } = image(zoo);
      const plane = data.length / 3;
      const raw = data.map((value, i) => {
        const channel = Math.floor(i / plane);
        return ((value * std[channel]! + mean[channel]!) * range) / 255;
      });
      const peer = await Peer.load(model.write(13));
      const { data: theirs } = await peer.run({ data: raw, shape }, model.logits);
      await peer.close();
      await using own = await ShuffleNet.load(model.write(13));
      const { data: ours } = await own.run(image(zoo));
      for (const logits of [theirs, ours]) assert.ok(difference(logits, logitsOf(zoo)) <= 5e-5);
      assert.equal(own.preprocess.scale, scale);
      for (const [found, expected] of [
        [own.preprocess.mean, of(mean)],
        [own.preprocess.std, of(std)],
      ] as const) {
        assert.ok(difference(Float32Array.from(found), Float32Array.from(expected)) < 1e-3 * Math.max(...expected));
      }
    });
  }

  it('to what no preprocessing can be is refused, naming the operator', async () => {
    for (const factor of [0, -1, NaN, 1e-50]) {
      const model = await normalising((own, x) => [own.node('Mul', [x, own.floats([factor], [])])]);
      await assert.rejects(loadWeights(model.write(13)), failure('ERR_WEIGHTS_TENSOR', '(Mul)', 'not positive'));
    }
  });
});

describe('what changes nothing of the logits', () => {
  it('may be between: dropout, identities, casts, splits and joins of one', () =>
    same(zoo, 13, (model) => {
      const gemm = model.nodes.find(({ type }) => type === 'Gemm')!;
      const x = gemm.inputs[0]!;
      const dropped = model.node('Dropout', [x], { ratio: 0.5 });
      const cast = model.node('Cast', [dropped.name], { to: 1 });
      const again = model.node('Identity', [cast.name]);
      model.nodes.splice(model.nodes.indexOf(gemm), 0, dropped, cast, again);
      gemm.inputs[0] = again.name;
      const pool = model.nodes.find(({ type }) => type === 'MaxPool')!;
      const split = model.node('Split', [pool.inputs[0]!], { axis: 1, split: [8] });
      const joined = model.node('Concat', [split.name], { axis: 1 });
      model.nodes.splice(model.nodes.indexOf(pool), 0, split, joined);
      pool.inputs[0] = joined.name;
    }));
});
