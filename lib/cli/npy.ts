import { ShuffleNetError } from '../errors';
import type { Tensor } from '../model/tensor';
import { npyMagic, parseNpy } from '../weights/formats/npy';

/**
 * The float32 array of a .npy file, versions 1 to 3, in C order and little-endian; a view of `bytes` where their
 * alignment allows. Throws ERR_INPUT naming `file` and what was found instead.
 */
export function readNpy(bytes: Buffer, file: string): Tensor {
  const malformed = (words: string) => new ShuffleNetError('ERR_INPUT', `${file}: ${words}`);
  const { descr, fortranOrder, shape, data } = parseNpy(bytes, malformed);
  if (descr !== '<f4') {
    throw malformed(`expected dtype '<f4' (little-endian float32), got ${JSON.stringify(descr).slice(0, 80)}`);
  }
  if (fortranOrder) throw malformed('expected C order, got Fortran order; save numpy.ascontiguousarray(x)');
  const length = shape.reduce((product, side) => product * side, 1);
  if (data.length !== 4 * length) {
    throw malformed(`expected ${4 * length} bytes of data for shape [${shape.join(', ')}], got ${data.length}`);
  }
  const { buffer, byteOffset } = data;
  const values =
    byteOffset % 4 === 0
      ? new Float32Array(buffer, byteOffset, length)
      : new Float32Array(buffer.slice(byteOffset, byteOffset + 4 * length));
  return { data: values, shape };
}

/** A .npy file, version 1, of float32 values. */
export function writeNpy({ data, shape }: Tensor): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data begin at a multiple of 64 bytes.
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const start = Buffer.alloc(10, npyMagic);
  start.writeUInt16LE(1, 6);
  start.writeUInt16LE(length, 8);
  const text = Buffer.from(`${header.padEnd(length - 1)}\n`, 'latin1');
  return Buffer.concat([start, text, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}
