import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ShuffleNetError } from '../../errors';
import { quote } from '../json';
import type { Dtype, StoredTensor } from '../stored';
import { dtypeBits } from '../stored';

/** Empty messages and single bytes cost a hundred times their size as objects; a network has some ten thousand. */
const maxFields = 80_000;
/** Weights one by one, not as a block of bytes, may take more memory than the file does. */
const maxConverted = 32 * 2 ** 20;
const maxName = 4096;
const maxRank = 16;

/** What to do with each field of a message, by its number; the others are passed over. */
export type Fields = Readonly<Record<number, (field: Field) => void>>;

/** Reads messages of a Protocol Buffers file whose fields the caller knows. Throws ERR_WEIGHTS_FORMAT. */
export class ProtobufFile {
  private fieldsLeft = maxFields;
  private convertedLeft = maxConverted;

  constructor(private readonly file: string) {}

  malformed(detail: string, options?: { cause: unknown }): ShuffleNetError {
    return new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${this.file}: ${detail}`, options);
  }

  /** Counts values against what a file may hold. */
  count(values: number): void {
    this.fieldsLeft -= values;
    if (this.fieldsLeft < 0) throw this.malformed(`more than ${maxFields} fields and integers, no network has as many`);
  }

  /** Bytes of memory for values that do not lie in the file as they are needed. */
  allocate(bytes: number): Uint8Array {
    this.convertedLeft -= bytes;
    if (this.convertedLeft < 0) {
      throw this.malformed(`more than ${maxConverted} bytes of values that are not stored as one block`);
    }
    return new Uint8Array(bytes);
  }

  /** Each field of `bytes` in the file's order. `message` is what they are, for errors. */
  read(bytes: Uint8Array, message: string, fields: Fields): void {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      this.count(1);
      const start = reader.pos;
      const [number, type, value] = this.next(reader, message);
      const take = fields[number];
      if (!take) continue;
      const all = type === WireType.Bit32 ? this.run(bytes, start, reader) : value;
      take(new Field(this, `${message}, field ${number}`, type, all));
    }
  }

  /**
   * The float at `start`, and those of the same field that follow it: end to end. A network whose weights are not
   * packed would have a million fields.
   */
  private run(bytes: Uint8Array, start: number, reader: BinaryReader): Uint8Array {
    const stride = reader.pos - start;
    // Fields from 16 on have longer tags, and no floats that are many.
    if (stride === 5) {
      while (reader.pos + stride <= bytes.length && bytes[reader.pos] === bytes[start]) reader.pos += stride;
    }
    const count = (reader.pos - start) / stride;
    if (count === 1) return bytes.subarray(reader.pos - 4, reader.pos);
    const values = this.allocate(4 * count);
    for (let i = 0, from = start + 1; i < values.length; i += 4, from += stride) {
      for (let j = 0; j < 4; j++) values[i + j] = bytes[from + j]!;
    }
    return values;
  }

  private next(reader: BinaryReader, message: string): [number, WireType, bigint | Uint8Array] {
    const start = reader.pos;
    try {
      const [number, type] = reader.tag();
      if (type === WireType.Varint) return [number, type, BigInt(reader.int64())];
      if (type === WireType.LengthDelimited) return [number, type, reader.bytes()];
      return [number, type, reader.skip(type, number)];
    } catch (cause) {
      const { message: detail } = cause as Error;
      throw this.malformed(`${message}: ${detail} at byte ${start} of ${reader.len}: is the file truncated?`, {
        cause,
      });
    }
  }
}

/** A field's value. The caller says what it has to be. */
export class Field {
  constructor(
    readonly file: ProtobufFile,
    private readonly name: string,
    private readonly type: WireType,
    private readonly value: bigint | Uint8Array,
  ) {}

  /** Of int64 and all smaller integers; beyond 2^53 only near it. */
  integer(): number {
    if (typeof this.value !== 'bigint') throw this.unexpected('an integer');
    return Number(this.value);
  }

  float(): number {
    return this.bit32('a float').getFloat32(0, true);
  }

  fixed32(): number {
    return this.bit32('a fixed32').getUint32(0, true);
  }

  private bit32(expected: string): DataView {
    if (typeof this.value === 'bigint' || this.type !== WireType.Bit32) throw this.unexpected(expected);
    // The last one counts.
    return new DataView(this.value.buffer, this.value.byteOffset + this.value.length - 4, 4);
  }

  /** Also a message. */
  bytes(): Uint8Array {
    if (typeof this.value === 'bigint' || this.type !== WireType.LengthDelimited) throw this.unexpected('bytes');
    return this.value;
  }

  text(limit = maxName): string {
    const bytes = this.bytes();
    if (bytes.length > limit)
      throw this.file.malformed(`${this.name}: a text of ${bytes.length} bytes, at most ${limit}`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  }

  /** Of a repeated integer: one, or several as a block. */
  integers(): bigint[] {
    if (typeof this.value === 'bigint') return [this.value];
    const bytes = this.bytes();
    const reader = new BinaryReader(bytes);
    const values: bigint[] = [];
    while (reader.pos < reader.len) {
      this.file.count(1);
      try {
        values.push(BigInt(reader.int64()));
      } catch (cause) {
        throw this.file.malformed(`${this.name}: ${(cause as Error).message}`, { cause });
      }
    }
    return values;
  }

  /** Of a repeated float or double: one or several, end to end; little-endian. */
  block(): Uint8Array {
    if (typeof this.value === 'bigint') throw this.unexpected('floats');
    return this.value;
  }

  private unexpected(expected: string): ShuffleNetError {
    return this.file.malformed(`${this.name}: expected ${expected}, has wire type ${this.type}`);
  }
}

/** Blocks end to end: itself where there is only one. */
export function joined(file: ProtobufFile, blocks: Uint8Array[]): Uint8Array {
  if (blocks.length === 1) return blocks[0]!;
  const bytes = file.allocate(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

/** `bytes` as a tensor, if they are as long as its shape says. */
export function checkedTensor(
  file: ProtobufFile,
  name: string,
  dtype: Dtype,
  sides: readonly bigint[],
  bytes: Uint8Array,
): StoredTensor {
  const words = `tensor ${quote(name)}`;
  if (sides.length > maxRank) throw file.malformed(`${words} has ${sides.length} dimensions, at most ${maxRank}`);
  const shape = sides.map(Number);
  const wrong = shape.find((side) => !Number.isSafeInteger(side) || side < 0);
  if (wrong !== undefined) throw file.malformed(`${words} has a side of ${wrong}`);
  // Exact wherever it equals the length of bytes in memory.
  const length = shape.reduce((product, side) => product * side, dtypeBits[dtype] / 8);
  if (length !== bytes.length) {
    throw file.malformed(
      `${words}: ${dtype} [${shape.join(', ')}] takes ${length} bytes, the file has ${bytes.length}: is it truncated?`,
    );
  }
  return { dtype, shape, bytes };
}
