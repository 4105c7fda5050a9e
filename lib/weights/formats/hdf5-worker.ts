/**
 * Reads one HDF5 file in a thread of its own, which hdf5.ts can end. The library is a C program in WebAssembly: whatever
 * a file makes of it, it can neither reach this process's memory nor its files, only compute for ever or ask for memory.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { isObject, quote } from '../json';
import type { Dtype, StoredTensor } from '../stored';

/** Given to the thread. */
export interface Hdf5Job {
  bytes: Uint8Array;
}

/** What it tells: first 'ready', once the library is there, and 'done', 'refused' or 'absent' last. */
export type Hdf5Message =
  | { kind: 'ready' }
  | { kind: 'tensor'; name: string; tensor: StoredTensor }
  | { kind: 'done'; metadata: Record<string, string> }
  | { kind: 'refused'; detail: string }
  | { kind: 'absent' };

type Library = typeof import('h5wasm', { with: { 'resolution-mode': 'import' }});
type Group = import('h5wasm', { with: { 'resolution-mode': 'import' }}).Group;

/** Bytes of its own memory beyond the file's size: of these the library takes 19 MB at once, and datasets the rest. */
export const memoryLimit = 28 * 2 ** 20;

/** Texts that Keras keeps of its models. */
const texts = ['keras_version', 'backend', 'model_config'];

/** The library; its memory never grows beyond `limit()` bytes. Rejects where it is not installed. */
export async function openLibrary(limit: () => number): Promise<Library> {
  const { prototype } = Reflect.get(globalThis, 'WebAssembly').Memory as {
    prototype: { buffer: ArrayBuffer; grow(pages: number): number };
  };
  const { grow } = prototype;
  prototype.grow = function (this: typeof prototype, pages) {
    // The library takes this as an allocation that failed.
    if (this.buffer.byteLength + pages * 65536 > limit()) throw new RangeError('no more memory for this file');
    return grow.call(this, pages);
  };
  const library = await import('h5wasm');
  (await library.ready).activate_throwing_error_handler();
  return library;
}

/**
 * Gives the datasets of a file to `give`, and returns its texts. Keras' weights by their own names, other files' by
 * their paths. Throws an error for what the library cannot read, and for more data than twice the file and 16 MB.
 */
export async function readContent(
  library: Library,
  bytes: Uint8Array,
  give: (name: string, tensor: StoredTensor) => void,
): Promise<Record<string, string>> {
  const module = await library.ready;
  const { FS, H5T_class_t: classes } = module;
  const path = 'file.h5';
  // Nothing but this file is in its file system, which is memory: links to other files lead nowhere.
  FS.createDataFile('/', path, bytes, true, false, true);
  let opened: InstanceType<Library['File']> | undefined;
  try {
    const file = (opened = new library.File(`/${path}`, 'r'));
    let left = 2 * bytes.length + 16 * 2 ** 20;
    const readDataset = (group: Group, name: string, as: string) => {
      const dataset = group.get(name);
      if (!(dataset instanceof library.Dataset)) throw new Error(`${quote(as)} is no dataset of the file`);
      const { type, size, signed, littleEndian, shape } = dataset.metadata;
      const kind = type === classes.H5T_FLOAT.value ? 'F' : type === classes.H5T_INTEGER.value ? 'I' : undefined;
      const dtype = kind && dtypes[kind === 'I' && !signed ? 'U' : kind][size];
      // Texts and the like are nothing to compute with.
      if (!dtype || !shape) return;
      if (!littleEndian && size > 1) throw new Error(`tensor ${quote(as)} is big-endian, expected little-endian`);
      const length = shape.reduce((product, n) => product * n, size);
      if (!(length <= left)) {
        throw new Error(
          `tensor ${quote(as)}: ${dtype} [${shape.slice(0, 8).join(', ')}] is more than the file can hold`,
        );
      }
      left -= length;
      const copy = new Uint8Array(length);
      if (length > 0) {
        const at = module._malloc(length);
        if (at === 0) throw new Error(`tensor ${quote(as)}: no memory for ${length} bytes`);
        const status = module.get_dataset_data(dataset.file_id, dataset.path, null, null, null, BigInt(at));
        if (status < 0) throw new Error(`tensor ${quote(as)} cannot be read`);
        copy.set(module.HEAPU8.subarray(at, at + length));
        module._free(at);
      }
      give(as, { dtype, shape: [...shape], bytes: copy });
    };
    /** An array of strings, which Keras cuts into several attributes where it is long. */
    const names = (group: Group, attribute: string): string[] | undefined => {
      const { attrs } = group;
      const read = (name: string): string[] => {
        const { metadata, value } = attrs[name]!;
        if (metadata.size * metadata.total_size > bytes.length) throw new Error(`attribute ${quote(name)} is too long`);
        const values: unknown[] = Array.isArray(value) ? value : [];
        // An empty list is one of floats.
        if (metadata.total_size === 0) return [];
        const strings = values.filter((entry) => typeof entry === 'string');
        if (strings.length < values.length || strings.length === 0) {
          throw new Error(`attribute ${quote(name)} must hold strings`);
        }
        return strings;
      };
      if (Object.hasOwn(attrs, attribute)) return read(attribute);
      if (!Object.hasOwn(attrs, `${attribute}0`)) return undefined;
      const all: string[] = [];
      for (let i = 0; Object.hasOwn(attrs, `${attribute}${i}`); i++) all.push(...read(`${attribute}${i}`));
      return all;
    };

    const inside = file.keys().includes('model_weights') ? file.get('model_weights') : file;
    const weights = inside instanceof library.Group ? inside : file;
    const layers = names(weights, 'layer_names');
    if (layers) {
      for (const layer of layers) {
        const group = weights.get(layer);
        if (!(group instanceof library.Group)) throw new Error(`the layer ${quote(layer)} has no group in the file`);
        for (const name of names(group, 'weight_names') ?? []) readDataset(group, name, name);
      }
    } else {
      for (const name of file.paths()) {
        if (file.get_type(name) === module.H5G_DATASET) readDataset(file, name, name);
      }
    }
    const metadata: Record<string, string> = {};
    for (const name of texts) {
      if (!Object.hasOwn(file.attrs, name)) continue;
      const { value } = file.attrs[name]!;
      if (typeof value === 'string') metadata[name] = value;
    }
    return metadata;
  } finally {
    try {
      opened?.close();
    } catch {
      // The thread ends, and all this with it.
    }
    FS.unlink(`/${path}`);
  }
}

const dtypes: Record<'F' | 'I' | 'U', Record<number, Dtype>> = {
  F: { 2: 'F16', 4: 'F32', 8: 'F64' },
  I: { 1: 'I8', 2: 'I16', 4: 'I32', 8: 'I64' },
  U: { 1: 'U8', 2: 'U16', 4: 'U32', 8: 'U64' },
};

/** What an exception of the library says, on one line: of its list of callers the last, which knows best. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const calls = [...message.matchAll(/ in \w+\(\):\s(.+?)\s+major:/gs)];
  return (calls.at(-1)?.[1] ?? message).replace(/\s+/g, ' ').trim().slice(0, 200);
}

async function work({ bytes }: Hdf5Job, tell: (message: Hdf5Message, move?: ArrayBuffer) => void): Promise<void> {
  let library: Library;
  try {
    library = await openLibrary(() => bytes.length + memoryLimit);
  } catch (error) {
    if (!(isObject(error) && error['code'] === 'ERR_MODULE_NOT_FOUND')) throw error;
    tell({ kind: 'absent' });
    return;
  }
  tell({ kind: 'ready' });
  try {
    const metadata = await readContent(library, bytes, (name, tensor) => {
      const { buffer } = tensor.bytes;
      tell({ kind: 'tensor', name, tensor }, buffer instanceof ArrayBuffer ? buffer : undefined);
    });
    tell({ kind: 'done', metadata });
  } catch (error) {
    tell({ kind: 'refused', detail: reason(error) });
  }
}

if (!isMainThread && parentPort && isObject(workerData) && workerData['hdf5'] instanceof Uint8Array) {
  const port = parentPort;
  void work({ bytes: workerData['hdf5'] }, (message, move) => port.postMessage(message, move ? [move] : []));
}
