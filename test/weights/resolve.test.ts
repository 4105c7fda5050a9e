import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parameter } from '../../lib/network/parameters';
import type { PlacedTensor } from '../../lib/weights/families/family';
import { resolveTensors } from '../../lib/weights/resolve';
import type { StoredTensor } from '../../lib/weights/stored';
import { failure, float32 } from './files';

const parameters = new Map<string, Parameter>([
  ['conv.weight', { shape: [2, 1, 1, 1], kind: 'weight' }],
  ['bn.running_mean', { shape: [2], kind: 'mean' }],
  ['bn.running_var', { shape: [2], kind: 'variance' }],
]);

type Changes = Record<string, Partial<StoredTensor> | undefined>;

function placed(changes: Changes = {}): Map<string, PlacedTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape }] of parameters) tensors.set(name, { dtype: 'F32', shape, bytes: float32([0.5, 2]) });
  for (const [name, change] of Object.entries(changes)) {
    if (change === undefined) tensors.delete(name);
    else tensors.set(name, { dtype: 'F32', shape: [2], bytes: float32([0.5, 2]), ...tensors.get(name), ...change });
  }
  return new Map([...tensors].map(([name, tensor]) => [name, { from: name, shape: tensor.shape, parts: [tensor] }]));
}
const resolve = (changes?: Changes) => resolveTensors(placed(changes), new Map(), parameters, 'w');

test('gives the tensors of the parameters as they are, in the order of the network', () => {
  const tensors = placed({ 'bn.running_mean': { dtype: 'F16' }, 'conv.weight': { dtype: 'F64' } });
  const reversed = new Map([...tensors].reverse());
  const resolved = resolveTensors(reversed, new Map(), parameters, 'w');
  assert.deepEqual([...resolved.keys()], [...parameters.keys()]);
  for (const [name, tensor] of resolved) assert.equal(tensor, tensors.get(name));
});

test("the file's own names are told, with the canonical ones", () => {
  const bytes = float32([0.5]);
  const part: StoredTensor = { dtype: 'F32', shape: [1, 1, 1, 1], bytes };
  const tensors = placed({ 'bn.running_var': { shape: [3] } });
  tensors.set('bn.running_var', { ...tensors.get('bn.running_var')!, from: 'layer1.var' });
  tensors.set('conv.weight', { from: 'c.0', shape: [2, 1, 1, 1], parts: [part, { ...part, dtype: 'F16' }] });
  assert.throws(
    () => resolveTensors(tensors, new Map([['spare', part]]), parameters, 'w'),
    failure(
      'ERR_WEIGHTS_TENSOR',
      'w: 3 of the tensors',
      '"layer1.var" (bn.running_var) has shape [3], expected [2]',
      '"c.0" (conv.weight) is in parts of several dtypes',
      '"spare" [1, 1, 1, 1] is not part of the network',
    ),
  );
});

test('names missing, misshaped, extra and mistyped tensors in one error, with what was expected', () => {
  assert.throws(
    () =>
      resolve({
        'conv.weight': { shape: [1, 2, 1, 1] },
        'bn.running_mean': undefined,
        'bn.running_var': { dtype: 'I8' },
        'classifier.weight': { shape: [4, 5] },
      }),
    failure(
      'ERR_WEIGHTS_TENSOR',
      'w: 4 of the tensors',
      '"conv.weight" has shape [1, 2, 1, 1], expected [2, 1, 1, 1]',
      '"bn.running_mean" is missing, expected shape [2]',
      '"bn.running_var" is I8, expected F32, F16, BF16 or F64',
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
});
