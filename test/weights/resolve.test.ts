import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parameter } from '../../lib/network/parameters';
import { resolveTensors } from '../../lib/weights/resolve';
import type { StoredTensor } from '../../lib/weights/stored';
import { failure, float32 } from './files';

const parameters = new Map<string, Parameter>([
  ['conv.weight', { shape: [2, 1, 1, 1], kind: 'weight' }],
  ['bn.running_mean', { shape: [2], kind: 'mean' }],
  ['bn.running_var', { shape: [2], kind: 'variance' }],
]);

function stored(changes: Record<string, Partial<StoredTensor> | undefined> = {}): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape }] of parameters) tensors.set(name, { dtype: 'F32', shape, bytes: float32([0.5, 2]) });
  for (const [name, change] of Object.entries(changes)) {
    if (change === undefined) tensors.delete(name);
    else tensors.set(name, { dtype: 'F32', shape: [2], bytes: float32([0.5, 2]), ...tensors.get(name), ...change });
  }
  return tensors;
}
const resolve = (changes?: Parameters<typeof stored>[0]) => resolveTensors(stored(changes), parameters, 'w');

test('gives the bytes of the parameters as they are, whatever they hold, and passes over num_batches_tracked', () => {
  const half = Uint8Array.of(0, 0x3c, 0, 0x7e);
  const tensors = resolve({
    'bn.running_mean': { dtype: 'F16', bytes: half },
    'bn.num_batches_tracked': { dtype: 'I64', shape: [], bytes: new Uint8Array(8) },
  });
  assert.deepEqual(tensors, {
    'conv.weight': { dtype: 'F32', bytes: float32([0.5, 2]) },
    'bn.running_mean': { dtype: 'F16', bytes: half },
    'bn.running_var': { dtype: 'F32', bytes: float32([0.5, 2]) },
  });
  assert.equal(tensors['bn.running_mean']!.bytes, half);
});

test('names missing, misshaped, extra and mistyped tensors in one error, with what was expected', () => {
  assert.throws(
    () =>
      resolve({
        'conv.weight': { shape: [1, 2, 1, 1] },
        'bn.running_mean': undefined,
        'bn.running_var': { dtype: 'F64' },
        'classifier.weight': { shape: [4, 5] },
      }),
    failure(
      'ERR_WEIGHTS_TENSOR',
      'w: 4 of the tensors',
      '"conv.weight" has shape [1, 2, 1, 1], expected [2, 1, 1, 1]',
      '"bn.running_mean" is missing, expected shape [2]',
      '"bn.running_var" is F64, expected F32, F16 or BF16',
      '"classifier.weight" [4, 5] is not part of the network',
    ),
  );
});

test('lists ten tensors and counts the rest', () => {
  const extra = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`extra${i}`, {}]));
  assert.throws(
    () => resolve(extra),
    (error: Error) => {
      failure('ERR_WEIGHTS_TENSOR', '25 of the tensors', '"extra9"', 'and 15 more')(error);
      assert.ok(!error.message.includes('extra10'));
      return true;
    },
  );
});

test('rank matters, and names of Object.prototype are extra', () => {
  assert.throws(
    () => resolve({ 'bn.running_mean': { shape: [2, 1] } }),
    failure('ERR_WEIGHTS_TENSOR', '[2, 1], expected [2]'),
  );
  assert.throws(
    () => resolve({ 'conv.weight': { shape: [2] } }),
    failure('ERR_WEIGHTS_TENSOR', '[2], expected [2, 1, 1, 1]'),
  );
  assert.throws(() => resolve({ constructor: {} }), failure('ERR_WEIGHTS_TENSOR', '"constructor"'));
  assert.throws(() => resolve({ xnum_batches_tracked: {} }), failure('ERR_WEIGHTS_TENSOR', '"xnum_batches_tracked"'));
});
