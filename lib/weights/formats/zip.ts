import { inflateRaw } from 'node:zlib';
import type { ZipFile } from 'yauzl';
import { ShuffleNetError } from '../../errors';
import { quote } from '../json';
import type { Source } from '../stored';
import type { Allowance } from './allowance';
import { crcInTurns } from './crc';

/** A file of a zip file. */
interface Entry {
  name: string;
  /** As they are stored; a view. */
  bytes: Uint8Array;
  method: number;
  /** Of what was put in. */
  size: number;
  crc: number;
}

/** A ShuffleNet has 150 to 400 tensors, an optimiser twice as many. */
const maxEntries = 4096;
/** PyTorch's begin with the name that the file had, 255 characters at most. */
const maxNameLength = 300;

/** Methods of compression. */
const stored = 0;
const deflated = 8;
/** 258 bytes from 2 bits, and blocks that end. */
const largestRatio = 1032;

const encrypted = 1;

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** The files in a zip file, by name; nothing is inflated before it is asked for. */
export class Zip {
  private constructor(
    private readonly file: string,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /**
   * Reads the directory. Rejects with ERR_WEIGHTS_FORMAT where it is damaged, names a file twice, gives names that
   * lead out of a folder, or places files beyond the end or on top of each other.
   */
  static async open({ bytes, file }: Source): Promise<Zip> {
    const malformed = (detail: string, options?: { cause: unknown }) =>
      new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`, options);
    const { fromBufferPromise } = require('yauzl') as typeof import('yauzl');
    const entries = new Map<string, Entry>();
    const spans: { name: string; begin: number; end: number }[] = [];
    try {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const zip: ZipFile = await fromBufferPromise(buffer, { strictFileNames: true });
      for await (const entry of zip.eachEntry()) {
        const { fileName: name, compressionMethod: method, compressedSize, uncompressedSize: size, crc32: crc } = entry;
        if (entries.size === maxEntries) throw malformed(`a zip file of more than ${maxEntries} files`);
        if (name.length > maxNameLength)
          throw malformed(`the zip file's ${quote(name)} is longer than ${maxNameLength}`);
        if (entries.has(name)) throw malformed(`the zip file has two files ${quote(name)}`);
        if (entry.generalPurposeBitFlag & encrypted) throw malformed(`the zip file's ${quote(name)} is encrypted`);
        const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
        const end = fileDataStart + compressedSize;
        entries.set(name, { name, bytes: bytes.subarray(fileDataStart, end), method, size, crc });
        spans.push({ name, begin: entry.relativeOffsetOfLocalHeader, end });
      }
    } catch (cause) {
      if (cause instanceof ShuffleNetError) throw cause;
      throw malformed(`a damaged zip file: ${(cause as Error).message.slice(0, 300)}`, { cause });
    }
    spans.sort((a, b) => a.begin - b.begin);
    for (const [i, { name, begin }] of spans.entries()) {
      const before = spans[i - 1];
      if (before && begin < before.end) {
        throw malformed(`the zip file's ${quote(name)} lies on top of ${quote(before.name)}`);
      }
    }
    return new Zip(file, entries);
  }

  names(): string[] {
    return [...this.entries.keys()];
  }

  /** undefined where there is none. */
  size(name: string): number | undefined {
    return this.entries.get(name)?.size;
  }

  /**
   * A view where the file is stored as it is; else inflated, once its size has been taken from `allowance`. Checks the
   * CRC, which PyTorch writes unless it is told not to (and itself does not look at).
   */
  async read(name: string, allowance: Allowance): Promise<Uint8Array> {
    const entry = this.entries.get(name);
    if (!entry) throw this.malformed(`the zip file has no ${quote(name)}`);
    const content = await this.inflated(entry, allowance);
    const found = await crcInTurns('crc32', content);
    if (found !== entry.crc) {
      throw this.malformed(
        `${quote(name)} has CRC ${found}, expected ${entry.crc}: copy or download it again, or let PyTorch save it with ` +
          'set_crc32_options(True)',
      );
    }
    return content;
  }

  private async inflated({ name, bytes, method, size }: Entry, allowance: Allowance): Promise<Uint8Array> {
    if (method === stored) return bytes;
    if (method !== deflated)
      throw this.malformed(`${quote(name)} is compressed by method ${method}, expected stored or deflated`);
    if (size > bytes.length * largestRatio)
      throw this.malformed(`${quote(name)}: ${bytes.length} bytes cannot inflate to ${size}`);
    allowance.take(size, `${quote(name)}, inflated,`);
    const inflated = await new Promise<Uint8Array>((resolve, reject) => {
      // In one piece, on a thread of libuv's; one byte more shows what is longer than it says.
      inflateRaw(bytes, { chunkSize: Math.max(64, size + 1), maxOutputLength: size + 1 }, (cause, result) =>
        cause
          ? reject(this.malformed(`${quote(name)} cannot be inflated: ${cause.message}`, { cause }))
          : resolve(result),
      );
    });
    if (inflated.length !== size) throw this.malformed(`${quote(name)} inflates to another size than ${size} bytes`);
    return inflated;
  }

  private malformed(detail: string, options?: { cause: unknown }): ShuffleNetError {
    return new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${this.file}: ${detail}`, options);
  }
}
