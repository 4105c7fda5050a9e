import { ShuffleNetError } from '../../errors';
import { describe, formatShape, quote } from '../json';
import { dtypeBits, sizeInBits, type Dtype, type StoredFile, type StoredTensor } from '../stored';
import { Allowance, tensorAllowance } from './allowance';
import { Global, Inert, readPickle, type PickleHost } from './pickle';
import { maxHeaderLength } from './safetensors';
import { isRowMajor, toRowMajor } from '../strides';
import type { Zip } from './zip';

/** Objects of a checkpoint's pickle, as estimated: those of 300 tensors with two of an optimiser's each are 2 MB. */
const pickleAllowance = 10 * 2 ** 20;
const maxSides = 32;
/** Of dictionaries and modules in each other. */
const maxDepth = 64;
/** Parts of modules: a module can be part of many, and theirs of many more. */
const maxParts = 20_000;
const maxNameLength = 1000;

/** Of `torch.FloatStorage`, `torch.cuda.FloatStorage`, and, since PyTorch 2, of bytes without a type. */
const storageDtypes: ReadonlyMap<string, Dtype> = new Map([
  ['Double', 'F64'],
  ['Float', 'F32'],
  ['Half', 'F16'],
  ['BFloat16', 'BF16'],
  ['Long', 'I64'],
  ['Int', 'I32'],
  ['Short', 'I16'],
  ['Char', 'I8'],
  ['Byte', 'U8'],
  ['Bool', 'BOOL'],
  ['ComplexFloat', 'C64'],
  ['Untyped', 'U8'],
]);

/** Storages whose values nobody here can use, but which a legacy file may have between others. */
const otherStorageBits: ReadonlyMap<string, number> = new Map([
  ['ComplexDouble', 128],
  ['QInt8', 8],
  ['QUInt8', 8],
  ['QInt32', 32],
]);

/** Of `_rebuild_tensor_v3`, whose storages have no type. */
const dtypes: ReadonlyMap<string, Dtype> = new Map([
  ['torch.uint16', 'U16'],
  ['torch.uint32', 'U32'],
  ['torch.uint64', 'U64'],
  ['torch.float8_e4m3fn', 'F8_E4M3'],
  ['torch.float8_e5m2', 'F8_E5M2'],
]);

/** Where people keep a state dict, likeliest first, and a network's own weights before averages of them. */
const wrappers = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'module',
  'params',
  'weights',
  'state_dict_ema',
  'ema_state_dict',
  'model_ema',
  'ema_model',
  'params_ema',
  'ema',
];

/** The first pickle of the legacy form: a protocol, perhaps a frame, and 0x1950a86a20f9469cfc6c. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;

/** A storage as the pickle speaks of it. */
class Storage {
  constructor(
    readonly key: string,
    readonly dtype: Dtype | undefined,
    readonly elementBits: number,
    /** In elements. */
    readonly length: number,
    /** In a legacy file, a part of a storage may be one, too. */
    readonly begin: number,
    readonly end: number,
  ) {}
}

/** A tensor whose storage nobody has looked at yet. Offset and strides in elements. */
class Tensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly dtype: Dtype,
  ) {}
}

export function isTorchZip(zip: Zip): boolean {
  return pickleName(zip) !== undefined;
}

/** `torch.save` puts all into a folder. */
function pickleName(zip: Zip): string | undefined {
  return zip.names().find((name) => /^([^/]+\/)?data\.pkl$/.test(name));
}

/**
 * Whether a file starts as a pickle of protocol 2 to 5, which the legacy form is. So does a safetensors file whose header
 * has 640 bytes; but a pickle's first eight bytes are no length that one can have.
 */
export function isPickle(bytes: Uint8Array): boolean {
  if (bytes.length < 8 || bytes[0] !== 0x80 || bytes[1]! < 2 || bytes[1]! > 5) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) > maxHeaderLength;
}

/**
 * Reads what `torch.save` has written since PyTorch 1.6, a zip file of a pickle and storages, and the parameters of
 * TorchScript files, which have the same form. Tensors are views of the file's bytes unless they are compressed or not
 * contiguous. What lies beside the state dict, such as an optimiser's tensors, is not read. Rejects with
 * ERR_WEIGHTS_FORMAT.
 */
export async function readTorchZip(zip: Zip, file: string): Promise<StoredFile> {
  const checkpoint = new Checkpoint(file);
  const { malformed, copies } = checkpoint;
  const pickle = pickleName(zip)!;
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (zip.size(`${folder}byteorder`) !== undefined) {
    const order = Buffer.from(await zip.read(`${folder}byteorder`, copies)).toString('latin1');
    if (order !== 'little') throw malformed(`byte order ${quote(order)}, expected little; save it on another machine`);
  }
  const bytes = await zip.read(pickle, copies);
  const { value, end } = await checkpoint.read(bytes, 0);
  if (end !== bytes.length) throw malformed(`${bytes.length - end} bytes after the pickle in ${quote(pickle)}`);

  const contents = new Map<string, Uint8Array>();
  return checkpoint.stored(value, async (key) => {
    const content = contents.get(key) ?? (await zip.read(`${folder}data/${key}`, copies));
    contents.set(key, content);
    return content;
  });
}

/**
 * Reads what `torch.save` wrote before PyTorch 1.6, and with `_use_new_zipfile_serialization=False`: five pickles, then
 * the storages. As readTorchZip() in all else.
 */
export async function readTorchPickles(bytes: Uint8Array, file: string): Promise<StoredFile> {
  const checkpoint = new Checkpoint(file);
  const { malformed } = checkpoint;
  const magic = await checkpoint.read(bytes, 0);
  if (magic.value !== legacyMagic) throw malformed('a pickle, but not one of torch.save; save a state_dict with that');
  const protocol = await checkpoint.read(bytes, magic.end);
  if (protocol.value !== legacyProtocol) {
    throw malformed(`protocol ${describe(protocol.value)} of torch.save, expected ${legacyProtocol}`);
  }
  const system = await checkpoint.read(bytes, protocol.end);
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true) {
    throw malformed('not marked as little-endian; save it on another machine');
  }
  const root = await checkpoint.read(bytes, system.end);
  const keys = await checkpoint.read(bytes, root.end);
  if (!Array.isArray(keys.value)) throw malformed('no list of storages after the pickle');

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const contents = new Map<string, Uint8Array>();
  let at = keys.end;
  for (const key of keys.value as unknown[]) {
    const bits = typeof key === 'string' ? checkpoint.elementBits.get(key) : undefined;
    if (typeof key !== 'string' || bits === undefined)
      throw malformed(`the storage ${describe(key)} belongs to nothing`);
    if (contents.has(key)) throw malformed(`the storage ${quote(key)} occurs twice`);
    if (at + 8 > bytes.length) throw malformed(`truncated: the storage ${quote(key)} is missing`);
    const size = (Number(view.getBigUint64(at, true)) * bits) / 8;
    at += 8;
    if (size > bytes.length - at) {
      throw malformed(`truncated: storage ${quote(key)} of ${size} bytes, but only ${bytes.length - at} follow`);
    }
    contents.set(key, bytes.subarray(at, (at += size)));
  }
  if (at !== bytes.length) throw malformed(`${bytes.length - at} bytes after the last storage`);

  return checkpoint.stored(root.value, (key) => {
    const content = contents.get(key);
    if (!content) throw malformed(`the storage ${quote(key)} is missing`);
    return content;
  });
}

/** The pickles of one file, and what becomes of them. */
class Checkpoint implements PickleHost {
  readonly malformed = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${this.file}: ${detail}`);
  /** For what is inflated or made contiguous. */
  readonly copies = new Allowance(tensorAllowance, this.malformed);
  /** Bits per element of every storage that the pickles speak of. */
  readonly elementBits = new Map<string, number>();
  readonly #objects = new Allowance(pickleAllowance, this.malformed);

  constructor(private readonly file: string) {}

  read(bytes: Uint8Array, start: number): Promise<{ value: unknown; end: number }> {
    return readPickle(bytes, start, this, this.#objects, this.malformed);
  }

  persistent(id: unknown): unknown {
    // Of the form ('module', class, file, source): whole modules in legacy files.
    if (Array.isArray(id) && id[0] === 'module') return id[1];
    if (!Array.isArray(id) || id[0] !== 'storage' || !(id[1] instanceof Global)) {
      throw this.malformed(`${describe(id)} in the pickle, expected ('storage', type, key, device, length)`);
    }
    const [, type, key, , length, part = null] = id as [string, Global, ...unknown[]];
    const name = /^torch\.(?:cuda\.|storage\.)?_?(\w+)Storage$/.exec(type.name)?.[1] ?? '';
    const dtype = storageDtypes.get(name);
    const elementBits = dtype ? dtypeBits[dtype] : otherStorageBits.get(name);
    if (elementBits === undefined) throw this.malformed(`a storage of type ${quote(type.name)}, which is not known`);
    if (typeof key !== 'string' || !isSize(length)) {
      throw this.malformed(`a storage ${describe(key)} of length ${describe(length)}`);
    }
    if ((this.elementBits.get(key) ?? elementBits) !== elementBits) {
      throw this.malformed(`the storage ${quote(key)} has two types`);
    }
    this.elementBits.set(key, elementBits);
    let [begin, end] = [0, length];
    if (part !== null) {
      const [, offset, size] = Array.isArray(part) ? (part as unknown[]) : [];
      if (!isSize(offset) || !isSize(size) || offset + size > length) {
        throw this.malformed(`a part of the storage ${quote(key)} that reaches outside of it`);
      }
      [begin, end] = [offset, offset + size];
    }
    return new Storage(key, dtype, elementBits, length, begin, end);
  }

  call(name: string, args: readonly unknown[], spend: (bytes: number) => void): unknown {
    switch (name) {
      case 'collections.OrderedDict':
        return this.#orderedDict(args[0] ?? [], spend);
      case 'torch._utils._rebuild_tensor':
      case 'torch._utils._rebuild_tensor_v2':
        return this.#tensor(args, undefined, spend);
      case 'torch._utils._rebuild_tensor_v3':
        return this.#tensor(args, args[6], spend);
      case 'torch._utils._rebuild_parameter':
      case 'torch._utils._rebuild_parameter_with_state':
      case 'torch.nn.parameter.Parameter':
      case 'torch.autograd.variable.Variable':
      case 'torch.nn.parameter.Buffer':
        return args[0] instanceof Tensor ? args[0] : undefined;
      default:
        return undefined;
    }
  }

  /** Python 2 gives the pairs as an argument. */
  #orderedDict(pairs: unknown, spend: (bytes: number) => void): Map<unknown, unknown> | undefined {
    if (!Array.isArray(pairs)) return undefined;
    spend(64 * pairs.length);
    const dictionary = new Map<unknown, unknown>();
    for (const pair of pairs as unknown[]) {
      if (!Array.isArray(pair) || pair.length !== 2) throw this.malformed('an OrderedDict of what are no pairs');
      if (dictionary.has(pair[0])) throw this.malformed(`the key ${describe(pair[0])} occurs twice`);
      dictionary.set(pair[0], pair[1]);
    }
    return dictionary;
  }

  #tensor(args: readonly unknown[], type: unknown, spend: (bytes: number) => void): Tensor | undefined {
    const [storage, offset, shape, strides] = args;
    if (!(storage instanceof Storage) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) {
      throw this.malformed('a tensor whose storage, offset, shape or strides are not what PyTorch writes');
    }
    if (shape.length !== strides.length) {
      throw this.malformed(`a tensor of ${shape.length} sides and ${strides.length} strides`);
    }
    const dtype = type instanceof Global ? dtypes.get(type.name) : storage.dtype;
    // As inert as what is not known: quantised and complex numbers.
    if (!dtype) return undefined;
    spend(32 * shape.length);
    return new Tensor(storage, offset, [...shape], [...strides], dtype);
  }

  /** The state dict's tensors. `content` gives a storage's bytes. */
  async stored(root: unknown, content: (key: string) => Uint8Array | Promise<Uint8Array>): Promise<StoredFile> {
    const tensors = new Map<string, StoredTensor>();
    for (const [name, tensor] of withoutPrefix(this.#stateDict(root))) {
      tensors.set(name, await this.#materialise(name, tensor, content));
    }
    return { format: 'pytorch', tensors, metadata: Object.create(null) };
  }

  /** Finds the state dict in what people wrap it with, or makes that of a whole module. */
  #stateDict(root: unknown): Map<string, Tensor> {
    let value = root;
    for (let depth = 0; depth < maxDepth; depth++) {
      if (value instanceof Inert) return this.#ofModule(value);
      if (!(value instanceof Map)) {
        throw this.malformed(`holds ${typeOf(value)}, expected a state_dict: save model.state_dict()`);
      }
      const dictionary = value;
      const wrapper = wrappers.find((name) => {
        const inner: unknown = dictionary.get(name);
        return inner instanceof Map || (inner instanceof Inert && inner.state instanceof Map);
      });
      if (wrapper === undefined) return this.#ofDictionary(dictionary);
      value = dictionary.get(wrapper);
    }
    throw this.malformed(`dictionaries nested deeper than ${maxDepth}`);
  }

  #ofDictionary(dictionary: ReadonlyMap<unknown, unknown>): Map<string, Tensor> {
    const values = [...dictionary];
    if (!values.some(([, value]) => value instanceof Tensor)) {
      const keys = values.slice(0, 10).map(([key, value]) => `${describe(key)}: ${typeOf(value)}`);
      throw this.malformed(
        `no state_dict is in it, but ${values.length} keys (${keys.join('; ')}); expected tensors or ${wrappers[0]}`,
      );
    }
    const tensors = new Map<string, Tensor>();
    for (const [key, value] of values) {
      if (typeof key !== 'string' || !(value instanceof Tensor)) {
        throw this.malformed(`${describe(key)} in the state_dict is ${typeOf(value)}, expected a tensor`);
      }
      tensors.set(key, value);
    }
    return tensors;
  }

  /** Parameters and buffers of a pickled module and the modules in it; of TorchScript's, every attribute. */
  #ofModule(root: Inert): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>();
    let parts = 0;
    const collect = (module: Inert, prefix: string, depth: number) => {
      if (depth > maxDepth || prefix.length > maxNameLength) throw this.malformed('modules nested too deep');
      const { state } = module;
      if (!(state instanceof Map)) return;
      const script = module.of.startsWith('__torch__.');
      const groups: unknown[] = script
        ? [state]
        : ['_parameters', '_buffers', '_modules'].map((name) => state.get(name));
      for (const group of groups) {
        if (!(group instanceof Map)) continue;
        for (const [key, value] of group as Map<unknown, unknown>) {
          if (++parts > maxParts) throw this.malformed(`modules of more than ${maxParts} parts`);
          if (typeof key !== 'string') continue;
          if (value instanceof Tensor) tensors.set(prefix + key, value);
          else if (value instanceof Inert) collect(value, `${prefix}${key}.`, depth + 1);
        }
      }
    };
    collect(root, '', 0);
    if (tensors.size === 0) {
      throw this.malformed(`holds ${typeOf(root)}, without tensors in it; save model.state_dict() with torch.save`);
    }
    return tensors;
  }

  async #materialise(
    name: string,
    { storage, offset, shape, strides, dtype }: Tensor,
    content: (key: string) => Uint8Array | Promise<Uint8Array>,
  ): Promise<StoredTensor> {
    const wrong = (detail: string) => this.malformed(`tensor ${quote(name)}: ${detail}`);
    const whole = await content(storage.key);
    if (whole.length * 8 !== storage.length * storage.elementBits) {
      throw wrong(
        `its storage should have ${storage.length} of ${storage.elementBits} bits, has ${whole.length} bytes`,
      );
    }
    const elementBytes = dtypeBits[dtype] / 8;
    const from = (storage.begin * storage.elementBits) / 8 + offset * elementBytes;
    const to = (storage.end * storage.elementBits) / 8;
    const bits = sizeInBits(shape, dtype);
    // Exact, or above 2^53, where no storage reaches.
    const last = shape.reduce((sum, n, i) => sum + (n - 1) * strides[i]!, 0);
    if (bits === undefined || from > to || (bits > 0 && from + (last + 1) * elementBytes > to)) {
      const place = `offset ${offset}, shape ${formatShape(shape)}, strides ${formatShape(strides)}`;
      throw wrong(`${place} reach outside of its storage of ${storage.end - storage.begin}`);
    }
    if (isRowMajor(shape, strides)) return { dtype, shape: [...shape], bytes: whole.subarray(from, from + bits / 8) };
    this.copies.take(bits / 8, `tensor ${quote(name)}, made contiguous,`);
    return {
      dtype,
      shape: [...shape],
      bytes: await toRowMajor(whole.subarray(from, to), elementBytes, shape, strides),
    };
  }
}

/** DataParallel calls the network 'module', and so does AveragedModel, which counts in 'n_averaged'. */
function withoutPrefix(tensors: Map<string, Tensor>): Map<string, Tensor> {
  const prefix = 'module.';
  let entries = [...tensors];
  const averaged = entries.filter(([name]) => name !== 'n_averaged');
  if (averaged.length > 0 && averaged.every(([name]) => name.startsWith(prefix))) entries = averaged;
  while (entries.every(([name]) => name.startsWith(prefix))) {
    entries = entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]);
  }
  return new Map(entries);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Lists can be long, and be arguments many times over: their length comes first. */
function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= maxSides && value.every(isSize);
}

/** For error messages. */
function typeOf(value: unknown): string {
  if (value instanceof Tensor) return `a tensor ${formatShape(value.shape)}`;
  if (value instanceof Inert) return `what ${quote(value.of)} would make`;
  if (value instanceof Global) return `the global ${quote(value.name)}`;
  if (value instanceof Map) return `a dictionary of ${value.size}`;
  return describe(value);
}
