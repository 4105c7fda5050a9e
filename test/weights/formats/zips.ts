import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { crc as crcOf } from '../../../lib/weights/formats/crc';

export interface ZipMember {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  /** What the directory says instead of the truth. */
  method?: number;
  flags?: number;
  size?: number;
  crc?: number;
  compressedSize?: number;
  /** Of the local header, instead of where it is. */
  offset?: number;
}

/** A zip file as its members say, sound or not. */
export function makeZip(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const member of members) {
    const { name, data, deflate = false, flags = 0 } = member;
    const content = deflate ? deflateRawSync(data) : data;
    const { method = deflate ? 8 : 0, size = data.length, compressedSize = content.length, offset = at } = member;
    const { crc = crcOf('crc32', data) } = member;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(compressedSize, 20);
    entry.writeUInt32LE(size, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(local, Buffer.from(name), Buffer.from(content));
    at += 30 + Buffer.byteLength(name) + content.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, entries, end]);
}

/** The same zip file with right CRCs, of all its files that can be found: what is wrong with it beyond that is not hidden. */
export function sealZip(zip: Uint8Array): Buffer {
  const bytes = Buffer.from(zip);
  const signature = Buffer.from('PK\x01\x02');
  for (let at = bytes.indexOf(signature); at >= 0 && at + 46 <= bytes.length; at = bytes.indexOf(signature, at + 1)) {
    const local = bytes.readUInt32LE(at + 42);
    if (local + 30 > bytes.length) continue;
    const begin = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(begin, begin + bytes.readUInt32LE(at + 20));
    try {
      const deflated = bytes.readUInt16LE(at + 10) !== 0;
      const data = deflated ? inflateRawSync(content, { maxOutputLength: 2 ** 24 }) : content;
      bytes.writeUInt32LE(crcOf('crc32', data), at + 16);
    } catch {
      // What cannot be inflated is refused for that.
    }
  }
  return bytes;
}
