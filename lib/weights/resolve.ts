import { ShuffleNetError } from '../errors';
import type { Parameter } from '../network/parameters';
import type { PlacedTensor } from './families/family';
import { bothNames, firstTen, formatShape, quote } from './json';
import type { StoredTensor } from './stored';

/** A tensor's values as the file has them, or rounded to F32. */
export interface RawTensor {
  dtype: 'F32' | 'F16' | 'BF16';
  /** Little-endian, row-major, at any address: a view of the file's bytes where these lie so. */
  bytes: Uint8Array;
}

const dtypes: readonly string[] = ['F32', 'F16', 'BF16', 'F64'];

/**
 * The tensors a network needs, of those that a file has. No value is looked at: the addon converts and checks them on a
 * thread of its own.
 *
 * Throws ERR_WEIGHTS_TENSOR naming all tensors that are missing, not part of the network, of another shape, or not
 * F32, F16, BF16 or F64.
 */
export function resolveTensors(
  placed: ReadonlyMap<string, PlacedTensor>,
  unplaced: ReadonlyMap<string, StoredTensor>,
  parameters: ReadonlyMap<string, Parameter>,
  file: string,
): Map<string, PlacedTensor> {
  const wrong: string[] = [];
  const tensors = new Map<string, PlacedTensor>();
  for (const [name, { shape }] of parameters) {
    const tensor = placed.get(name);
    if (!tensor) {
      wrong.push(`${quote(name)} is missing, expected shape ${formatShape(shape)}`);
      continue;
    }
    const own = bothNames(name, tensor.from);
    const [{ dtype }, ...others] = tensor.parts as [StoredTensor, ...StoredTensor[]];
    if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
      wrong.push(`${own} has shape ${formatShape(tensor.shape)}, expected ${formatShape(shape)}`);
    } else if (!dtypes.includes(dtype)) {
      wrong.push(`${own} is ${dtype}, expected F32, F16, BF16 or F64`);
    } else if (others.some((part) => part.dtype !== dtype)) {
      wrong.push(`${own} is in parts of several dtypes, expected one`);
    } else {
      tensors.set(name, tensor);
    }
  }
  for (const [name, { from, shape }] of placed) {
    if (!parameters.has(name)) wrong.push(`${quote(from)} ${formatShape(shape)} is not part of the network`);
  }
  for (const [name, { shape }] of unplaced) {
    wrong.push(`${quote(name)} ${formatShape(shape)} is not part of the network`);
  }
  if (wrong.length > 0) {
    throw new ShuffleNetError(
      'ERR_WEIGHTS_TENSOR',
      `${file}: ${wrong.length} of the tensors do not fit the network: ${firstTen(wrong)}`,
    );
  }
  return tensors;
}
