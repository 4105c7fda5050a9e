import { ShuffleNetError } from '../errors';
import type { Tensor } from '../model/tensor';
import { isRecord } from '../network/validate';

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
const magic = Buffer.from('\x93NUMPY', 'latin1');

/**
 * The float32 array of a .npy file, versions 1 to 3, in C order and little-endian; a view of `bytes` where their
 * alignment allows. Throws ERR_INPUT naming `file` and what was found instead.
 */
export function readNpy(bytes: Buffer, file: string): Tensor {
  const fail = (words: string): never => {
    throw new ShuffleNetError('ERR_INPUT', `${file}: ${words}`);
  };
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(magic)) fail('not a .npy file');
  const version = bytes[6]!;
  if (version < 1 || version > 3) fail(`expected .npy version 1, 2 or 3, got ${version}`);
  const start = version === 1 ? 10 : 12;
  const end = start + (version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  if (end > bytes.length) fail(`truncated: the header ends at byte ${end}, the file at ${bytes.length}`);

  const {
    descr,
    fortran_order: fortranOrder,
    shape,
  } = parseHeader(bytes.toString(version === 3 ? 'utf8' : 'latin1', start, end)) ??
  fail('malformed header: expected a dictionary of descr, fortran_order and shape');
  if (descr !== '<f4') {
    fail(`expected dtype '<f4' (little-endian float32), got ${JSON.stringify(descr).slice(0, 80)}`);
  }
  if (fortranOrder) fail('expected C order, got Fortran order; save numpy.ascontiguousarray(x)');
  const length = shape.reduce((product, side) => product * side, 1);
  if (bytes.length - end !== 4 * length) {
    fail(`expected ${4 * length} bytes of data for shape [${shape.join(', ')}], got ${bytes.length - end}`);
  }
  const { buffer, byteOffset } = bytes;
  const offset = byteOffset + end;
  const data =
    offset % 4 === 0
      ? new Float32Array(buffer, offset, length)
      : new Float32Array(buffer.slice(offset, offset + 4 * length));
  return { data, shape };
}

interface Header {
  descr: unknown;
  fortran_order: boolean;
  shape: number[];
}

/** Reads a Python dictionary, as JSON but for a few signs. undefined unless its values are the three of a header. */
function parseHeader(text: string): Header | undefined {
  const json = text
    .replace(/'/g, '"')
    .replace(/\(/g, '[')
    .replace(/\)/g, ']')
    .replace(/\bTrue\b/g, 'true')
    .replace(/\bFalse\b/g, 'false')
    .replace(/,\s*([\]}])/g, '$1');
  let header: Header;
  try {
    header = JSON.parse(json) as Header;
  } catch {
    return undefined;
  }
  const complete =
    isRecord(header) &&
    Object.keys(header).sort().join() === 'descr,fortran_order,shape' &&
    typeof header.fortran_order === 'boolean' &&
    Array.isArray(header.shape) &&
    header.shape.every((side) => Number.isSafeInteger(side) && side >= 0);
  return complete ? header : undefined;
}

/** A .npy file, version 1, of float32 values. */
export function writeNpy({ data, shape }: Tensor): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data begin at a multiple of 64 bytes.
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const start = Buffer.alloc(10, magic);
  start.writeUInt16LE(1, 6);
  start.writeUInt16LE(length, 8);
  const text = Buffer.from(`${header.padEnd(length - 1)}\n`, 'latin1');
  return Buffer.concat([start, text, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}
