import { crc } from '../../../lib/weights/formats/crc';

export type Entry = [key: string | Uint8Array, value: Uint8Array];

/** A sorted table, as TensorFlow's index is one, of these blocks. CRCs are right. */
export function makeTable(...blocks: Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  let end = 0;
  const append = (block: Uint8Array) => {
    parts.push(block, Buffer.alloc(5));
    const handle = Buffer.concat([varint(end), varint(block.length)]);
    end += block.length + 5;
    return handle;
  };
  const handles = blocks.map((block): Entry => ['', append(block)]);
  const [metaindex, index] = [append(makeBlock([])), append(makeBlock(handles))];
  const footer = Buffer.alloc(48);
  Buffer.concat([metaindex, index]).copy(footer);
  footer.write('57fb808b247547db', 40, 'hex');
  return seal(Buffer.concat([...parts, footer]));
}

export function makeBlock(entries: Entry[]): Buffer {
  // One restart, at 0.
  return Buffer.concat([...entries.map((entry) => makeEntry(...entry)), Buffer.of(0, 0, 0, 0, 1, 0, 0, 0)]);
}

/** The first `shared` bytes of the key are those of the entry before it. */
export function makeEntry(own: string | Uint8Array, value: Uint8Array, shared = 0): Buffer {
  const key = Buffer.from(own as string);
  return Buffer.concat([varint(shared), varint(key.length), varint(value.length), key, value]);
}

export function varint(value: number): Buffer {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) + 0x80);
  return Buffer.of(...bytes, value);
}

export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The same table with right CRCs, of all blocks that can be found: what is wrong with it beyond that is not hidden. */
export function seal(table: Uint8Array): Buffer {
  const bytes = Buffer.from(table);
  const take = (from: Uint8Array, at: number): [value: number, end: number] => {
    let value = 0;
    for (let shift = 1; at < from.length; shift *= 0x80) {
      value += (from[at]! & 0x7f) * shift;
      if (from[at++]! < 0x80) break;
    }
    return [value, at];
  };
  const sealBlock = (from: Uint8Array, at: number): Buffer => {
    const [offset, middle] = take(from, at);
    const [size] = take(from, middle);
    if (!(offset + size + 5 <= bytes.length)) return Buffer.alloc(0);
    const block = bytes.subarray(offset, offset + size);
    bytes.writeUInt32LE(masked(crc('crc32c', bytes.subarray(offset, offset + size + 1))), offset + size + 1);
    return block;
  };
  if (bytes.length < 48) return bytes;
  const footer = Buffer.from(bytes.subarray(-48));
  const [, middle] = take(footer, take(footer, 0)[1]);
  const index = sealBlock(footer, middle);
  // Entries of the index, as far as they can be told.
  for (let at = 0; at < index.length - 8; ) {
    const [, afterShared] = take(index, at);
    const [own, afterOwn] = take(index, afterShared);
    const [length, start] = take(index, afterOwn);
    sealBlock(index.subarray(start + own, start + own + length), 0);
    at = start + own + length;
  }
  return bytes;
}
