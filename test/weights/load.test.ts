import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { ShuffleNetError } from '../../lib/errors';
import { loadWeights, type Weights, type WeightsOptions } from '../../lib/weights/load';
import { defaultPreprocess } from '../../lib/weights/metadata';
import { failure, smallOptions, smallTensors, valuesOf, writeSafetensors } from './files';
import { encode, type Message } from './graphs/fixtures';

const preprocess = {
  resize: { shorterSide: 40, kernel: 'cubic' },
  crop: { width: 32, height: 40 },
  channelOrder: 'BGR',
  scale: 0.017,
  mean: [1.76698, 1.98526, 2.10494],
  std: [1, 1, 2],
} as const;

const metadata = {
  'shufflenet.version': '1',
  'shufflenet.config': JSON.stringify(smallOptions),
  'shufflenet.preprocess': JSON.stringify(preprocess),
  'shufflenet.labels': '["cat","dog","b\\u00e4r"]',
  'shufflenet.synsets': '["n1","n2","n3"]',
  'shufflenet.source': 'a test',
  'shufflenet.accuracy': 'none',
  license: 'MIT',
  format: 'pt',
};

/** The small file with some metadata changed; undefined removes the key. */
function smallFile(changes: Record<string, string | undefined> = {}): Buffer {
  const kept = Object.entries({ ...metadata, ...changes }).filter((entry): entry is [string, string] => !!entry[1]);
  return writeSafetensors(smallTensors(), Object.fromEntries(kept));
}
const bare = writeSafetensors(smallTensors());

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shufflenet-'));
});
after(() => rm(folder, { recursive: true }));

test("the package's own weights, against values read with numpy", async () => {
  const { file, network, preprocess, labels, synsets, tensors, source, license, accuracy } = await loadWeights();
  assert.equal(path.basename(file), 'shufflenet-1x-g3-tiny-imagenet.safetensors');
  assert.deepEqual([network.groups, network.scale, network.classes, network.stemChannels], [3, 1, 200, 24]);
  assert.deepEqual(preprocess, {
    resize: { shorterSide: 64, kernel: 'lanczos3' },
    crop: { width: 64, height: 64 },
    channelOrder: 'RGB',
    scale: 1 / 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  });
  assert.deepEqual([labels![0], labels![199], labels!.length], ['goldfish, Carassius auratus', 'acorn', 200]);
  assert.deepEqual([synsets![0], synsets![199], synsets!.length], ['n01443537', 'n12267677', 200]);
  assert.ok(source!.includes('Tiny ImageNet') && license!.startsWith('MIT') && accuracy!.includes('44.85'));

  // Name, length, first, middle and last value, sum.
  const expected: [string, number, number, number, number, number][] = [
    ['conv1.weight', 648, 0.415283203125, 0.0261077880859375, -1.03515625, -6.401670455932617],
    ['conv1.bn.running_var', 24, 21.003217697143555, 32.63298034667969, 10.182853698730469, 402.8827682733536],
    ['stage2.0.gconv1.weight', 1440, -0.0499267578125, 0.161865234375, 0.010589599609375, -63.814231514930725],
    ['stage3.5.dwconv.weight', 1080, -0.06884765625, 0.029083251953125, 0.2164306640625, -1.7983107566833496],
    ['stage4.3.gconv2.weight', 76800, 0.213134765625, -0.0443115234375, 0.015899658203125, -86.9531757235527],
    [
      'stage4.3.gconv2.bn.running_mean',
      960,
      0.00020891147141810507,
      -3.6723602534038946e-5,
      2.250257421110291e-5,
      -0.14036356968936836,
    ],
    ['fc.weight', 192000, 0.06378173828125, 0.401611328125, 0.002246856689453125, -8.145532369613647],
    ['fc.bias', 200, -0.06832968443632126, 0.19941066205501556, 0.0764843076467514, -0.4023836607520934],
  ];
  for (const [name, length, first, middle, last, sum] of expected) {
    const values = valuesOf(tensors[name]!);
    assert.equal(values.length, length, name);
    assert.deepEqual([values[0], values[length >> 1], values[length - 1]], [first, middle, last], name);
    assert.ok(Math.abs(values.reduce((total, value) => total + value, 0) - sum) < 1e-9, name);
  }
  // An F16 denormal.
  assert.equal(valuesOf(tensors['stage2.0.gconv2.weight']!)[170], 5.805492401123047e-5);
  const all = Object.values(tensors).map(valuesOf);
  assert.deepEqual([all.length, all.reduce((total, values) => total + values.length, 0)], [247, 1121408]);
});

/** Whether a file's bytes are a Buffer makes no difference. */
const plain = ({ tensors, ...rest }: Weights) => ({
  ...rest,
  tensors: Object.entries(tensors).map(([name, tensor]) => [name, tensor.dtype, Buffer.from(tensor.bytes)]),
});

test('a path, a file: URL, bytes and shared bytes give the same', async () => {
  const file = path.join(folder, 'small file.safetensors');
  const bytes = smallFile();
  await writeFile(file, bytes);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const expected = await loadWeights(file);
  assert.equal(expected.file, file);
  assert.equal((await loadWeights(pathToFileURL(file))).file, file);
  for (const source of [pathToFileURL(file), bytes, new Uint8Array(bytes), shared]) {
    const weights = await loadWeights(source);
    assert.deepEqual(plain({ ...weights, file }), plain(expected));
  }
  assert.equal((await loadWeights(bytes)).file, '<bytes>');
});

test('passes over the counters of training, in wrappers or not', async () => {
  const counter = { dtype: 'I64', shape: [], bytes: new Uint8Array(8) };
  const counted = new Map([...smallTensors(), ['conv1.bn.num_batches_tracked', counter] as const]);
  const { tensors } = await loadWeights(writeSafetensors(counted, metadata));
  assert.deepEqual(Object.keys(tensors), [...smallTensors().keys()]);
  const wrapped = [...counted].map(([name, tensor]) => [`state_dict.module.${name}`, tensor] as const);
  const unwrapped = await loadWeights(writeSafetensors(new Map(wrapped)));
  assert.deepEqual(Object.keys(unwrapped.tensors), Object.keys(tensors));
  assert.equal(unwrapped.renamed.get('fc.bias'), 'state_dict.module.fc.bias');
  const spare = new Map([...smallTensors(), ['xnum_batches_tracked', counter] as const]);
  await assert.rejects(
    loadWeights(writeSafetensors(spare, metadata)),
    failure('ERR_WEIGHTS_TENSOR', '"xnum_batches_tracked" [] is not part of the network'),
  );
});

test('reads all metadata, and copies what it gives', async () => {
  const bytes = smallFile();
  const pending = loadWeights(bytes);
  bytes.fill(0);
  const given = await pending;
  assert.deepEqual(plain(given), plain(await loadWeights(smallFile())));
  const { network, tensors, file, ...rest } = given;
  assert.deepEqual(rest, {
    format: 'safetensors',
    family: 'canonical',
    renamed: new Map(),
    preprocess,
    labels: ['cat', 'dog', 'bär'],
    synsets: ['n1', 'n2', 'n3'],
    source: 'a test',
    license: 'MIT',
    accuracy: 'none',
    checksum: undefined,
  });
  assert.deepEqual([network.groups, network.classes, network.shallow], [1, 3, true]);
  assert.deepEqual(valuesOf(tensors['fc.bias']!), Float32Array.of(0.125, 0.25, 0.375));
  assert.deepEqual(Object.keys(tensors), [...smallTensors().keys()]);
});

test('a file without metadata is told by its names and shapes, as far as these go', async () => {
  const weights = await loadWeights(bare);
  const expected = await loadWeights(smallFile());
  // Widths so small are those of several scales.
  assert.deepEqual({ ...weights.network, scale: 1 / 64 }, expected.network);
  assert.deepEqual([weights.format, weights.family], ['safetensors', 'canonical']);
  assert.deepEqual(weights.preprocess, defaultPreprocess);
  assert.notEqual(weights.preprocess.mean, defaultPreprocess.mean);
  assert.deepEqual([weights.labels, weights.synsets, weights.license], [undefined, undefined, undefined]);
  const changed = await loadWeights(bare, { network: { variant: { concatRelu: 'branch' } } });
  assert.deepEqual([changed.network.variant.concatRelu, changed.network.classes], ['branch', 3]);
  await assert.rejects(
    loadWeights(bare, { network: { classes: 4 } }),
    failure('ERR_WEIGHTS_TENSOR', '"fc.weight" has shape [3, 9], expected [4, 9]'),
  );
});

test("the caller's options win, field by field; undefined leaves the file's", async () => {
  const config = { ...smallOptions, variant: { globalPool: 'max', concatOrder: 'branchShortcut' } };
  const options = {
    network: { shuffle: false, groups: undefined, variant: { globalPool: 'avg' } },
    preprocess: { channelOrder: 'RGB', crop: { width: 8, height: 9 }, std: undefined },
    labels: ['x', 'y', 'z'],
  } as unknown as WeightsOptions;
  const weights = await loadWeights(smallFile({ 'shufflenet.config': JSON.stringify(config) }), options);
  assert.deepEqual([weights.network.shuffle, weights.network.groups, weights.network.shallow], [false, 1, true]);
  const { globalPool, concatOrder } = weights.network.variant;
  assert.deepEqual([globalPool, concatOrder], ['avg', 'branchShortcut']);
  assert.deepEqual(weights.preprocess, { ...preprocess, channelOrder: 'RGB', crop: { width: 8, height: 9 } });
  assert.deepEqual(weights.labels, ['x', 'y', 'z']);
});

const withPreprocess = (fields: object) => ({
  'shufflenet.preprocess': JSON.stringify({ ...preprocess, ...fields }),
});
const withResize = (fields: object) => withPreprocess({ resize: { ...preprocess.resize, ...fields } });
const malformed: [string, Record<string, string>, ...string[]][] = [
  ['a later version', { 'shufflenet.version': '2' }, 'version 1', '"2"'],
  ['config not JSON', { 'shufflenet.config': '{groups: 3}' }, 'JSON'],
  ['config with a key twice', { 'shufflenet.config': '{"groups":1,"groups":3}' }, '"groups" occurs twice'],
  ['config not an object', { 'shufflenet.config': '[3]' }, 'object', 'an array of 1'],
  ['config of wrong type', { 'shufflenet.config': '{"groups":"3"}' }, 'groups'],
  ['config of unknown field', { 'shufflenet.config': '{"group":3}' }, 'group'],
  ['config of unknown variant', { 'shufflenet.config': '{"variant":{"globalPool":"min"}}' }, 'globalPool'],
  ['config that cannot be built', { 'shufflenet.config': '{"groups":8,"stemChannels":9999}' }, 'stemChannels'],
  ['preprocess not JSON', { 'shufflenet.preprocess': '{' }, 'JSON'],
  ['preprocess not an object', { 'shufflenet.preprocess': 'null' }, 'object', 'null'],
  ['preprocess without resize', withPreprocess({ resize: undefined }), 'resize is missing'],
  ['preprocess without kernel', withResize({ kernel: undefined }), 'resize.kernel is missing'],
  ['unknown kernel', withResize({ kernel: 'box' }), 'resize.kernel', 'lanczos3', '"box"'],
  ['shorter side 0', withResize({ shorterSide: 0 }), 'resize.shorterSide', '1 to 8192', 'is 0'],
  ['shorter side too large', withResize({ shorterSide: 8193 }), 'resize.shorterSide', '1 to 8192', 'is 8193'],
  ['crop beyond the shorter side', withPreprocess({ crop: { width: 41, height: 40 } }), 'crop.width', '1 to 40', '41'],
  ['fractional crop', withPreprocess({ crop: { width: 40, height: 1.5 } }), 'crop.height', '1.5'],
  ['crop not an object', withPreprocess({ crop: 40 }), 'crop must be an object', '40'],
  ['unknown field', withPreprocess({ crop: { width: 4, height: 4, left: 0 } }), 'crop', '"left"'],
  ['channel order', withPreprocess({ channelOrder: 'rgb' }), 'channelOrder', 'RGB, BGR', '"rgb"'],
  ['scale as text', withPreprocess({ scale: '0.017' }), 'scale', '"0.017"'],
  ['scale 0', withPreprocess({ scale: 0 }), 'scale', 'positive'],
  [
    'infinite scale',
    { 'shufflenet.preprocess': JSON.stringify(preprocess).replace('0.017', '1e999') },
    'scale',
    'Infinity',
  ],
  ['two means', withPreprocess({ mean: [1, 2] }), 'mean', '3 numbers', 'an array of 2'],
  ['mean null', withPreprocess({ mean: [1, null, 2] }), 'mean[1]', 'null'],
  ['std 0', withPreprocess({ std: [1, 1, 0] }), 'std[2]', 'positive'],
  ['labels not JSON', { 'shufflenet.labels': 'cat,dog' }, 'JSON'],
  ['labels not an array', { 'shufflenet.labels': '{"0":"cat"}' }, 'array of strings', 'an object'],
  ['label not a string', { 'shufflenet.labels': '["cat",2,"dog"]' }, '[1]', 'is 2'],
  ['too few labels', { 'shufflenet.labels': '["cat","dog"]' }, '2 names for 3 classes'],
  ['too many synsets', { 'shufflenet.synsets': '["1","2","3","4"]' }, '4 names for 3 classes'],
];
for (const [label, changes, ...parts] of malformed) {
  test(`refuses metadata: ${label}`, async () => {
    const key = Object.keys(changes)[0]!;
    await assert.rejects(
      loadWeights(smallFile(changes)),
      failure('ERR_WEIGHTS_FORMAT', `<bytes>: metadata "${key}": `, ...parts),
    );
  });
}

const wrongOptions: [string, unknown, ...string[]][] = [
  ['options not an object', 3, 'options', '3'],
  ['options null', null, 'options', 'null'],
  ['network not an object', { network: 'g3' }, 'options.network', '"g3"'],
  ['variant not an object', { network: { variant: 'torch' } }, 'variant', 'torch'],
  ['unknown network option', { network: { group: 3 } }, 'group'],
  ['preprocess not an object', { preprocess: [] }, 'options.preprocess', 'an array of 0'],
  ['unknown preprocess field', { preprocess: { size: 224 } }, 'options.preprocess', '"size"'],
  [
    "crop beyond the file's shorter side",
    { preprocess: { crop: { width: 41, height: 1 } } },
    'options.preprocess',
    'crop.width',
    '1 to 40',
  ],
  ['labels as text', { labels: 'cat' }, 'options.labels', '"cat"'],
  ['label not a string', { labels: ['a', 'b', 3] }, 'options.labels', '[2]', 'is 3'],
  ['too few labels', { labels: ['a'] }, 'options.labels', '1 names for 3 classes'],
];
for (const [label, options, ...parts] of wrongOptions) {
  test(`refuses options: ${label}`, async () => {
    await assert.rejects(loadWeights(smallFile(), options as WeightsOptions), failure('ERR_OPTION', ...parts));
  });
}

test("options that replace the file's labels or network do not fail on these", async () => {
  const few = smallFile({ 'shufflenet.labels': '["cat"]' });
  assert.deepEqual((await loadWeights(few, { labels: ['a', 'b', 'c'] })).labels, ['a', 'b', 'c']);
  // Tensors before names: it is the option that is wrong.
  await assert.rejects(
    loadWeights(smallFile(), { network: { classes: 4 } }),
    failure('ERR_WEIGHTS_TENSOR', '"fc.bias" has shape [3], expected [4]'),
  );
});

test('files that cannot be read say what to do', async () => {
  const empty = path.join(folder, 'empty.safetensors');
  await writeFile(empty, '');
  const absent = path.join(folder, 'absent.safetensors');
  await assert.rejects(loadWeights(absent), failure('ERR_FILE', absent, 'does not exist', 'check the path'));
  await writeFile(path.join(folder, 'model.ckpt-1.index'), 'x');
  const prefix = path.join(folder, 'model.ckpt-1');
  await assert.rejects(loadWeights(prefix), failure('ERR_FILE', prefix, 'pass its model.ckpt-1.index'));
  await assert.rejects(loadWeights(folder), failure('ERR_FILE', folder, 'directory', 'pass the weights file'));
  await assert.rejects(loadWeights(empty), failure('ERR_FILE', empty, 'empty', 'again'));
  await assert.rejects(loadWeights(path.join(empty, 'x')), failure('ERR_FILE', path.join(empty, 'x')));
  await assert.rejects(loadWeights('a\0b'), failure('ERR_FILE', 'null bytes'));
  await assert.rejects(loadWeights(''), failure('ERR_FILE', 'does not exist'));
  await assert.rejects(loadWeights(new URL('https://example.org/w')), failure('ERR_OPTION', 'https:', 'file'));
  for (const source of [3, null, {}, new Float32Array(4), new ArrayBuffer(4)]) {
    await assert.rejects(loadWeights(source as string), failure('ERR_OPTION', 'Uint8Array'));
  }
});

test('other files of a model are read beside it, and nowhere else', async () => {
  const inside = path.join(folder, 'sharded');
  await mkdir(inside);
  await writeFile(path.join(folder, 'secret.bin'), 'secret');
  await symlink(path.join(folder, 'secret.bin'), path.join(inside, 'link.bin'));
  await writeFile(path.join(inside, 'shard.bin'), new Uint8Array(4));
  const json = async (shard: string) => {
    const model = path.join(inside, 'model.json');
    const weights = [{ name: 'x', shape: [1], dtype: 'float32' }];
    await writeFile(model, JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths: [shard], weights }] }));
    return model;
  };
  const onnx = async (shard: string) => {
    const model = path.join(inside, 'model.onnx');
    const place: Message = [
      [1, 'location'],
      [2, shard],
    ];
    const x: Message = [
      [1, 1],
      [2, 1],
      [8, 'x'],
      [13, place],
      [14, 1],
    ];
    const ir: Message[number] = [1, 8];
    await writeFile(model, encode([ir, [7, [[5, x]]]]));
    return model;
  };
  const elsewhere = ['../secret.bin', path.join(folder, 'secret.bin'), '..', '.', '', '..\\secret.bin', './shard.bin'];
  for (const save of [json, onnx]) {
    const load = async (shard: string) => loadWeights(await save(shard), { externalData: true });
    await assert.rejects(load('shard.bin'), failure('ERR_WEIGHTS_TENSOR', inside));
    for (const shard of elsewhere) {
      await assert.rejects(load(shard), failure('ERR_FILE', inside, 'plain name in the same folder'), shard);
    }
    await assert.rejects(load('link.bin'), failure('ERR_FILE', inside, '"link.bin"', 'a link out of the folder'));
    await assert.rejects(load('absent.bin'), failure('ERR_FILE', 'absent.bin', 'does not exist'));
  }
});

test('a device is not read', { skip: process.platform === 'win32' }, async () => {
  await assert.rejects(loadWeights(devNull), failure('ERR_FILE', devNull, 'not a regular file'));
});

test('a file without permission', { skip: process.platform === 'win32' || process.getuid?.() === 0 }, async () => {
  const file = path.join(folder, 'secret.safetensors');
  await writeFile(file, bare);
  await chmod(file, 0);
  await assert.rejects(loadWeights(file), failure('ERR_FILE', file, 'cannot be read', 'EACCES'));
});

test('truncated or with random bytes changed: a ShuffleNetError or the same structure', async () => {
  const sound = smallFile();
  const structure = ({ tensors }: Awaited<ReturnType<typeof loadWeights>>) =>
    Object.entries(tensors).map(([name, tensor]) => [name, tensor.dtype, tensor.bytes.length]);
  const expected = structure(await loadWeights(sound));
  let loaded = 0;
  const attempt = async (bytes: Uint8Array) => {
    try {
      const weights = await loadWeights(bytes);
      assert.deepEqual(structure(weights), expected);
      assert.equal(weights.labels?.length ?? 3, 3);
      loaded++;
    } catch (error) {
      assert.ok(error instanceof ShuffleNetError, `${(error as Error).stack}`);
    }
  };
  for (let length = 0; length < sound.length; length += 61) await attempt(sound.subarray(0, length));
  assert.equal(loaded, 0);

  const before = process.memoryUsage();
  const change = fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }));
  const changes = fc.array(change, { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(changes, async (list) => {
      const bytes = Buffer.from(sound);
      for (const [at, mask] of list) bytes[at]! ^= mask;
      await attempt(bytes);
    }),
    { seed: 1707, numRuns: 3000 },
  );
  assert.ok(loaded > 100 && loaded < 2900, `${loaded} of 3000 loaded`);
  const grown = process.memoryUsage().rss - before.rss;
  assert.ok(grown < 256e6, `grew by ${grown} bytes`);
});

test("a network of 1000 classes has ImageNet's names, unless the file or the options have any", async () => {
  const classes = { ...smallOptions, classes: 1000 };
  const file = (metadata?: Record<string, string>) => writeSafetensors(smallTensors(classes), metadata);
  const unnamed = await loadWeights(file(), { network: classes });
  assert.deepEqual([unnamed.labels![281], unnamed.synsets![281]], ['tabby, tabby cat', 'n02123045']);
  const numbers = Array.from({ length: 1000 }, (_, index) => `${index}`);
  const given = await loadWeights(file(), { network: classes, labels: numbers });
  assert.deepEqual([given.labels![281], given.synsets], ['281', undefined]);
  const named = await loadWeights(file({ 'shufflenet.synsets': JSON.stringify(numbers) }), { network: classes });
  assert.deepEqual([named.labels, named.synsets![281]], [undefined, '281']);
  assert.equal((await loadWeights(bare, { network: smallOptions })).labels, undefined);
});
