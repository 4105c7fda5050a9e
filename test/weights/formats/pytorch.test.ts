import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readStored } from '../../../lib/weights/formats/read';
import { makeFile } from '../files';
import { build, dict, get, global, int, list, none, pickle, put, reduce, six } from './pickles';
import { tensor, text, torchPickles, torchZip, tuple } from './pickles';
import { contents, fixture, read, refuses } from './stored';
import { makeZip } from './zips';

const readFixture = (name: string) => readStored({ file: name, bytes: readFileSync(fixture(name)) });
const from = (first: number, length: number) => Array.from({ length }, (_, i) => first + i);

// As test/weights/make-fixtures/readers.py makes them.
const kinds = [
  ['float', ['F32', [2, 3], from(0, 6)]],
  ['half', ['F16', [2, 3], from(1, 6)]],
  ['bfloat16', ['BF16', [2, 3], from(2, 6)]],
  ['double', ['F64', [2, 3], from(3, 6)]],
  ['long', ['I64', [3], from(4, 3)]],
  ['int', ['I32', [3], from(5, 3)]],
  ['short', ['I16', [3], from(6, 3)]],
  ['char', ['I8', [3], from(7, 3)]],
  ['byte', ['U8', [3], from(8, 3)]],
  ['bool', ['BOOL', [3], [0, 1, 1]]],
  ['scalar', ['F32', [], [11]]],
  ['empty', ['F32', [0, 4], []]],
  ['parameter', ['F32', [2, 2], from(13, 4)]],
  ['shared storage from 4', ['F32', [2, 3], from(4, 6)]],
  ['shared storage from 14', ['F32', [6], from(14, 6)]],
  ['transposed', ['F32', [2, 3], [0, 2, 4, 1, 3, 5]]],
  ['every other column', ['F32', [2, 3], [0, 2, 4, 6, 8, 10]]],
  ['channels last', ['F32', [2, 3, 2, 2], from(0, 24)]],
  ['expanded', ['F32', [2, 3], [7, 7, 7, 7, 7, 7]]],
  ['__proto__', ['F32', [1], [18]]],
  ['constructor', ['F32', [1], [19]]],
];
const copied = ['transposed', 'every other column', 'channels last', 'expanded'];

const net = [
  ['unit.conv.weight', ['F32', [4, 2, 1, 1], from(0, 8)]],
  ['unit.bn.weight', ['F32', [4], from(1, 4)]],
  ['unit.bn.bias', ['F32', [4], from(2, 4)]],
  ['unit.bn.running_mean', ['F32', [4], from(3, 4)]],
  ['unit.bn.running_var', ['F32', [4], from(4, 4)]],
  ['unit.bn.num_batches_tracked', ['I64', [], [5]]],
  ['fc.weight', ['F32', [3, 4], from(6, 12)]],
  ['fc.bias', ['F32', [3], from(7, 3)]],
];

describe('what PyTorch 1.13 wrote', () => {
  for (const name of ['kinds.pt', 'kinds-legacy.pt', 'kinds-protocol4.pt', 'kinds-protocol5-legacy.pt']) {
    it(`${name}: every type, stride and shared storage, contiguous tensors in place`, async () => {
      const bytes = readFileSync(fixture(name));
      const file = await readStored({ file: name, bytes });
      assert.deepEqual([file.format, contents(file)], ['pytorch', kinds]);
      for (const [key, tensor] of file.tensors) {
        if (tensor.bytes.length > 0) assert.equal(tensor.bytes.buffer === bytes.buffer, !copied.includes(key), key);
      }
      assert.deepEqual(Object.keys(file.metadata), []);
    });
  }

  it('is read when it was zipped again, compressed', async () => {
    assert.deepEqual(contents(await readFixture('kinds-deflated.pt')), kinds);
  });

  const others = ['mps.pt', 'cuda-legacy.pt', 'module.pt', 'script.pt', 'training.pth.tar', 'training-legacy.pth.tar'];
  for (const name of others) {
    it(`${name}: the network's tensors by their names in it`, async () => {
      assert.deepEqual(contents(await readFixture(name)), net);
    });
  }
});

const a = ['a', ['F32', [2, 3], [0, 1, 2, 3, 4, 5]]];

describe('a checkpoint', () => {
  it('has its state dict where people put it, and `module.` is no part of a name', async () => {
    for (const key of ['state_dict', 'model_state_dict', 'model', 'net', 'ema']) {
      const value = dict([
        ['epoch', int(3)],
        [key, dict([['module.a', tensor()]])],
        ['best', tensor()],
      ]);
      for (const bytes of [torchZip(value), torchPickles(value)]) assert.deepEqual(contents(await read(bytes)), [a]);
    }
    const twice = dict([['model', dict([['state_dict', dict([['module.module.a', tensor()]])]])]]);
    assert.deepEqual(contents(await read(torchZip(twice))), [a]);
    // Of timm, torchvision's references and mmengine: the network's own weights, not averages of them.
    for (const [own, averages] of [
      ['state_dict', 'state_dict_ema'],
      ['model', 'model_ema'],
      ['state_dict', 'ema_state_dict'],
      ['params', 'params_ema'],
    ] as const) {
      const both = dict([
        [averages, dict([['module.b', tensor()]])],
        [own, dict([['a', tensor()]])],
      ]);
      assert.deepEqual(contents(await read(torchZip(both))), [a]);
    }
    const averaged = dict([
      ['n_averaged', tensor({ shape: [], strides: [] })],
      ['module.a', tensor()],
    ]);
    assert.deepEqual(contents(await read(torchZip(averaged))), [a]);
    const some = dict([
      ['module.a', tensor()],
      ['b', tensor()],
    ]);
    assert.deepEqual([...(await read(torchZip(some))).tensors.keys()], ['module.a', 'b']);
  });

  it('may hold tensors beside the state dict that are damaged or missing: they are not read', async () => {
    const value = dict([
      ['optimizer', dict([['a', tensor({ key: 'missing' })]])],
      ['scheduler', dict([['a', tensor({ key: '1', shape: [2n ** 40n, 2n ** 20n], strides: [1, 1] })]])],
      ['state_dict', dict([['a', tensor()]])],
    ]);
    const bomb = { name: 'a/data/1', data: new Uint8Array(6), deflate: true, size: 2 ** 32 - 2 };
    assert.deepEqual(contents(await read(torchZip(value, [bomb]))), [a]);
  });

  it('may hold anything beside the state dict: it stays inert', async () => {
    const namespace = reduce('argparse', 'Namespace') + build(dict([['lr', int(1)]]));
    const value = dict([
      ['args', namespace],
      ['loss', reduce('numpy.core.multiarray', 'scalar', reduce('numpy', 'dtype', text('f8')), text('x'))],
      ['class', global('torch.optim.sgd', 'SGD')],
      ['constructor', global('Object', 'constructor')],
      ['__proto__', dict([['polluted', int(1)]])],
      ['state_dict', dict([['a', tensor()]])],
    ]);
    assert.deepEqual(contents(await read(torchZip(value))), [a]);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('of Python 2 and PyTorch 0.3: pairs, parameters, parts of storages', async () => {
    const pairs = list(tuple('U\x01a', reduce('torch.nn.parameter', 'Parameter', tensor())));
    const ordered = `${reduce('collections', 'OrderedDict', pairs)}`;
    assert.deepEqual(contents(await read(torchPickles(ordered))), [a]);
    const part = tuple(text('9'), int(2), int(3));
    const piece = dict([['a', tensor({ part, shape: [3], strides: [1] })]]);
    assert.deepEqual(contents(await read(torchPickles(piece))), [['a', ['F32', [3], [2, 3, 4]]]]);
  });

  it('of a whole module in a legacy file, with its source and a parameter that has attributes', async () => {
    const module = `${tuple(text('module'), global('my', 'Net'), text('net.py'), text('class Net: ...'))}Q)\x81`;
    const parameter = reduce('torch._utils', '_rebuild_parameter_with_state', tensor(), '\x88', dict([]), dict([]));
    const state = dict([['_parameters', dict([['a', parameter]])]]);
    const nothing = dict([['_parameters', dict([['bias', none]])]]);
    const modules = (inner: string) => dict([['_modules', dict([['fc', module + build(inner)]])]]);
    assert.deepEqual(contents(await read(torchPickles(module + build(state)))), [a]);
    const within = module + build(modules(state));
    assert.deepEqual([...(await read(torchPickles(within))).tensors.keys()], ['fc.a']);
    await refuses(
      torchPickles(module + build(modules(nothing)), []),
      'holds what "my.Net" would make, without tensors',
    );
  });

  it('of PyTorch 2: storages without a type', async () => {
    const untyped = (type: string) =>
      `${tuple(text('storage'), global('torch.storage', 'UntypedStorage'), text('0'), text('cpu'), int(24))}Q${type}`;
    const v3 = global('torch._utils', '_rebuild_tensor_v3');
    const args = [untyped(''), int(2), tuple(int(5)), tuple(int(1)), '\x89', dict([]), global('torch', 'uint16')];
    const { tensors } = await read(torchZip(dict([['a', `${v3}${tuple(...args)}R`]])));
    assert.deepEqual([tensors.get('a')!.dtype, tensors.get('a')!.shape], ['U16', [5]]);
    assert.deepEqual(new Uint8Array(tensors.get('a')!.bytes), six.slice(4, 14));
  });

  it('is little-endian', async () => {
    const order = (data: string) => [{ name: 'a/byteorder', data: Buffer.from(data) }];
    const value = dict([['a', tensor()]]);
    assert.deepEqual(contents(await read(torchZip(value, order('little')))), [a]);
    await refuses(torchZip(value, order('big')), 'byte order "big"');
    await refuses(torchPickles(value, ['0'], '\x89'), 'little-endian');
  });
});

/** In the pickle of a zip file and of a legacy one. */
async function refusesBoth(value: string, ...parts: string[]): Promise<void> {
  await refuses(torchZip(value), ...parts);
  await refuses(torchPickles(value, value.includes(text('0')) ? ['0'] : []), ...parts);
}

it('safetensors files are none, even if their header is of a length that looks like a pickle', async () => {
  for (const length of [0x280, 0x380, 0x480, 0x580, 0x10280]) {
    assert.equal((await read(makeFile('{}'.padEnd(length)))).format, 'safetensors');
  }
});

describe('a hostile pickle is refused', () => {
  it('when it asks for what runs programs, wherever it does', async () => {
    for (const [module, name] of [
      ['os', 'system'],
      ['posix', 'system'],
      ['nt', 'system'],
      ['subprocess', 'Popen'],
      ['builtins', 'eval'],
      ['__builtin__', 'exec'],
      ['builtins', '__import__'],
      ['importlib', 'import_module'],
      ['runpy', '_run_code'],
      ['torch', 'load'],
      ['pickle', 'loads'],
    ] as const) {
      const gadget = reduce(module, name, text('touch owned'));
      const asks = `the file asks for "${module}.${name}"`;
      await refusesBoth(gadget, asks);
      await refusesBoth(dict([['a', gadget]]), asks);
      const beside = dict([
        ['state_dict', dict([['a', tensor()]])],
        ['x', gadget],
      ]);
      await refusesBoth(beside, asks);
      await refusesBoth(`${text(module)}${text(name)}\x93${tuple(text('x'))}R`, asks);
      await refusesBoth(`${global(module, name)}${tuple(text('x'))}\x81`, asks);
      const nested = reduce(
        'collections',
        'OrderedDict',
        list(tuple(text('a'), reduce('functools', 'partial', gadget))),
      );
      await refusesBoth(nested, asks);
    }
  });

  it('when anything in the state dict is no tensor, naming it', async () => {
    const beside = (value: string) =>
      dict([
        ['a', tensor()],
        ['b', value],
      ]);
    await refusesBoth(
      beside(reduce('my.module', 'f', int(1))),
      '"b" in the state_dict is what "my.module.f" would make',
    );
    await refusesBoth(beside(reduce('torch._utils', '_rebuild_qtensor', int(1))), '_rebuild_qtensor');
    await refusesBoth(beside(global('torch', 'FloatTensor')), 'the global "torch.FloatTensor"');
    await refusesBoth(beside(int(1)), '"b" in the state_dict is 1, expected a tensor');
    await refusesBoth(beside(dict([])), '"b" in the state_dict is a dictionary of 0');
    await refusesBoth(`}(${int(1)}${tensor()}u`, '1 in the state_dict is a tensor');
    await refusesBoth(list(tensor()), 'holds an array of 1, expected a state_dict');
    await refusesBoth(none, 'holds null');
    await refusesBoth('NQ', "null in the pickle, expected ('storage', type, key, device, length)");
    await refusesBoth(dict([['epoch', int(1)]]), 'no state_dict is in it, but 1 keys ("epoch": 1)');
    await refusesBoth(reduce('my', 'Net'), 'what "my.Net" would make', 'state_dict()');
  });

  it('when a tensor reaches outside of its storage, or is larger than anything', async () => {
    const of = (fields: Parameters<typeof tensor>[0]) => dict([['a', tensor(fields)]]);
    for (const fields of [
      { offset: 1 },
      { offset: 7, shape: [0] as number[], strides: [1] },
      { shape: [3, 3] },
      { shape: [2, 4], strides: [4, 1] },
      { strides: [4, 1] },
      { strides: [3, 2] },
      { shape: [2n ** 53n - 1n, 2], strides: [0, 1] },
      { shape: [2n ** 52n], strides: [1] },
      { shape: [2, 3], strides: [2n ** 53n - 1n, 2n ** 53n - 1n] },
      { offset: 2n ** 53n - 1n },
    ]) {
      await refusesBoth(of(fields), 'tensor "a": offset ', 'reach outside of its storage of 6');
    }
    for (const fields of [
      { offset: -1 },
      { strides: [-3, 1] },
      { shape: [-2, 3] },
      { shape: [2n ** 63n, 3] },
      { shape: [2n ** 64n, 3] },
      { strides: [2n ** 63n, 1] },
      { offset: 2n ** 63n },
      { shape: Array<number>(33).fill(1), strides: Array<number>(33).fill(1) },
    ]) {
      await refusesBoth(of(fields), 'a tensor whose storage, offset, shape or strides');
    }
    await refusesBoth(of({ shape: [6] }), 'a tensor of 1 sides and 2 strides');
    await refusesBoth(of({ shape: [2 ** 24], strides: [0] }), 'made contiguous, would take more than the');
    for (const length of [-1, 2n ** 63n]) await refusesBoth(of({ length }), 'a storage "0" of length');
    for (const length of [5, 7])
      await refuses(torchZip(of({ length })), `should have ${length} of 32 bits, has 24 bytes`);
    await refuses(torchPickles(of({ part: tuple(text('9'), int(4), int(3)) })), 'a part of the storage "0"');
    await refusesBoth(of({ type: 'NoStorage' }), '"torch.NoStorage", which is not known');
    await refuses(torchZip(of({ key: '1' })), 'the zip file has no "a/data/1"');
    await refuses(torchPickles(of({ key: '1' }), []), 'the storage "1" is missing');
    await refuses(torchZip(of({ key: '../0' })), 'no "a/data/../0"');
  });

  it('when it repeats a key', async () => {
    const twice = [
      ['a', tensor()],
      ['a', tensor()],
    ] as const;
    await refusesBoth(dict(twice), 'the key "a" occurs twice');
    const pairs = list(...twice.map(([key, value]) => tuple(text(key), value)));
    await refusesBoth(reduce('collections', 'OrderedDict', pairs), 'the key "a" occurs twice');
  });

  it('when it nests, repeats or grows without end', async () => {
    // A billion laughs: every tuple holds the one before it ten times.
    let laughs = text('lol') + put(0);
    for (let i = 1; i < 30; i++) laughs += `0${tuple(...Array<string>(10).fill(get(i - 1)))}${put(i)}`;
    await refusesBoth(laughs, 'holds an array of 10');
    await refusesBoth(`${']'.repeat(30_000)}${'a'.repeat(29_999)}`, 'holds an array of 1');
    await refusesBoth(']'.repeat(200_000), 'the pickle would take more than the 10485760 bytes allowed');
    await refusesBoth('('.repeat(2_000_000), 'the pickle would take more than');
    await refusesBoth(`N${'2'.repeat(2_000_000)}`, 'the pickle would take more than');
    const cycle = `}${put(0)}${text('model')}${get(0)}s`;
    await refusesBoth(cycle, 'nested deeper than 64');
    // Every module has the one before it twice.
    let modules = `${reduce('my', 'Net')}${build(dict([['_parameters', dict([['a', tensor()]])]]))}${put(0)}0`;
    for (let i = 1; i < 60; i++) {
      const inner = dict([
        ['l', get(i - 1)],
        ['r', get(i - 1)],
      ]);
      modules += `${reduce('my', 'Net')}${build(dict([['_modules', inner]]))}${put(i)}0`;
    }
    await refusesBoth(modules + get(59), 'modules of more than 20000 parts');
    // One list of many pairs, and many dictionaries of it.
    const pairs = `${list(...Array<string>(10_000).fill(tuple()))}${put(0)}0`;
    await refusesBoth(`${pairs}${`${global('collections', 'OrderedDict')}${get(0)}\x85R`.repeat(10_000)}`, 'pair');
  });

  it('when its opcodes are not those of protocols 2 to 5, or do not fit each other', async () => {
    for (const [value, ...parts] of [
      ['', 'nothing on the stack'],
      ['NN', '1 values left'],
      ['(', 'nothing on the stack'],
      ['t', 'no mark'],
      ['N(0b', 'nothing on the stack'],
      ['h\x05', 'nothing is remembered as 5'],
      ['Na', 'nothing on the stack'],
      ['NNa', 'items for what is no list'],
      ['NNNs', 'items for what is no dictionary'],
      ['}(Nu', 'a key without a value'],
      ['N)R', 'a call of what is no global'],
      [`${global('a', 'b')}NR`, 'arguments that are not a tuple'],
      ['NN\x93', 'a global whose name is not a string'],
      ['X\xff\xff\xff\xff', 'truncated: 4294967295 bytes expected'],
      ['\x8d\xff\xff\xff\xff\xff\xff\xff\xff', 'truncated'],
      ['\x8b\xff\xff\xff\xff', 'an integer of 4294967295 bytes'],
      ['X\x01\x00\x00\x00\xff', 'not UTF-8'],
      ['\x95\xff\xff\xff\xff\xff\xff\xff\xff', 'a frame longer than the file'],
      ['\x80\x06', 'protocol 6'],
      ['I1e9\n', 'an integer "1e9"'],
      ['Ix', 'a line without end'],
      ['P1\n', 'opcode 0x50'],
      ['(ios\nsystem\n', 'opcode 0x69'],
      ['\x82\x01', 'opcode 0x82'],
      ['\x97', 'opcode 0x97'],
    ] as const) {
      await refusesBoth(value, ...parts, 'of the pickle');
    }
  });

  it('when a file is no checkpoint, or one with something left over', async () => {
    const value = dict([['a', tensor()]]);
    await refuses(pickle(value), 'not one of torch.save');
    await refuses(pickle(text('some text')), 'not one of torch.save');
    await refuses(Buffer.concat([torchPickles(value), six]), '24 bytes after the last storage');
    await refuses(torchPickles(value, ['0', '0']), 'the storage "0" occurs twice');
    await refuses(torchPickles(value, ['0', '1']), 'the storage "1" belongs to nothing');
    await refuses(torchPickles(value, []), '"0" is missing');
    await refuses(torchPickles(value).subarray(0, -1), 'truncated: storage "0" of 24 bytes, but only 23 follow');
    const after = Buffer.concat([pickle(value), six]);
    await refuses(
      makeZip([
        { name: 'a/data.pkl', data: after },
        { name: 'a/data/0', data: six },
      ]),
      '24 bytes after',
    );
  });
});
