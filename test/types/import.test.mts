// An ES module that uses the package by its name, as users do. Compiling it is half of the test.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as all from 'shufflenet-native';
import {
  ShuffleNet,
  ShuffleNetError,
  networkTable,
  type Classified,
  type Features,
  type Image,
  type LoadOptions,
  type Logits,
  type Prediction,
  type RunOptions,
  type ShuffleNetErrorCode,
  type Tensor,
} from 'shufflenet-native';

/** Compiles only where the types are the same. */
function same<A>() {
  return <B,>(_: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? B : never): void => {};
}

test('import and require give the same classes, so that instanceof works across both', () => {
  const required = createRequire(import.meta.url)('shufflenet-native') as Record<string, unknown>;
  assert.deepEqual(Object.keys(all).sort(), Object.keys(required).sort());
  assert.deepEqual(Object.keys(all).sort(), [
    'ShuffleNet',
    'ShuffleNetError',
    'convertWeights',
    'exportOnnx',
    'networkTable',
  ]);
  assert.equal(required['ShuffleNet'], ShuffleNet);
  assert.equal(required['ShuffleNetError'], ShuffleNetError);
  assert.equal(required['networkTable'], networkTable);
});

test('the imported class works', async () => {
  const model = await ShuffleNet.load();
  const { data } = await model.run({ data: new Float32Array(3 * 32 * 32), shape: [1, 3, 32, 32] });
  assert.equal(data.length, 200);
  await model[Symbol.asyncDispose]();
});

export async function compiles(model: ShuffleNet, tensor: Tensor, image: Image, signal: AbortSignal): Promise<void> {
  const options: LoadOptions = { threads: 2, signal, network: { groups: 3 }, limitPixels: 1e6 };
  same<ShuffleNet>()(await ShuffleNet.load(new URL('file:///x'), options));
  same<Prediction[]>()(await model.classify(image, { topK: 1, signal }));
  same<Prediction[][]>()(await model.classify([image, tensor]));
  same<Logits>()(await model.run(tensor, { signal, output: new Float32Array(200) }));
  same<Logits>()(model.runSync(tensor, { output: new Float32Array(200) }));
  same<Features>()(await model.features(image, { signal }));
  same<Float32Array>()(await model.embed(tensor));
  same<Float32Array[]>()(await model.embed(['a.jpg', tensor]));
  const paths: string[] = [];
  for await (const result of model.classifyAll(paths, { concurrency: 4, topK: 2, signal })) {
    same<Classified<string>>()(result);
    same<string>()(result.image);
    if (result.error) same<ShuffleNetErrorCode>()(result.error.code);
    else same<Prediction[]>()(result.predictions);
    // @ts-expect-error one of both may be undefined
    result.predictions.length;
  }
  async function* stream() {
    yield tensor;
  }
  for await (const result of model.classifyAll(stream())) same<Tensor>()(result.image);

  const passedOn: RunOptions = { signal: undefined };
  await model.run(tensor, passedOn);

  // @ts-expect-error numbers are no images
  await model.classify(5);
  // @ts-expect-error a misspelt option
  await model.classify(image, { topk: 1 });
  // @ts-expect-error runSync cannot be aborted
  model.runSync(tensor, { signal });
  // @ts-expect-error float64
  await model.run({ data: new Float64Array(3072), shape: [1, 3, 32, 32] });
  // @ts-expect-error not iterable
  model.classifyAll(5);
  // @ts-expect-error loaded, not constructed
  new ShuffleNet();
  // @ts-expect-error read-only
  model.labels = [];
  // @ts-expect-error groups that the paper's table does not have
  networkTable({ groups: 5 });
  // @ts-expect-error no such code
  const code: ShuffleNetErrorCode = 'ERR_OTHER';
  same<'ERR_OTHER'>()(code as 'ERR_OTHER');
}
