import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildGraph } from '../../../lib/network/graph';
import type { Graph } from '../../../lib/network/layers';
import { encodeModel } from '../../../lib/onnx/encode';
import { foldBatchNorm } from '../../../lib/onnx/fold';
import { onnxGraph, type OnnxGraph } from '../../../lib/onnx/model';
import { readStored } from '../../../lib/weights/formats/read';
import { loadWeights } from '../../../lib/weights/load';
import { randomWeights } from '../../onnx/runtime';
import { failure, float32 } from '../files';
import { bytesOf, encode, type Message } from '../graphs/fixtures';

const sibling = () => assert.fail('opened another file');
const read = (bytes: Uint8Array) => readStored({ file: 'x.onnx', bytes, sibling });
const onnx = (graph: Message) =>
  encode([
    [1, 8n],
    [2, 'a test'],
    [7, graph],
    [8, [[2, 13]]],
  ]);
const tensor = (name: string, ...fields: Message): Message => [...fields, [8, name]];
const node = (type: string, inputs: string[], output: string): Message => [
  ...inputs.map((input): Message[number] => [1, input]),
  [2, output],
  [3, `the ${type}`],
  [4, type],
];
const value = (name: string): Message => [[1, name]];
/** The tensor w, two floats, in another file. */
const elsewhere = (place: [key: string, value: string][]): Message =>
  tensor(
    'w',
    [1, 2],
    [2, 1],
    ...place.map(([key, value]): Message[number] => [
      13,
      [
        [1, key],
        [2, value],
      ],
    ]),
    [14, 1],
  );

describe('an ONNX model', () => {
  it('has its tensors in any encoding of them', async () => {
    const one = Math.fround(1 / 3);
    const half = [0x3c00, 0xc000];
    const double = new Uint8Array(Float64Array.from([1 / 3, -2]).buffer);
    const { tensors, metadata } = await read(
      encode([
        [1, 8],
        [
          7,
          [
            [5, tensor('raw', [1, 2], [2, 1], [9, float32([one, -2])])],
            [5, tensor('packed', [1, 2], [2, 1], [4, float32([one, -2])])],
            [5, tensor('in pieces', [1, 2], [2, 1], [4, float32([one])], [4, float32([-2])])],
            [5, tensor('doubles', [1, 1], [1, 2], [2, 11], [10, double])],
            [5, tensor('halves', [1, 2], [2, 10], ...half.map((bits): Message[number] => [5, encodedInts(bits)]))],
            [5, tensor('brain', [1, 2], [2, 16], [5, encodedInts(0x3f80, 0xc000)])],
            [5, tensor('longs', [1, 2], [2, 7], [7, 5], [7, -1n])],
            [5, tensor('scalar', [2, 6], [5, encodedInts(-7)])],
            [5, tensor('none', [1, 0], [2, 1])],
          ],
        ],
        [
          14,
          [
            [1, 'license'],
            [2, 'MIT'],
          ],
        ],
      ]),
    );
    const expected = { dtype: 'F32', shape: [2], bytes: float32([one, -2]) };
    for (const name of ['raw', 'packed', 'in pieces']) assert.deepEqual(tensors.get(name), expected);
    assert.deepEqual(tensors.get('doubles')?.bytes, double);
    assert.deepEqual(tensors.get('halves')?.bytes, new Uint8Array(Uint16Array.from(half).buffer));
    assert.deepEqual(tensors.get('brain')?.bytes, new Uint8Array(Uint16Array.from([0x3f80, 0xc000]).buffer));
    assert.deepEqual(tensors.get('longs')?.bytes, new Uint8Array(BigInt64Array.from([5n, -1n]).buffer));
    assert.deepEqual(tensors.get('scalar')?.bytes, new Uint8Array(Int32Array.from([-7]).buffer));
    assert.deepEqual(tensors.get('none')?.shape, [0]);
    assert.equal(metadata['license'], 'MIT');
  });

  const raw: Message = [
    [1, 1],
    [2, 1],
    [9, float32([1])],
  ];
  const refused: [string, Message | Uint8Array, ...string[]][] = [
    ['keeps a tensor in another file', [[5, elsewhere([['location', 'w.bin']])]], '"w"', 'external data', 'w.bin'],
    ['says so without a place', [[5, tensor('w', [1, 1], [2, 1], [14, 1])]], '"w"', 'external data'],
    [
      'has two tensors of a name',
      [
        [5, tensor('w', ...raw)],
        [5, tensor('w', ...raw)],
      ],
      'two initialisers',
      '"w"',
    ],
    ['has a side of 2^63', [[5, tensor('w', [1, 2n ** 63n - 1n], [2, 1])]], '"w"', 'side of'],
    ['has a negative side', [[5, tensor('w', [1, -1n], [2, 1])]], '"w"', 'side of -1'],
    ['has sides whose product is 0 modulo 2^64', [[5, tensor('w', [1, 2n ** 32n], [1, 2n ** 32n], [2, 1])]], '"w"'],
    ['has a thousand sides', [[5, tensor('w', ...Array<Message[number]>(1000).fill([1, 1]), [2, 1])]], '1000 dim'],
    ['has fewer values than its shape says', [[5, tensor('w', [1, 3], [2, 1], [9, float32([1])])]], '12 bytes', '4'],
    ['has a value cut off', [[5, tensor('w', [1, 1], [2, 10], [5, Uint8Array.of(0x80)])]], '"w"'],
    ['has a tensor of texts', [[5, tensor('w', [1, 1], [2, 8], [6, 'a'])]], '"w"', 'data type 8'],
    ['has a sparse tensor', [[15, []]], 'sparse'],
    [
      'goes in a circle',
      [
        [1, node('A', ['b'], 'a')],
        [1, node('B', ['a'], 'b')],
      ],
      '"the A"',
      '"b"',
    ],
    [
      'makes a value twice',
      [
        [1, node('A', [], 'a')],
        [1, node('B', [], 'a')],
      ],
      '"the B"',
      '"a"',
    ],
    ['has a name as long as a book', [[1, [[3, 'x'.repeat(100_000)]]]], '100000 bytes'],
    ['has a hundred thousand nodes', Array<Message[number]>(100_000).fill([1, []]), 'more than'],
    [
      'has a hundred thousand integers',
      [
        [
          1,
          [
            [
              5,
              [
                [1, 'a'],
                [8, encodedInts(...Array<number>(100_000).fill(1))],
              ],
            ],
          ],
        ],
      ],
      'more than',
    ],
    ['has groups in groups', new Uint8Array(100_000).fill(0x0b), 'recursion'],
    ['has a length beyond its end', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), 'truncated'],
    ['has an endless number', new Uint8Array(100).fill(0xff), 'truncated'],
  ];
  for (const [words, graph, ...parts] of refused) {
    it(`that ${words} is refused`, async () => {
      const bytes =
        graph instanceof Uint8Array
          ? encode([
              [1, 8],
              [7, graph],
            ])
          : onnx(graph);
      await assert.rejects(read(bytes), failure('ERR_WEIGHTS_FORMAT', 'x.onnx', ...parts));
    });
  }

  it('may have tensors in other files where that is allowed', async () => {
    const opened: string[] = [];
    const give = (place: [string, string][], allowed = true) =>
      readStored({
        file: 'x.onnx',
        bytes: onnx([[5, elsewhere([['location', 'w.bin'], ...place])]]),
        externalData: allowed,
        sibling: async (name) => {
          opened.push(name);
          return new Uint8Array(float32([1, 2, 3, 4]));
        },
      });
    // biome-ignore format: a list
    for (const [place, ...values] of [
      [[['offset', '4'], ['length', '8']], 2, 3],
      [[['length', '8'], ['checksum', 'any']], 1, 2],
      [[['offset', '8']], 3, 4],
    ] as [[string, string][], number, number][]) {
      const { tensors } = await give(place);
      assert.deepEqual(tensors.get('w'), { dtype: 'F32', shape: [2], bytes: new Uint8Array(float32(values)) });
    }
    assert.deepEqual(opened, ['w.bin', 'w.bin', 'w.bin']);
    // biome-ignore format: a list
    const wrong: [string, string][][] = [
      [], [['offset', '12']], [['offset', '17']], [['length', '4']], [['offset', '-4']], [['offset', '4'], ['length', 'x']],
      [['offset', '9007199254740993'], ['length', '8']], [['offset', '999999999999999']],
    ];
    for (const place of wrong) await assert.rejects(give(place), failure('ERR_WEIGHTS_FORMAT', 'x.onnx', '"w"'));
    opened.length = 0;
    await assert.rejects(give([['offset', '8']], false), failure('ERR_WEIGHTS_FORMAT', 'externalData'));
    assert.deepEqual(opened, []);
  });

  it('without a graph, or with two, is refused', async () => {
    await assert.rejects(
      read(
        encode([
          [1, 8],
          [2, 'a test'],
        ]),
      ),
      failure('ERR_WEIGHTS_FORMAT', 'has 0'),
    );
    await assert.rejects(
      read(
        encode([
          [1, 8],
          [7, []],
          [7, []],
        ]),
      ),
      failure('ERR_WEIGHTS_FORMAT', 'has 2'),
    );
  });

  it('may have subgraphs, however deep, which are not read', async () => {
    let graph: Uint8Array = encode([]);
    for (let depth = 0; depth < 2000; depth++) graph = encode([[1, [[5, [[6, graph]]]]]]);
    const { graph: found } = await read(
      encode([
        [1, 8],
        [7, graph],
      ]),
    );
    assert.equal(found?.operators.length, 1);
  });

  it('cut anywhere is refused', async () => {
    const bytes = bytesOf('chenhang98.onnx');
    for (let cut = 1; cut < 200; cut++) {
      const part = bytes.subarray(0, Math.floor((cut * bytes.length) / 200));
      await assert.rejects(read(part), failure('ERR_WEIGHTS_FORMAT', 'x.onnx'));
    }
  });
});

describe('a graph', () => {
  const network = async () => foldBatchNorm(await loadWeights(randomWeights({ scale: 0.25, classes: 5 }, 1)));
  const load = (graph: OnnxGraph) => loadWeights(encodeModel({ graph, version: '1', metadata: {} }));

  async function changed(change: (graph: Graph) => void, nodes?: (graph: OnnxGraph) => void) {
    const { network: of, tensors } = await network();
    const graph = buildGraph(of);
    change(graph);
    const model = onnxGraph(graph, tensors);
    nodes?.(model);
    return load(model);
  }

  it('of a few convolutions is no ShuffleNet', async () => {
    const shortened = (graph: Graph) => {
      const pool = graph.layers.find(({ name }) => name === 'globalpool');
      if (pool && 'input' in pool) pool.input = graph.layers.findIndex(({ name }) => name === 'stage4.1.relu');
    };
    await assert.rejects(
      changed(shortened),
      failure('ERR_WEIGHTS_TENSOR', "not ShuffleNet V1's", '43 convolutions', '49'),
    );
  });

  it('that differs in one layer is refused with the name of the operator', async () => {
    const noRelu = (graph: Graph) => {
      const relu = graph.layers.findIndex(({ name }) => name === 'stage3.2.gconv1.relu');
      const shuffle = graph.layers[relu + 1]!;
      if ('input' in shuffle) shuffle.input = relu - 1;
    };
    const refused = failure('ERR_WEIGHTS_TENSOR', '"stage3.2.gconv1"', 'is conv, expected relu (stage3.2.gconv1.relu)');
    await assert.rejects(changed(noRelu), refused);
  });

  it('that differs in one window is refused with what it has and should have', async () => {
    const wider = (graph: Graph) => {
      const pool = graph.layers.find(({ name }) => name === 'stage3.0.avgpool');
      if (pool?.op === 'avgPool') pool.countPadding = false;
    };
    const refused = failure('ERR_WEIGHTS_TENSOR', '"stage3.0.avgpool"', 'has false countPadding, expected true');
    await assert.rejects(changed(wider), refused);
  });

  it('with an operator that is not known is refused with its name, unless nothing needs it', async () => {
    const other = (to: string, of: string) => (model: OnnxGraph) => {
      const node = model.nodes.find(({ name }) => name === of)!;
      model.nodes.splice(model.nodes.indexOf(node) + 1, 0, { ...node, op: 'HardSwish', name: 'odd', output: to });
      if (to === node.output) model.nodes.splice(model.nodes.indexOf(node), 1);
    };
    const refused = failure('ERR_WEIGHTS_TENSOR', '"odd"', 'HardSwish', 'not part of any ShuffleNet V1');
    await assert.rejects(
      changed(() => {}, other('conv1.relu', 'conv1.relu')),
      refused,
    );
    await changed(() => {}, other('unused', 'conv1.relu'));
  });

  it('that doubles a list again and again is refused, in little time and memory', async () => {
    const doubled = Array.from({ length: 16 }, (_, i) => node('Concat', [`${i}`, `${i}`], `${i + 1}`));
    const copies = Array.from({ length: 8000 }, (_, i) => node('Ceil', ['16'], `copy ${i}`));
    const list = tensor('0', [1, 1], [2, 7], [7, 1]);
    const model = onnx([
      ...[...doubled, ...copies].map((own): Message[number] => [1, own]),
      [5, list],
      [11, value('x')],
      [12, value('copy 7999')],
    ]);
    const before = process.memoryUsage().rss;
    await assert.rejects(loadWeights(model), failure('ERR_WEIGHTS_TENSOR', 'more than 1000000 numbers'));
    assert.ok(process.memoryUsage().rss - before < 64e6);
  });

  it('that scales many channels again and again is refused, in little time', async () => {
    const channels = 300_000;
    const weight = tensor('w', [1, channels], [1, 3], [1, 1], [1, 1], [2, 1], [9, new Uint8Array(12 * channels)]);
    const scaled = Array.from({ length: 5000 }, (_, i) => node('Mul', ['c', 'f'], `copy ${i}`));
    const model = onnx([
      ...[node('Conv', ['x', 'w'], 'c'), ...scaled].map((own): Message[number] => [1, own]),
      [5, weight],
      [5, tensor('f', [1, 1], [2, 1], [9, float32([2])])],
      [11, value('x')],
      [12, value('copy 4999')],
    ]);
    const start = performance.now();
    await assert.rejects(loadWeights(model), failure('ERR_WEIGHTS_TENSOR', 'more than 1000000 numbers'));
    assert.ok(performance.now() - start < 1000);
  });

  it('without an image, or without an output of it, is refused', async () => {
    await assert.rejects(loadWeights(onnx([[12, value('a')]])), failure('ERR_WEIGHTS_TENSOR', 'no input'));
    await assert.rejects(
      loadWeights(
        onnx([
          [11, value('x')],
          [12, value('y')],
        ]),
      ),
      failure('ERR_WEIGHTS_TENSOR', 'no output'),
    );
  });
});

describe('a Caffe model', () => {
  const layer = (name: string, type: string, bottoms: string[], tops: string[], ...more: Message): Message => [
    [1, name],
    [2, type],
    ...bottoms.map((bottom): Message[number] => [3, bottom]),
    ...tops.map((top): Message[number] => [4, top]),
    ...more,
  ];
  const caffe = (...layers: Message[]) => encode([[1, 'a test'], ...layers.map((own): Message[number] => [100, own])]);
  const blob: Message[number] = [
    7,
    [
      [7, [[1, encodedInts(2)]]],
      [5, float32([1, 2])],
    ],
  ];

  it('has its blobs by layer, in the shapes of all versions', async () => {
    const old: Message[number] = [
      7,
      [
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 2],
        [5, float32([3, 4])],
      ],
    ];
    const { tensors, format } = await read(caffe(layer('a', 'Scale', [], ['a'], blob, old)));
    assert.equal(format, 'caffe');
    assert.deepEqual(tensors.get('a.0'), { dtype: 'F32', shape: [2], bytes: float32([1, 2]) });
    assert.deepEqual(tensors.get('a.1'), { dtype: 'F32', shape: [1, 1, 1, 2], bytes: float32([3, 4]) });
  });

  it('is refused where it is not sound', async () => {
    const sides = (...dims: bigint[]): Message[number] => [7, [[7, dims.map((dim): Message[number] => [1, dim])]]];
    const refused: [Uint8Array, ...string[]][] = [
      [caffe(layer('a', 'X', [], ['a'], sides(2n ** 63n - 1n))), '"a.0"', 'side of'],
      [caffe(layer('a', 'X', [], ['a'], sides(2n ** 32n, 2n ** 32n))), '"a.0"', 'truncated'],
      [caffe(layer('a', 'X', [], ['a'], blob), layer('a', 'X', [], ['b'], blob)), 'two layers', '"a"'],
      [caffe(layer('a', 'X', ['b'], ['a']), layer('b', 'X', ['a'], ['b'])), '"a"', 'uses "b"'],
      [
        encode([
          [1, 'a test'],
          [
            2,
            [
              [4, 'conv1'],
              [5, 4],
            ],
          ],
        ]),
        'V1LayerParameter',
      ],
      // As it comes without a name of the net.
      [
        encode([
          [
            2,
            [
              [2, 'data'],
              [3, 'conv1'],
              [4, 'conv1'],
              [5, 4],
            ],
          ],
        ]),
        'x.onnx: layers in',
        'V1LayerParameter',
        'upgrade_net_proto_binary',
      ],
      [
        encode([
          [1, 'a test'],
          [3, 'data'],
        ]),
        'has none',
      ],
    ];
    for (const [bytes, ...parts] of refused) await assert.rejects(read(bytes), failure('ERR_WEIGHTS_FORMAT', ...parts));
  });

  it('cut anywhere is refused', async () => {
    const bytes = bytesOf('wuyongchn.caffemodel');
    for (let cut = 1; cut < 200; cut++) {
      const part = bytes.subarray(0, Math.floor((cut * bytes.length) / 200));
      await assert.rejects(
        loadWeights(part),
        (error: { code?: string }) => error.code?.startsWith('ERR_WEIGHTS') ?? false,
      );
    }
  });

  it('with a layer that no ShuffleNet has is refused with its name', async () => {
    const model = caffe(layer('data', 'Input', [], ['x']), layer('odd', 'PReLU', ['x'], ['y']));
    await assert.rejects(loadWeights(model), failure('ERR_WEIGHTS_TENSOR', '"odd"', 'PReLU'));
  });
});

function encodedInts(...values: number[]): Uint8Array {
  // A field of its own each, without the tags: what a packed field holds.
  return Buffer.concat(values.map((number) => encode([[1, number]]).subarray(1)));
}
