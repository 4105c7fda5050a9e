import { inTurns } from '../../image/turns';

/** By the polynomial, whose bits are in reverse. */
const tables = { crc32: makeTable(0xedb88320), crc32c: makeTable(0x82f63b78) };

/** What is checked at once: about a millisecond. */
const piece = 2 ** 18;

function makeTable(polynomial: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = (byte >>> 1) ^ (byte & 1 ? polynomial : 0);
    return byte;
  });
}

/** Of `bytes` and of what came before them, whose own it is given. */
export function crc(kind: keyof typeof tables, bytes: Uint8Array, before = 0): number {
  const table = tables[kind];
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** The same of many bytes, without keeping the event loop. */
export async function crcInTurns(kind: keyof typeof tables, bytes: Uint8Array): Promise<number> {
  let sum = 0;
  await inTurns(Math.ceil(bytes.length / piece), (turn) => {
    sum = crc(kind, bytes.subarray(turn * piece, (turn + 1) * piece), sum);
  });
  return sum;
}
