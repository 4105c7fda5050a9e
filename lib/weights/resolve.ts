import { ShuffleNetError } from '../errors';
import type { Parameter, ParameterKind } from '../network/parameters';
import { isFloatDtype, toFloat32 } from './dtype';
import { firstTen, formatShape, quote } from './json';
import type { StoredTensor } from './safetensors';

/**
 * The tensors a network needs, as float32 in PyTorch order (convolution [out, in/groups, kh, kw], fully connected
 * [out, in]), copied from the file. PyTorch's `num_batches_tracked` counters are passed over.
 *
 * Throws ERR_WEIGHTS_TENSOR naming all tensors that are missing, not part of the network, of another shape, or not
 * F32, F16 or BF16; ERR_WEIGHTS_VALUE for NaN, infinities and variances that are not positive (denormals are).
 */
export function resolveTensors(
  stored: ReadonlyMap<string, StoredTensor>,
  parameters: ReadonlyMap<string, Parameter>,
  file: string,
): Record<string, Float32Array> {
  const wrong: string[] = [];
  const tensors: Record<string, Float32Array> = {};
  const badValues: string[] = [];
  for (const [name, { shape, kind }] of parameters) {
    const tensor = stored.get(name);
    if (!tensor) {
      wrong.push(`${quote(name)} is missing, expected shape ${formatShape(shape)}`);
    } else if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
      wrong.push(`${quote(name)} has shape ${formatShape(tensor.shape)}, expected ${formatShape(shape)}`);
    } else if (!isFloatDtype(tensor.dtype)) {
      wrong.push(`${quote(name)} is ${tensor.dtype}, expected F32, F16 or BF16`);
    } else if (wrong.length === 0) {
      const values = toFloat32(tensor.dtype, tensor.bytes);
      const bad = findBadValue(values, kind);
      if (bad) badValues.push(`${quote(name)} value ${bad.index} is ${bad.value}, expected ${bad.expected}`);
      tensors[name] = values;
    }
  }
  for (const [name, { shape }] of stored) {
    if (parameters.has(name) || /(^|\.)num_batches_tracked$/.test(name)) continue;
    wrong.push(`${quote(name)} ${formatShape(shape)} is not part of the network`);
  }
  if (wrong.length > 0) {
    throw new ShuffleNetError('ERR_WEIGHTS_TENSOR',
      `${file}: ${wrong.length} of the tensors do not fit the network: ${firstTen(wrong)}`);
  }
  if (badValues.length > 0) throw new ShuffleNetError('ERR_WEIGHTS_VALUE', `${file}: ${firstTen(badValues)}`);
  return tensors;
}

function findBadValue(values: Float32Array, kind: ParameterKind) {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    // Also catches NaN and both infinities, with one comparison for the many good values.
    if (!(Math.abs(value) < Infinity)) return { index, value, expected: 'a finite number' };
    if (kind === 'variance' && value <= 0) return { index, value, expected: 'a positive variance' };
  }
  return undefined;
}
