import { isUtf8 } from 'node:buffer';
import { ShuffleNetError } from '../../errors';
import { describe, formatShape, isObject, parseJson, quote } from '../json';
import { dtypeBits, sizeInBits, type Dtype, type StoredTensor } from '../stored';

export interface Safetensors {
  /** `__metadata__`, empty if the file has none. No prototype: only the file's own keys. */
  metadata: Record<string, string>;
  tensors: Map<string, StoredTensor>;
}

/** The reference implementation's limit. */
export const maxHeaderLength = 100_000_000;

/** By its first bytes, which no other format has: a length within the file, and JSON. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.byteLength > 10 && bytes[8] === 0x7b && lengthOfHeader(bytes) <= bytes.byteLength - 8;
}

/** Exact as a number wherever it passes the limit. */
function lengthOfHeader(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

/**
 * Reads a safetensors file: 8 bytes of header length (little-endian), the header (JSON), the data. `file` is its name
 * in error messages. Allocates nothing but the parsed header. Throws ERR_WEIGHTS_FORMAT unless the tensors lie in the
 * data side by side, without hole, overlap or rest, each as long as its shape and dtype say.
 */
export function readSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const malformed = (detail: string, options?: { cause: unknown }) =>
    new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`, options);

  if (bytes.byteLength < 8) {
    throw malformed(`${bytes.byteLength} bytes, a safetensors file starts with 8 bytes of header length`);
  }
  const headerLength = lengthOfHeader(bytes);
  if (headerLength < 2 || headerLength > maxHeaderLength) {
    throw malformed(`header length ${headerLength}, expected 2 to ${maxHeaderLength}: is this a safetensors file?`);
  }
  if (headerLength > bytes.byteLength - 8) {
    throw malformed(`header of ${headerLength} bytes, but only ${bytes.byteLength - 8} follow: is the file truncated?`);
  }
  const header = bytes.subarray(8, 8 + headerLength);
  const data = bytes.subarray(8 + headerLength);
  if (header[0] !== 0x7b) throw malformed("the header must start with '{'");
  if (!isUtf8(header)) throw malformed('the header is not valid UTF-8');
  let root: Record<string, unknown>;
  try {
    root = parseJson(Buffer.from(header.buffer, header.byteOffset, header.length).toString()) as Record<
      string,
      unknown
    >;
  } catch (error) {
    throw malformed(`the header is not valid JSON: ${(error as Error).message}`, { cause: error });
  }

  const metadata: Record<string, string> = Object.create(null);
  const tensors = new Map<string, StoredTensor>();
  const spans: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(root)) {
    if (name === '__metadata__') {
      if (!isObject(entry)) throw malformed(`__metadata__ must be an object, is ${describe(entry)}`);
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== 'string') {
          throw malformed(`__metadata__ ${quote(key)} must be a string, is ${describe(value)}`);
        }
        metadata[key] = value;
      }
      continue;
    }
    const tensor = `tensor ${quote(name)}`;
    if (!isObject(entry)) throw malformed(`${tensor} must be an object, is ${describe(entry)}`);
    const unknown = Object.keys(entry).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
    if (unknown !== undefined) throw malformed(`${tensor} has an unknown field ${quote(unknown)}`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype)) {
      throw malformed(`${tensor}: dtype must be one of ${Object.keys(dtypeBits).join(', ')}, is ${describe(dtype)}`);
    }
    if (!isSizes(shape)) {
      throw malformed(`${tensor}: shape must be an array of non-negative integers up to 2^53 - 1`);
    }
    if (!isSizes(offsets) || offsets.length !== 2) {
      throw malformed(`${tensor}: data_offsets must be two non-negative integers up to 2^53 - 1`);
    }
    const [begin, end] = offsets as [number, number];
    if (begin > end || end > data.byteLength) {
      throw malformed(
        `${tensor}: data_offsets [${begin}, ${end}] must ascend within the file's ${data.byteLength} bytes of data`,
      );
    }
    const bits = sizeInBits(shape, dtype as Dtype);
    if (bits !== (end - begin) * 8) {
      const size = bits === undefined ? 'more than 2^53 bits' : `${bits / 8} bytes`;
      throw malformed(`${tensor}: ${dtype} ${formatShape(shape)} takes ${size}, data_offsets span ${end - begin}`);
    }
    tensors.set(name, { dtype: dtype as Dtype, shape, bytes: data.subarray(begin, end) });
    spans.push({ name, begin, end });
  }

  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const span of spans) {
    if (span.begin < end) {
      throw malformed(`tensor ${quote(span.name)} overlaps the one before it at byte ${span.begin}`);
    }
    if (span.begin > end) {
      throw malformed(`${span.begin - end} bytes before tensor ${quote(span.name)} belong to no tensor`);
    }
    end = span.end;
  }
  if (end !== data.byteLength) throw malformed(`${data.byteLength - end} bytes after the last tensor`);
  return { metadata, tensors };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/**
 * A safetensors file, the same for the same tensors and texts. Tensors of wide elements come first, else in the order
 * given, so that every one lies at a multiple of its elements' size, as other readers want it.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = [...tensors].sort(([, a], [, b]) => dtypeBits[b.dtype] - dtypeBits[a.dtype]);
  let end = 0;
  const entries = sorted.map(([name, { dtype, shape, bytes }]): [string, unknown] => {
    const begin = end;
    end += bytes.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries([['__metadata__', metadata], ...entries])));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + end).fill(0x20, 8, 8 + headerLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, 8);
  let at = 8 + headerLength;
  for (const [, { bytes }] of sorted) {
    file.set(bytes, at);
    at += bytes.byteLength;
  }
  return file;
}
