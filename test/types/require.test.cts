// The same as a CommonJS module.
import assert = require('node:assert/strict');
import { test } from 'node:test';
import shufflenet = require('shufflenet-native');
import { ShuffleNet, ShuffleNetError, type Classified, type Tensor } from 'shufflenet-native';

test('the required class works', async () => {
  assert.equal(shufflenet.ShuffleNet, ShuffleNet);
  await assert.rejects(ShuffleNet.load(undefined, { threads: 0 }), ShuffleNetError);
  assert.equal(shufflenet.networkTable({ groups: 1 }).rows.length > 0, true);
});

export async function compiles(tensor: Tensor): Promise<void> {
  const model: shufflenet.ShuffleNet = await shufflenet.ShuffleNet.load();
  const { shape } = await model.run(tensor);
  const [n, classes]: [number, number] = shape;
  for await (const { image, error } of model.classifyAll<string>(new Set(['a.jpg']))) {
    const name: string = image;
    if (error?.code === 'ERR_FILE') throw new Error(`${name} ${n} ${classes}`, { cause: error });
    // @ts-expect-error the union of codes is closed
    if (error?.code === 'ERR_NONE') break;
  }
  const result: Classified | undefined = undefined;
  // @ts-expect-error there is no default export
  shufflenet.default;
  return result;
}
