import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import {
  convertWeights,
  exportOnnx,
  ShuffleNet,
  ShuffleNetError,
  type NetworkOptions,
  type Variant,
} from '../../../lib';
import { buildGraph } from '../../../lib/network/graph';
import type { Padding } from '../../../lib/network/layers';
import { networkOptions, resolveNetwork } from '../../../lib/network/table';
import { encodeModel } from '../../../lib/onnx/encode';
import { foldBatchNorm } from '../../../lib/onnx/fold';
import { onnxGraph, type OnnxNode } from '../../../lib/onnx/model';
import { loadWeights } from '../../../lib/weights/load';
import { difference, digest, noise } from '../../model/files';
import { randomWeights } from '../../onnx/runtime';
import { failure } from '../files';
import { bytesOf, checkpoints, folder, image, logitsOf } from './fixtures';

async function logits(weights: string | Uint8Array, file: string, network: NetworkOptions = {}): Promise<Float32Array> {
  await using model = await ShuffleNet.load(weights, { network });
  return (await model.run(image(file))).data;
}

describe('files that carry their graph', () => {
  for (const { file, variant, channelOrder } of checkpoints) {
    const of = path.join(folder, file);

    it(`${file}: the network is told by the graph alone`, async () => {
      const loaded = await loadWeights(of);
      const { network } = loaded;
      assert.deepEqual(network, resolveNetwork({ ...networkOptions(network), variant }));
      assert.equal(loaded.preprocess.channelOrder, channelOrder);
      assert.equal(loaded.format, path.extname(file) === '.onnx' ? 'onnx' : 'caffe');
    });

    it(`${file}: gives the logits of its own framework`, async () => {
      const expected = logitsOf(file);
      const most = difference(await logits(of, file), expected);
      assert.ok(most <= 5e-5, `differs by ${most}`);
      // Logits that are all the same would prove nothing.
      assert.ok(difference(expected, expected.toReversed()) > 0.1);
    });

    it(`${file}: converted, gives the same bits`, async () => {
      const converted = await convertWeights(of);
      assert.equal(digest(await logits(converted, file)), digest(await logits(of, file)));
      assert.deepEqual((await loadWeights(converted)).network, (await loadWeights(of)).network);
    });

    it(`${file}: every convention that differs from the paper's makes a difference`, async () => {
      const right = logitsOf(file);
      for (const [field, value] of Object.entries(changes(variant))) {
        const wrong = await logits(of, file, { variant: { [field]: value } }).catch((error: unknown) => error);
        // Some do not even fit the image.
        if (wrong instanceof ShuffleNetError) assert.equal(wrong.code, 'ERR_INPUT');
        else assert.ok(difference(right, wrong as Float32Array) > 1e-3, `${field} makes no difference`);
      }
    });
  }
});

describe('an ONNX model with its tensors in another file', () => {
  const file = path.join(folder, 'external/chenhang98.onnx');

  it('gives the same bits as in one, where that is allowed', async () => {
    const [one, two] = [path.join(folder, 'chenhang98.onnx'), await convertWeights(file, { externalData: true })];
    assert.equal(digest(await logits(two, 'chenhang98.onnx')), digest(await logits(one, 'chenhang98.onnx')));
  });

  it('is refused otherwise, and as bytes alone', async () => {
    await assert.rejects(
      loadWeights(file),
      failure('ERR_WEIGHTS_FORMAT', file, 'chenhang98.onnx.data', 'externalData'),
    );
    const bytes = bytesOf('external/chenhang98.onnx');
    const options = { externalData: true };
    await assert.rejects(loadWeights(bytes, options), failure('ERR_WEIGHTS_FORMAT', '<bytes>', 'pass its path'));
    await assert.rejects(
      convertWeights(file, { externalData: 'yes' as unknown as boolean }),
      failure('ERR_OPTION', 'externalData', 'true or false'),
    );
  });
});

/** The paper's values of fields that say nothing of which tensors there are, and do not change their shapes. */
function changes(variant: Partial<Variant>): Partial<Variant> {
  const tensors = ['batchNorm', 'stemBias', 'convBias', 'fcBias', 'bottleneck', 'firstUnitGconv1'];
  const { variant: paper } = resolveNetwork();
  const fields = (Object.keys(variant) as (keyof Variant)[]).filter((field) => !tensors.includes(field));
  const others = Object.fromEntries(fields.map((field) => [field, paper[field]]));
  // What is pooled is not negative, so a ReLU on the branch alone does the same.
  return { ...others, ...(variant.concatRelu && { concatRelu: 'none' }) };
}

describe('a network whose depthwise convolutions are padded to fit one size of image', () => {
  const file = 'farmingyard-50.caffemodel';

  it('names the layer and the planes that cannot be joined at another size, or with another padding', async () => {
    await using model = await ShuffleNet.load(path.join(folder, file));
    await assert.rejects(
      model.run(noise(1, 3, 64, 64)),
      failure('ERR_INPUT', 'image of 64x64 (height x width): stage4.0.concat cannot join planes of 2x2 and 1x1'),
    );
    await assert.rejects(
      logits(path.join(folder, file), file, { variant: { depthwisePadding: { begin: 1, end: 1 } } }),
      failure('ERR_INPUT', 'image of 50x50 (height x width): stage4.0.concat cannot join planes of 1x1 and 2x2'),
    );
  });

  it('gives other logits where those of one stage are padded otherwise', async () => {
    const one = { begin: 1, end: 1 };
    const none = { begin: 0, end: 0 };
    for (const depthwisePadding of [
      ['same', one, none],
      [one, 'same', none],
      [one, one, { begin: 1, end: 0 }],
    ] satisfies [Padding, Padding, Padding][]) {
      const changed = await logits(path.join(folder, file), file, { variant: { depthwisePadding } });
      assert.ok(difference(changed, logitsOf(file)) > 1e-3, JSON.stringify(depthwisePadding));
    }
  });

  it('is refused with the names of its layers where its own size of image does not fit', async () => {
    const bytes = Buffer.from(bytesOf(file));
    // crop_size, and the key of the mean values behind it
    const at = bytes.indexOf(Buffer.from([3 << 3, 50, (5 << 3) | 5]));
    bytes[at + 1] = 64;
    await assert.rejects(
      loadWeights(bytes),
      failure('ERR_WEIGHTS_TENSOR', '"resx13_concat"', 'cannot join 40 planes of 2x2 and 16 planes of 1x1'),
    );
  });
});

describe("this package's own exports", () => {
  it('are what their metadata say, bit by bit', async () => {
    const original = await loadWeights();
    const { network, tensors } = foldBatchNorm(original);
    const loaded = await loadWeights(await exportOnnx());
    assert.deepEqual(loaded.network, network);
    assert.deepEqual(loaded.labels, original.labels);
    assert.deepEqual(loaded.preprocess, original.preprocess);
    assert.deepEqual([...tensors.keys()].sort(), Object.keys(loaded.tensors).sort());
    for (const [name, values] of tensors) {
      assert.ok(Buffer.from(values.buffer).equals(loaded.tensors[name]!.bytes), name);
    }
  });

  const small = { scale: 0.25, classes: 7 } as const;
  const networks: [string, NetworkOptions][] = [
    ['the paper, one group', { ...small, groups: 1 }],
    ['eight groups', { ...small, groups: 8, stemChannels: 16 }],
    ['no shuffle', { ...small, shuffle: false }],
    ['half the units', { ...small, shallow: true }],
    ['squeeze and excitation', { ...small, squeezeExcitation: true }],
    ['squeeze and excitation in half the units', { ...small, shallow: true, squeezeExcitation: { reduction: 4 } }],
    ['another bottleneck', { ...small, groups: 2, bottleneckRatio: 1 / 2 }],
    ...Object.entries({
      shuffleOrder: 'inverse',
      shufflePlace: 'afterDepthwise',
      shuffleFirstUnit: false,
      firstUnitGconv1: 'groups',
      firstUnitGconv2: 'one',
      concatOrder: 'branchShortcut',
      concatRelu: 'branch',
      bottleneck: 'none',
      stemStride: 1,
      stemPadding: 'same',
      stemBatchNorm: false,
      stemRelu: false,
      maxPool: false,
      maxPoolPadding: 'same',
      stage2Stride: 1,
      avgPoolKernel: 2,
      avgPoolPadding: 'same',
      avgPoolCountPadding: false,
      depthwisePadding: 'same',
      globalPool: 'max',
      fcBias: false,
    } satisfies Partial<Variant>).map(([field, value]): [string, NetworkOptions] => [
      `${field} ${value}`,
      { ...small, stemChannels: 12, variant: { [field]: value } },
    ]),
    ['average pools that reflect', { ...small, variant: { avgPoolPadding: { begin: 1, end: 1, reflect: true } } }],
    ['no ReLU where branches join', { ...small, variant: { concatRelu: 'none' } }],
    [
      'padding by stage, the first of them not strided',
      { ...small, variant: { stage2Stride: 1, depthwisePadding: ['same', 'same', { begin: 1, end: 1 }] } },
    ],
    ['padding by stage', { ...small, variant: { depthwisePadding: ['same', { begin: 1, end: 1 }, 'same'] } }],
    ['pools that round up', { ...small, variant: { maxPoolPadding: ceil(0), avgPoolPadding: ceil(0) } }],
    ['padded pools that round up', { ...small, variant: { maxPoolPadding: ceil(1), avgPoolPadding: ceil(1) } }],
  ];
  for (const [name, options] of networks) {
    it(`without metadata, are told by their graph: ${name}`, async () => {
      const { network, tensors } = foldBatchNorm(await loadWeights(randomWeights(options, 1)));
      const input = noise(1, 3, 64, 64);
      await using right = await ShuffleNet.load(
        encodeModel({
          graph: onnxGraph(buildGraph(network), tensors),
          version: '1',
          metadata: { 'shufflenet.config': JSON.stringify(networkOptions(network)) },
        }),
      );
      const expected = digest((await right.run(input)).data);
      for (const size of [undefined, { height: 64, width: 64 }]) {
        const graph = onnxGraph(buildGraph(network), tensors, size);
        await using model = await ShuffleNet.load(encodeModel({ graph, version: '1', metadata: {} }));
        assert.equal(digest((await model.run(input)).data), expected);
        assert.equal(model.network.groups, network.groups);
      }
    });
  }
});

describe('pools that reflect', () => {
  const avgPoolPadding = { begin: 1, end: 1, reflect: true };
  /** A file of them, its nodes as `change` makes them. The cells of all paddings are those of the first pool. */
  async function reflecting(change: (node: OnnxNode) => OnnxNode[]): Promise<Uint8Array> {
    const options = { scale: 0.25, classes: 7, variant: { avgPoolPadding } };
    const { network, tensors } = foldBatchNorm(await loadWeights(randomWeights(options, 1)));
    const graph = onnxGraph(buildGraph(network), tensors);
    return encodeModel({ graph: { ...graph, nodes: graph.nodes.flatMap(change) }, version: '1', metadata: {} });
  }
  const padded = (node: OnnxNode, attributes: OnnxNode['attributes']): OnnxNode[] => {
    const [input, ...constants] = node.inputs;
    const output = `${node.name}.mirrored`;
    const pads = 'stage2.0.avgpool.pads';
    return [
      { op: 'Pad', name: output, inputs: [input!, pads], output, attributes: { mode: 'reflect' } },
      { ...node, inputs: [output, ...constants], attributes: { ...node.attributes, ...attributes } },
    ];
  };

  it("are told as Keras' imgclsmob has them: maxima too, and every second average of stride 1", async () => {
    const logits = async (file: Uint8Array) => {
      await using model = await ShuffleNet.load(file);
      assert.deepEqual(model.network.variant.avgPoolPadding, avgPoolPadding);
      return digest((await model.run(noise(1, 3, 65, 64))).data);
    };
    const keras = await reflecting((node) => {
      if (node.op === 'MaxPool') return padded(node, { pads: [0, 0, 0, 0] });
      if (node.op !== 'AveragePool') return [node];
      const output = `${node.name}.all`;
      return [
        { ...node, output, attributes: { ...node.attributes, strides: [1, 1] } },
        { ...node, name: output, inputs: [output], attributes: { kernel_shape: [1, 1], strides: [2, 2] } },
      ];
    });
    assert.equal(await logits(keras), await logits(await reflecting((node) => [node])));
  });

  const changed = (node: OnnxNode, attributes: OnnxNode['attributes']): OnnxNode[] => [
    { ...node, attributes: { ...node.attributes, ...attributes } },
  ];
  const refused: [string, string, (node: OnnxNode) => OnnxNode[], string][] = [
    ['before a convolution', 'conv1', (node) => padded(node, { pads: [0, 0, 0, 0] }), 'stemPadding'],
    ['by half a window', 'maxpool', (node) => padded(node, { kernel_shape: [2, 2], pads: [0, 0, 0, 0] }), 'reflect'],
    ['twice', 'stage3.0.avgpool', (node) => padded(node, {}), 'no padding before it'],
    ['with zeros around', 'stage3.0.avgpool', (node) => changed(node, { pads: [1, 1, 1, 1] }), 'mirrored'],
    ['rounding up', 'stage3.0.avgpool', (node) => changed(node, { ceil_mode: 1 }), 'mirrored'],
  ];
  for (const [name, at, change, words] of refused) {
    it(`are refused ${name}`, async () => {
      const file = await reflecting((node) => (node.name === at ? change(node) : [node]));
      await assert.rejects(loadWeights(file), failure('ERR_WEIGHTS_TENSOR', words));
    });
  }
});

function ceil(padding: number) {
  return { begin: padding, end: padding, ceil: true };
}

it('the memory of a file is not copied, where weights lie as they are needed', async () => {
  const { tensors } = await loadWeights(bytesOf('pytorchcv.onnx'));
  const memory = new Set(Object.values(tensors).map(({ bytes }) => bytes.buffer));
  assert.equal(memory.size, 1);
});
