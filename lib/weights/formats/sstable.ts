import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Allowance } from './allowance';
import { crc } from './crc';
import type { ProtobufFile } from './protobuf';

const footerLength = 48;
const magic = Buffer.from('57fb808b247547db', 'hex');
/** After a block: how it is compressed, and a CRC of both. */
const trailerLength = 5;
/** Of all together: short ones that have most in common with those before them would make long ones. */
const maxKeys = 2 ** 20;
/** Those of ShuffleNet, with the state of an optimizer, have a hundredth. CRCs of it are taken at once. */
const maxLength = 4 * 2 ** 20;

interface Entry {
  /** A character for each byte. */
  key: string;
  value: Uint8Array;
}

/**
 * The entries of a sorted table, in the order of their keys, of which no two are equal. TensorFlow's are LevelDB's:
 * https://github.com/google/leveldb/blob/main/doc/table_format.md. Values are views. Throws ERR_WEIGHTS_FORMAT for any
 * other order, for blocks that overlap, and for wrong CRCs.
 */
export function readTable(bytes: Uint8Array, file: ProtobufFile): Entry[] {
  if (bytes.length > maxLength)
    throw file.malformed(`an index of ${bytes.length} bytes, expected at most ${maxLength}`);
  const footer = Buffer.from(bytes.subarray(-footerLength));
  if (footer.length < footerLength || !footer.subarray(-magic.length).equals(magic)) {
    throw file.malformed("does not end as TensorFlow's index of a checkpoint does: is it truncated?");
  }
  const [, index] = readHandles(file, footer.subarray(0, -magic.length), 2);
  const entries: Entry[] = [];
  const allowance = new Allowance(maxKeys, (detail) => file.malformed(`an index of which ${detail}`));
  let end = 0;
  for (const { value } of readEntries(file, allowance, readBlock(file, bytes, index!))) {
    const [handle] = readHandles(file, value, 1);
    // Each byte is looked at once, whatever the index says.
    if (handle!.offset < end) throw file.malformed(`the block at byte ${handle!.offset} overlaps the one before it`);
    end = handle!.offset + handle!.size;
    for (const entry of readEntries(file, allowance, readBlock(file, bytes, handle!))) {
      const before = entries.at(-1);
      if (before && before.key >= entry.key) throw file.malformed('the keys of its index do not ascend');
      entries.push(entry);
    }
  }
  return entries;
}

/** Where blocks are. */
function readHandles(file: ProtobufFile, bytes: Uint8Array, count: number): { offset: number; size: number }[] {
  const reader = new BinaryReader(bytes);
  return guarded(file, 'a block handle', () =>
    Array.from({ length: count }, () => ({ offset: Number(reader.uint64()), size: Number(reader.uint64()) })),
  );
}

function readBlock(file: ProtobufFile, bytes: Uint8Array, { offset, size }: { offset: number; size: number }): Buffer {
  const end = offset + size + trailerLength;
  if (end > bytes.length - footerLength) {
    throw file.malformed(`a block ends at byte ${end}, where its ${bytes.length} bytes have the footer or nothing`);
  }
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + offset, size + trailerLength);
  const found = crc('crc32c', block.subarray(0, size + 1));
  const expected = unmasked(block.readUInt32LE(size + 1));
  if (found !== expected) {
    throw file.malformed(`the block at byte ${offset} has CRC ${found}, expected ${expected}: is it damaged?`);
  }
  if (block[size] !== 0) {
    throw file.malformed(`the block at byte ${offset} is compressed (${block[size]}), which TensorFlow's never are`);
  }
  return block.subarray(0, size);
}

/** A CRC as it is written beside what it is of. */
export function unmasked(crc: number): number {
  const rotated = (crc - 0xa282ead8) | 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Each entry has of its key only what differs from the one before. Where whole keys are, at the end, is not needed. */
function* readEntries(file: ProtobufFile, allowance: Allowance, block: Buffer): Generator<Entry> {
  const restarts = block.length < 4 ? Infinity : block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw file.malformed(`a block of ${block.length} bytes has no place for its restarts`);
  const reader = new BinaryReader(block.subarray(0, end));
  const number = () => guarded(file, 'an entry', () => reader.uint32());
  let key = '';
  while (reader.pos < end) {
    file.count(1);
    const [shared, own, length] = [number(), number(), number()];
    const middle = reader.pos + own;
    reader.pos = middle + length;
    if (shared > key.length || reader.pos > end) {
      throw file.malformed(`an entry of ${shared} + ${own} bytes of key and ${length} of value does not fit its block`);
    }
    allowance.take(shared + own, 'the keys');
    key = key.slice(0, shared) + block.toString('latin1', middle - own, middle);
    yield { key, value: block.subarray(middle, reader.pos) };
  }
}

function guarded<T>(file: ProtobufFile, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw file.malformed(`${what}: ${(cause as Error).message}`, { cause });
  }
}
