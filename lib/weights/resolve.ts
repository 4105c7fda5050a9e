import { ShuffleNetError } from '../errors';
import type { Parameter } from '../network/parameters';
import { firstTen, formatShape, quote } from './json';
import type { Dtype, StoredTensor } from './stored';

/** A tensor's values as the file has them. */
export interface RawTensor {
  dtype: 'F32' | 'F16' | 'BF16';
  /** Little-endian, row-major, at any address: a view of the file's bytes. */
  bytes: Uint8Array;
}

/**
 * The tensors a network needs, in PyTorch order (convolution [out, in/groups, kh, kw], fully connected [out, in]).
 * Nothing is copied, and no value is looked at: the addon converts and checks them on a thread of its own. PyTorch's
 * `num_batches_tracked` counters are passed over.
 *
 * Throws ERR_WEIGHTS_TENSOR naming all tensors that are missing, not part of the network, of another shape, or not
 * F32, F16 or BF16.
 */
export function resolveTensors(
  stored: ReadonlyMap<string, StoredTensor>,
  parameters: ReadonlyMap<string, Parameter>,
  file: string,
): Record<string, RawTensor> {
  const wrong: string[] = [];
  const tensors: Record<string, RawTensor> = {};
  for (const [name, { shape }] of parameters) {
    const tensor = stored.get(name);
    if (!tensor) {
      wrong.push(`${quote(name)} is missing, expected shape ${formatShape(shape)}`);
    } else if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
      wrong.push(`${quote(name)} has shape ${formatShape(tensor.shape)}, expected ${formatShape(shape)}`);
    } else if (!isFloat(tensor.dtype)) {
      wrong.push(`${quote(name)} is ${tensor.dtype}, expected F32, F16 or BF16`);
    } else {
      tensors[name] = { dtype: tensor.dtype, bytes: tensor.bytes };
    }
  }
  for (const [name, { shape }] of stored) {
    if (parameters.has(name) || /(^|\.)num_batches_tracked$/.test(name)) continue;
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

function isFloat(dtype: Dtype): dtype is RawTensor['dtype'] {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}
