import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'node:test';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { exportOnnx, ShuffleNet, type ExportOnnxOptions, type NetworkOptions } from '../../lib';
import { difference, noise, root, runScript } from '../model/files';
import { failure, float32, smallOptions, smallTensors, writeSafetensors, type Source } from '../weights/files';
import { randomWeights } from './runtime';

const weightsFile = path.join(root, 'weights/shufflenet-1x-g3-tiny-imagenet.safetensors');

/** A message's fields by number, without knowing what they mean. */
class Message {
  private readonly fields = new Map<number, (number | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      assert.ok(type === WireType.Varint || type === WireType.LengthDelimited);
      const value = type === WireType.Varint ? Number(reader.int64()) : reader.bytes();
      this.fields.set(field, [...(this.fields.get(field) ?? []), value]);
    }
  }

  integers(field: number): number[] {
    return (this.fields.get(field) ?? []).map(Number);
  }
  bytes(field: number): Uint8Array[] {
    return (this.fields.get(field) ?? []) as Uint8Array[];
  }
  texts(field: number): string[] {
    return this.bytes(field).map((bytes) => new TextDecoder().decode(bytes));
  }
  messages(field: number): Message[] {
    return this.bytes(field).map((bytes) => new Message(bytes));
  }
}

function open(model: Uint8Array) {
  const file = new Message(model);
  const [graph] = file.messages(7);
  return {
    file,
    operators: new Set(graph!.messages(1).flatMap((node) => node.texts(4))),
    tensors: graph!.messages(5).map((tensor) => ({
      name: tensor.texts(8)[0]!,
      shape: tensor.integers(1),
      dtype: { 1: 'F32', 7: 'I64' }[tensor.integers(2)[0]!]!,
      bytes: tensor.bytes(9)[0]!,
    })),
    metadata: Object.fromEntries(file.messages(14).map((entry) => [entry.texts(1)[0]!, entry.texts(2)[0]!])),
  };
}

describe('an exported file', () => {
  it('is ONNX of opset 13 from this package, of operators that have been there for years', async () => {
    const { file, operators } = open(await exportOnnx(randomWeights({ groups: 4, squeezeExcitation: true }, 1)));
    assert.deepEqual(file.integers(1), [7]);
    assert.deepEqual(file.texts(2), ['shufflenet-native']);
    assert.match(file.texts(3)[0]!, /^\d+\.\d+\.\d+/);
    assert.deepEqual(
      file.messages(8).map((opset) => opset.integers(2)),
      [[13]],
    );
    const expected =
      'Add AveragePool Concat Conv Flatten Gemm GlobalAveragePool MaxPool Mul Relu Reshape Shape Sigmoid Transpose Unsqueeze';
    assert.deepEqual([...operators].sort(), expected.split(' '));
  });

  it('needs no shapes of its input where the size is fixed', async () => {
    const { operators } = open(await exportOnnx(undefined, { size: { height: 64, width: 96 } }));
    assert.ok(operators.has('Transpose') && !operators.has('Shape'));
  });

  const described: [string, NetworkOptions][] = [
    ['batch norm', {}],
    ['batch norm and biases', { variant: { stemBias: true, convBias: true } }],
    ['no batch norm after the stem', { variant: { stemBatchNorm: false } }],
    ['no batch norm', { variant: { batchNorm: false } }],
    ['squeeze-and-excitation', { squeezeExcitation: { reduction: 4 } }],
  ];
  for (const [name, options] of described) {
    it(`describes itself: its tensors and metadata are weights that give the same logits (${name})`, async () => {
      const config: NetworkOptions = { groups: 2, scale: 0.25, classes: 5, ...options };
      const labels = ['cat', 'dog', 'dügu', '猫', ''];
      const weights = randomWeights(config, 3);
      const { tensors, metadata } = open(await exportOnnx(weights, { labels }));
      const floats = tensors.filter(({ dtype }) => dtype === 'F32');
      const again = writeSafetensors(
        floats.map(({ name, ...source }): [string, Source] => [name, source]),
        metadata,
      );
      const images = noise(2, 3, 40, 56);
      const [first, second] = await Promise.all([ShuffleNet.load(weights, { labels }), ShuffleNet.load(again)]);
      assert.deepEqual(second.labels, labels);
      assert.deepEqual(second.preprocess, first.preprocess);
      const [wanted, actual] = [await first.run(images), await second.run(images)];
      const largest = Math.max(...wanted.data.map(Math.abs));
      assert.ok(difference(actual.data, wanted.data) <= 1e-5 * largest);
    });
  }

  it('keeps what the weights file says of itself', async () => {
    const { metadata } = open(await exportOnnx());
    const { labels, preprocess } = await ShuffleNet.load();
    assert.deepEqual(JSON.parse(metadata['shufflenet.labels']!), labels);
    assert.deepEqual(JSON.parse(metadata['shufflenet.preprocess']!), preprocess);
    assert.equal((JSON.parse(metadata['shufflenet.synsets']!) as string[]).length, 200);
    assert.equal(metadata['shufflenet.version'], '1');
    assert.match(metadata['license']!, /^MIT/);
    assert.match(metadata['shufflenet.source']!, /Tiny ImageNet/);
    assert.ok(
      !Object.hasOwn(
        open(await exportOnnx(randomWeights({ scale: 0.25, classes: 7 }, 1))).metadata,
        'shufflenet.labels',
      ),
    );
  });

  it('is the same for a path, a URL, bytes and the default', async () => {
    const model = await exportOnnx();
    for (const source of [weightsFile, pathToFileURL(weightsFile), readFileSync(weightsFile)]) {
      assert.ok(Buffer.from(await exportOnnx(source)).equals(model));
    }
  });
});

describe('exportOnnx()', () => {
  it('refuses options that it does not have, and sizes out of range', async () => {
    const cases: [ExportOnnxOptions, string][] = [
      [{ sizes: 1 } as ExportOnnxOptions, 'sizes: no such option'],
      [{ size: { height: 31, width: 64 } }, 'size.height: expected an integer from 32 to 4096, got 31'],
      [{ size: { height: 64 } as { height: number; width: number } }, 'size.width: expected an integer'],
      [{ size: 64 as unknown as { height: number; width: number } }, 'size: expected an object, got 64'],
      [{ network: { groups: 5 as 4 } }, 'groups: expected'],
    ];
    for (const [options, message] of cases) {
      await assert.rejects(exportOnnx(undefined, options), failure('ERR_OPTION', message));
    }
  });

  it('refuses a size that the paddings do not suit, naming the layer', async () => {
    const none = { begin: 0, end: 0, ceil: true };
    const network: NetworkOptions = { scale: 0.25, variant: { maxPoolPadding: none, avgPoolPadding: none } };
    const weights = randomWeights(network, 1);
    await exportOnnx(weights, { size: { height: 224, width: 64 } });
    const message = 'image of 72x72 (height x width): stage3.0.concat cannot join planes of';
    await assert.rejects(exportOnnx(weights, { size: { height: 72, width: 72 } }), failure('ERR_INPUT', message));
  });

  it('refuses missing files and values that no network can have', async () => {
    await assert.rejects(exportOnnx('missing.safetensors'), failure('ERR_FILE', 'missing.safetensors: does not exist'));
    const cases: [string, number, string][] = [
      ['conv1.weight', NaN, "<bytes>: tensor 'conv1.weight' holds NaN at index 0; weights must be finite"],
      ['fc.bias', -Infinity, "tensor 'fc.bias' holds -Infinity at index 0"],
      ['conv1.bn.running_var', 0, "tensor 'conv1.bn.running_var' holds 0 at index 0; variances must be positive"],
      ['conv1.bn.running_var', -1, "tensor 'conv1.bn.running_var' holds -1 at index 0"],
    ];
    for (const [name, value, message] of cases) {
      const tensors = smallTensors();
      tensors.get(name)!.bytes.set(float32([value]));
      const weights = writeSafetensors(tensors);
      await assert.rejects(exportOnnx(weights, { network: smallOptions }), failure('ERR_WEIGHTS_VALUE', message));
    }
  });

  it('loads the protobuf library only when it is called', () => {
    const { stdout, stderr } = runScript(`
      const { exportOnnx } = require(${JSON.stringify(path.join(root, 'dist/lib/index.js'))});
      const loaded = () => Object.keys(require.cache).some((file) => file.includes('@bufbuild'));
      const before = loaded();
      await exportOnnx();
      console.log(before, loaded());`);
    assert.deepEqual([stdout, stderr], ['false true\n', '']);
  });
});
