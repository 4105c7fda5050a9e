import { ShuffleNetError } from '../../errors';
import { formatShape, quote } from '../json';
import { dtypeBits, sizeInBits, type Dtype, type StoredFile, type StoredTensor } from '../stored';
import { Allowance, tensorAllowance } from './allowance';
import { parseNpy } from './npy';
import { rowMajorStrides, toRowMajor } from '../strides';
import type { Zip } from './zip';

/** Words of NumPy's for numbers, little-endian. */
const dtypes: ReadonlyMap<string, Dtype> = new Map([
  ['<f4', 'F32'],
  ['<f2', 'F16'],
  ['<f8', 'F64'],
  ['|i1', 'I8'],
  ['<i2', 'I16'],
  ['<i4', 'I32'],
  ['<i8', 'I64'],
  ['|u1', 'U8'],
  ['<u2', 'U16'],
  ['<u4', 'U32'],
  ['<u8', 'U64'],
  ['|b1', 'BOOL'],
  ['<c8', 'C64'],
]);

const extension = '.npy';

export function isNpz(zip: Zip): boolean {
  return zip.names().some((name) => name.endsWith(extension));
}

/**
 * Reads what numpy.savez or numpy.savez_compressed wrote: a zip file of .npy files, whose names become the tensors'.
 * Arrays that are neither compressed nor in Fortran order stay views of the file's bytes. Arrays of objects are
 * pickles: an error. Rejects with ERR_WEIGHTS_FORMAT.
 */
export async function readNpz(zip: Zip, file: string): Promise<StoredFile> {
  const malformed = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`);
  const allowance = new Allowance(tensorAllowance, malformed);
  const tensors = new Map<string, StoredTensor>();
  for (const member of zip.names()) {
    if (!member.endsWith(extension)) throw malformed(`${quote(member)} in the .npz file is not an ${extension} file`);
    const wrong = (detail: string) => malformed(`${quote(member)}: ${detail}`);
    const { descr, fortranOrder, shape, data } = parseNpy(await zip.read(member, allowance), wrong);
    const dtype = dtypes.get(descr);
    if (!dtype) {
      const hint = descr.startsWith('|O') ? ', an array of Python objects, which is a pickle' : '';
      throw wrong(`expected a dtype of ${[...dtypes.keys()].join(', ')}, got ${quote(descr)}${hint}`);
    }
    const bits = sizeInBits(shape, dtype);
    if (bits !== 8 * data.length) {
      const size = bits === undefined ? 'more than 2^53' : bits / 8;
      throw wrong(`expected ${size} bytes of data for ${descr} ${formatShape(shape)}, got ${data.length}`);
    }
    let bytes = data;
    if (fortranOrder && shape.length > 1 && data.length > 0) {
      allowance.take(data.length, `${quote(member)}, turned into C order,`);
      const strides = rowMajorStrides(shape.toReversed()).reverse();
      bytes = await toRowMajor(data, dtypeBits[dtype] / 8, shape, strides);
    }
    tensors.set(member.slice(0, -extension.length), { dtype, shape, bytes });
  }
  return { format: 'npz', tensors, metadata: Object.create(null) };
}
