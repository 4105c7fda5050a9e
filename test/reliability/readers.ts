/**
 * Readers of weights files against damaged and hostile ones: an error of this package's, or tensors as long as their
 * shapes say. Never a crash, another error, a second, or 64 MB above the file's size.
 *
 *   node dist/test/reliability/run.js readers
 *   READER=pytorch SEEDS=1000000 FIRST_SEED=0 node dist/test/reliability/run.js --here readers
 *
 * The second form mutates that many times, for one reader; SHUFFLENET_CHECKPOINTS=folder READER=given starts from the files
 * of a folder. A new reader is a line in `readers`: the files that it is to start from, small and of every kind that it
 * knows, in test/fixtures/checkpoints/.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ShuffleNetError } from '../../lib';
import { recognise } from '../../lib/weights/families/recognise';
import { readStored } from '../../lib/weights/formats/read';
import { sizeInBits, type Source, type StoredFile } from '../../lib/weights/stored';
import { encode, type Message } from '../weights/graphs/fixtures';
import { dict, pickle, tensor, text, torchPickles, torchZip } from '../weights/formats/pickles';
import { makeBlock, makeEntry, makeTable, seal } from '../weights/formats/tables';
import { makeZip, sealZip } from '../weights/formats/zips';
import { readByThread } from './hdf5-thread';
import { root, round, seeded, within, type Outcome } from './measure';

const checkpoints = path.join(root, 'test/fixtures/checkpoints');

interface Reader {
  /** Where it starts from: a folder of fixtures, and which files of it. */
  folder: string;
  files: RegExp;
  /** What its files consist of, if short. */
  tokens?: readonly string[];
  /** Default: readStored(). */
  read?: (source: Source) => Promise<StoredFile>;
  /** Puts checksums right, or nearly all that is damaged would be found by them. Done to every other mutation. */
  seal?: (bytes: Uint8Array) => Uint8Array;
}

const readers: Record<string, Reader> = {
  // biome-ignore format: a list
  pytorch: {
    folder: 'readers',
    files: /\.(pt|pth\.tar)$/,
    seal: sealZip,
    tokens: [
      '(', ')', '.', '0', '1', '2', 'I7\n', 'K\x02', 'N', 'Q', 'R', 'U\x01a', ']', 'a', 'b', 'e', 'h\x02', 'q\x02', 's', 't',
      'u', '}', '\x81', '\x85', '\x86', '\x87', '\x88', '\x8a\x01\xff', '\x8c\x05model', '\x8f', '\x90', '\x91', '\x92',
      '\x93', '\x94', '\x96\0\0\0\0\0\0\0\0', 'ccollections\nOrderedDict\n', 'ctorch._utils\n_rebuild_tensor_v2\n',
      'ctorch._utils\n_rebuild_parameter\n', 'ctorch\nFloatStorage\n', 'cmy\nNet\n', 'cos\nsystem\n',
    ],
  },
  onnx: { folder: 'graphs/small', files: /\.onnx$/ },
  caffe: { folder: 'graphs/small', files: /\.caffemodel$/ },
  caffe2: { folder: 'readers', files: /\.pb$/ },
  mindspore: { folder: 'readers', files: /\.ckpt$/ },
  tensorflow: { folder: 'readers', files: /\.index$/, seal },
  npz: { folder: 'readers', files: /^arrays.*\.npz$/, seal: sealZip },
  tfjs: {
    folder: 'tfjs',
    files: /\.json$/,
    // biome-ignore format: a list
    tokens: [
      '{', '}', '[', ']', ',', ':', '"', '0', '-1', '1e300', '9007199254740993', 'null', 'true', '"a"', '\\', '"paths":[],',
      '"weights":[],', '"shape":[],', '"dtype":"uint8",', '"quantization":{"dtype":"uint8","scale":1,"min":0},', '\0', '\xff',
    ],
  },
  hdf5: { folder: 'hdf5', files: /\.h5$/, read: readByThread },
  safetensors: {
    folder: 'readers',
    files: /\.safetensors$/,
    // biome-ignore format: a list
    tokens: [
      '{', '}', '[', ']', ',', ':', '"', '0', '-1', '1e300', '9007199254740993', 'null', '\\u0061', '"dtype":"F32",',
      '"shape":[],', '"data_offsets":[0,24],', '"__metadata__":{},', '\0', '\xff',
    ],
  },
};

/** Whole files of a folder of yours, of any format. */
const given = process.env['SHUFFLENET_CHECKPOINTS'];
if (given)
  readers['given'] = { folder: path.resolve(given), files: /\.(pth|pth\.tar|onnx|caffemodel|h5|npz|safetensors)$/ };

const codes = ['ERR_WEIGHTS_FORMAT', 'ERR_WEIGHTS_TENSOR', 'ERR_WEIGHTS_VALUE', 'ERR_FILE'];
const mostMilliseconds = 1000;
const mostMegabytes = 64;

interface Sample {
  name: string;
  bytes: Uint8Array;
  /** The files beside it, which are sound. */
  sibling: (name: string) => Promise<Uint8Array>;
}

function samples(reader: string): Sample[] {
  const { folder, files } = readers[reader]!;
  const from = path.resolve(checkpoints, folder);
  const all = new Map(
    readdirSync(from, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, new Uint8Array(readFileSync(path.join(from, name)))]),
  );
  const sibling = async (name: string) => {
    const bytes = all.get(name);
    if (!bytes) throw new ShuffleNetError('ERR_FILE', `${name} does not exist`);
    return bytes;
  };
  return [...all].filter(([name]) => files.test(name)).map(([name, bytes]) => ({ name, bytes, sibling }));
}

const floats = `(${'G\x3f\xf0\0\0\0\0\0\x01'.repeat(400_000)}t`;
const zeros = (length: number) => new Uint8Array(length);
const large = (length: number) => tensor({ length, shape: [length], strides: [1] });

const onnx = (graph: Message) =>
  encode([
    [1, 8],
    [7, graph],
  ]);
const many = (length: number, field: Message[number]): Message => Array.from({ length }, () => field);

/** As many objects, copies and inflated bytes as the readers allow, and more. */
const greedy: Readonly<Record<string, () => Uint8Array>> = {
  'numbers and an inflated tensor': () =>
    makeZip([
      {
        name: 'a/data.pkl',
        data: pickle(
          dict([
            ['x', floats],
            ['model', dict([['a', large(8e6)]])],
          ]),
        ),
      },
      { name: 'a/data/0', data: zeros(32e6), deflate: true },
    ]),
  'numbers and a turned tensor': () =>
    torchZip(
      dict([
        ['x', floats],
        ['model', dict([['a', tensor({ shape: [8e6], strides: [0] })]])],
      ]),
    ),
  dictionaries: () => torchPickles('}'.repeat(100_000), []),
  strings: () => torchPickles(`(${text('ab').repeat(150_000)}t`, []),
  'keys of a dictionary': () => torchPickles(dict(Array.from({ length: 60_000 }, (_, i) => [`${i}`, 'N'])), []),
  'empty nodes': () => onnx(many(79_000, [1, []])),
  'inputs of a node': () => onnx([[1, many(79_000, [1, 'a'])]]),
  'attributes of a node': () =>
    onnx([
      [
        1,
        many(70_000, [
          5,
          [
            [1, 'a'],
            [8, 1],
          ],
        ]),
      ],
    ]),
  'empty initialisers': () =>
    onnx(
      Array.from({ length: 19_000 }, (_, i) => [
        5,
        [
          [1, 0],
          [2, 1],
          [8, `${i}`],
        ],
      ]),
    ),
  'halves one by one': () =>
    onnx([
      [
        5,
        [
          [1, 16e6],
          [2, 10],
          [5, zeros(16e6)],
          [8, 'a'],
        ],
      ],
    ]),
  "values of MindSpore's": () => encode(Array.from({ length: 16_000 }, (_, i) => [1, [[1, `${i}`], [2, [[2, 'Int8'], [3, 'x']]]]])), // biome-ignore format: one
  "parts of MindSpore's": () =>
    encode(many(2, [1, [[1, 'a'], [2, [[1, 31e6], [2, 'Int8'], [3, zeros(15.5e6)]]]]])), // biome-ignore format: one
  "names of TensorFlow's": () =>
    makeTable(
      Buffer.concat([
        makeBlock([['', encode([[1, 1]])]]).subarray(0, -8),
        ...Array.from({ length: 60_000 }, (_, i) => makeEntry(`${i === 0 ? 'names' : ''}${String(i).padStart(5, '0')}`, zeros(0), i === 0 ? 0 : 5)), // biome-ignore format: one
        Buffer.of(0, 0, 0, 0, 1, 0, 0, 0),
      ]),
    ),
  'directory of a zip file': () =>
    makeZip(Array.from({ length: 4096 }, (_, i) => ({ name: `${'x'.repeat(290)}${i}`, data: zeros(0) }))),
  'a chunk of an HDF5 file': () => gunzipSync(readFileSync(path.join(checkpoints, 'hdf5/bomb.h5.gz'))),
};

/** Numbers at which something often happens. */
const edges = [
  ...[0n, 1n, 2n, 3n, 4n, 7n, 8n, 0x7fn, 0x80n, 0xfen, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n],
  ...[31n, 32n, 40n, 53n, 62n, 63n, 64n].flatMap((power) => [2n ** power - 1n, 2n ** power, 2n ** power + 1n]),
];

/** One to four changes: bytes, numbers of 1 to 8 bytes, tokens, pieces of another file or of this one, and cuts. */
function mutate(
  sample: Uint8Array,
  others: readonly Sample[],
  tokens: readonly string[],
  random: () => number,
): Buffer {
  let bytes = Buffer.from(sample);
  const below = (n: number) => Math.floor(random() * n);
  const piece = (of: Uint8Array) => {
    const from = below(of.length);
    return of.subarray(from, from + 1 + below(random() < 0.8 ? 16 : of.length));
  };
  for (let changes = 1 + below(4); changes > 0 && bytes.length > 0; changes--) {
    const at = below(bytes.length);
    const kind = below(tokens.length > 0 ? 14 : 10);
    if (kind >= 10) {
      const token = Buffer.from(tokens[below(tokens.length)]!, 'latin1');
      const rest = kind < 12 ? at : Math.min(bytes.length, at + token.length);
      bytes = Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(rest)]);
    } else if (kind < 3) {
      bytes[at]! ^= 1 + below(255);
    } else if (kind === 3) {
      bytes[at]! ^= 1 << below(8);
    } else if (kind < 6) {
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(BigInt.asUintN(64, edges[below(edges.length)]! * (random() < 0.2 ? -1n : 1n)));
      const number = value.subarray(0, 2 ** below(4));
      if (random() < 0.3) number.reverse();
      bytes.set(number.subarray(0, bytes.length - at), at);
    } else if (kind === 6) {
      const other = piece(random() < 0.5 ? bytes : others[below(others.length)]!.bytes);
      bytes.set(other.subarray(0, bytes.length - at), at);
    } else if (kind === 7) {
      const other = piece(random() < 0.5 ? bytes : others[below(others.length)]!.bytes);
      bytes = Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at)]);
    } else if (kind === 8) {
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece(bytes).length)]);
    } else {
      bytes = Buffer.from(random() < 0.5 ? bytes.subarray(0, at) : bytes.subarray(at));
    }
  }
  return bytes;
}

/** Throws unless every tensor is as long as its shape says. */
function checkTensors({ tensors, metadata }: StoredFile): void {
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const bits = sizeInBits(shape, dtype);
    if (bits !== 8 * bytes.length) throw new Error(`${name}: ${dtype} [${shape}] in ${bytes.length} bytes`);
  }
  if (Object.values(metadata).some((text) => typeof text !== 'string')) throw new Error('metadata that is no text');
}

function contents({ tensors }: StoredFile): string {
  const hash = createHash('sha1');
  for (const [name, { dtype, shape, bytes }] of tensors) {
    hash.update(JSON.stringify([name, dtype, shape])).update(bytes);
  }
  return hash.digest('hex');
}

/** Feeds one reader, and keeps what came of it. */
class Trial {
  readonly outcomes: Record<string, number> = {};
  readonly broken: string[] = [];
  slowest = 0;

  constructor(private readonly reader: string) {}

  /** `bytes` are those of `sample`, damaged, and `sound` its contents before. False when there is nothing to learn. */
  async read(bytes: Uint8Array, what: string, sample: Sample, sound: string): Promise<boolean> {
    let milliseconds = Infinity;
    let outcome = '';
    // The machine may be busy with other things: what is slow is slow each time.
    for (let attempt = 0; attempt < 3 && milliseconds > mostMilliseconds; attempt++) {
      const from = performance.now();
      outcome = await this.#outcome({ file: sample.name, bytes, sibling: sample.sibling }, what, sound);
      milliseconds = Math.min(milliseconds, performance.now() - from);
    }
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    this.slowest = Math.max(this.slowest, milliseconds);
    if (milliseconds > mostMilliseconds) this.broken.push(`${this.reader}, ${what}: ${round(milliseconds)} ms`);
    return this.broken.length < 20;
  }

  async #outcome(source: Source, what: string, sound: string): Promise<string> {
    try {
      const reading = (readers[this.reader]!.read ?? readStored)(source);
      // Of a process that was stopped for so long, the timer comes first; what has ended by then does so at once.
      const file = await within(20_000, what, reading).catch(() => within(5000, what, reading));
      checkTensors(file);
      // Who has a graph is told by it, which is as much work again.
      if (file.graph) recognise(file, 'x');
      return sound === contents(file) ? 'identical' : 'other tensors';
    } catch (error) {
      if (error instanceof ShuffleNetError && codes.includes(error.code)) return error.code;
      this.broken.push(`${this.reader}, ${what}: ${error instanceof Error ? error.stack : String(error)}`);
      return 'broken';
    }
  }
}

interface Extent {
  /** Cuts of every file; one in so many of 200. */
  cutStep: number;
  /** Of one byte, over all files. */
  flips: number;
  mutations: number;
  firstSeed: number;
  /** After which no more flips and mutations are made. */
  milliseconds: number;
}

async function attack(
  reader: string,
  { cutStep, flips, mutations, firstSeed, milliseconds }: Extent,
): Promise<Outcome> {
  const trial = new Trial(reader);
  const sound = samples(reader);
  const { tokens = [], seal } = readers[reader]!;
  if (sound.length === 0) return { figures: {}, broken: [`${reader}: no files to start from`] };
  const soundContents: string[] = [];
  for (const { name, bytes, sibling } of sound) {
    const read = () => (readers[reader]!.read ?? readStored)({ file: name, bytes, sibling });
    soundContents.push(await read().then(contents, (error: unknown) => String(error)));
    for (let i = 0; i < 20; i++) await read().catch(() => {});
  }
  gc!();
  const before = process.memoryUsage.rss();
  const deadline = performance.now() + milliseconds;
  const read = (i: number, bytes: Uint8Array, what: string) =>
    trial.read(bytes, `${sound[i]!.name}, ${what}`, sound[i]!, soundContents[i]!);

  for (const [i, { bytes }] of sound.entries()) {
    for (let cut = 0; cut < 200; cut += cutStep) {
      const length = Math.floor((cut * bytes.length) / 200);
      if (!(await read(i, bytes.subarray(0, length), `cut to ${length} bytes`))) break;
    }
  }
  const random = seeded(6);
  for (let flip = 0; flip < flips && performance.now() < deadline; flip++) {
    const i = flip % sound.length;
    const changed = Uint8Array.from(sound[i]!.bytes);
    changed[Math.floor(random() * changed.length)]! ^= 1 + Math.floor(random() * 255);
    if (!(await read(i, changed, `flip ${flip}`))) break;
  }
  let seed = firstSeed;
  for (; seed < firstSeed + mutations && performance.now() < deadline; seed++) {
    const i = seed % sound.length;
    const mutated = mutate(sound[i]!.bytes, sound, tokens, seeded(seed));
    const sealed = seal && Math.floor(seed / sound.length) % 2 === 0 ? seal(mutated) : mutated;
    if (!(await read(i, sealed, `seed ${seed}`))) break;
    // The last of them is near what a process was at that had to be killed.
    if (seed % 5000 === 0) process.stderr.write(`${reader}: seed ${seed}\n`);
  }

  gc!();
  const grownMB = (process.memoryUsage.rss() - before) / 1e6;
  const peakMB = process.resourceUsage().maxRSS / 1e3 - before / 1e6;
  if (!(grownMB <= mostMegabytes)) trial.broken.push(`${reader}: ${round(grownMB)} MB more resident memory`);
  const { outcomes, slowest, broken } = trial;
  const sizes = { files: sound.length, flips, mutations: seed - firstSeed };
  return {
    figures: { ...sizes, outcomes, slowestMs: round(slowest), grownMB: round(grownMB), peakMB: round(peakMB) },
    broken,
  };
}

/** Files that make their reader take as much as it may: the peak of one read, in MB above the memory before. */
async function greed(): Promise<Outcome> {
  // Linux forgets the peak when it is told to.
  const forget = '/proc/self/clear_refs';
  if (!existsSync(forget)) return { figures: { skipped: `${forget} is not there` }, broken: [] };
  const figures: Record<string, unknown> = {};
  const broken: string[] = [];
  // The HDF5 library is compiled once in a process, at its first file, which takes some 30 MB more.
  const first = new Uint8Array(readFileSync(path.join(checkpoints, 'hdf5/any.h5')));
  await readStored({ file: 'any.h5', bytes: first });
  for (const [name, make] of Object.entries(greedy)) {
    let least = Infinity;
    // What else is collected or compiled meanwhile is not of the file: what takes much takes it each time.
    for (let attempt = 0; attempt < 3 && least > mostMegabytes; attempt++) {
      const bytes = Uint8Array.from(make());
      const fileMB = round(bytes.length / 1e6);
      gc!();
      const before = process.memoryUsage.rss();
      writeFileSync(forget, '5');
      const from = performance.now();
      const outcome = await readStored({ file: 'x.index', bytes, sibling: async () => zeros(0) }).then(
        () => 'tensors',
        (error: unknown) => (error instanceof ShuffleNetError ? error.code : String(error)),
      );
      const milliseconds = performance.now() - from;
      const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
      least = Math.min(least, (peak - before) / 1e6);
      figures[name] = { fileMB, peakMB: round(least), ms: round(milliseconds), outcome };
    }
    // The file has been read already.
    if (!(least <= mostMegabytes)) broken.push(`${name}: ${round(least)} MB more memory`);
  }
  return { figures, broken };
}

/** An integer from the environment. */
function number(name: string, otherwise: number): number {
  return Number(process.env[name] ?? otherwise);
}

export async function measure(short: boolean): Promise<Outcome> {
  const names = Object.keys(readers).filter((name) => name === (process.env['READER'] ?? name));
  const extent: Extent = short
    ? { cutStep: 20, flips: 500, mutations: Infinity, firstSeed: 0, milliseconds: 10_000 / names.length }
    : {
        cutStep: 1,
        flips: 20_000,
        mutations: number('SEEDS', 100_000),
        firstSeed: number('FIRST_SEED', 0),
        milliseconds: Infinity,
      };
  const figures: Record<string, unknown> = {};
  const broken: string[] = [];
  const greedy = await greed();
  figures['greedy'] = greedy.figures;
  broken.push(...greedy.broken);
  for (const name of names) {
    const outcome = await attack(name, extent);
    figures[name] = outcome.figures;
    broken.push(...outcome.broken);
  }
  return { figures, broken };
}
