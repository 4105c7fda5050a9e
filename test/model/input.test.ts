import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ShuffleNet } from '../../lib';
import { failure, smallOptions, smallTensors, writeSafetensors } from '../weights/files';
import { noise } from './files';

let model: ShuffleNet;
before(async () => {
  model = await ShuffleNet.load();
});
after(() => model.close());

const rejects = (input: unknown, ...parts: string[]) =>
  assert.rejects(model.run(input as never), failure('ERR_INPUT', ...parts));

describe('the input of a run', () => {
  it('must be float32 values and a shape', async () => {
    const expected = 'input: expected { data: Float32Array, shape: [n, 3, height, width] }, got ';
    await rejects(undefined, `${expected}Undefined`);
    await rejects(null, `${expected}Null`);
    await rejects('x', `${expected}String`);
    await rejects({ shape: [1, 3, 32, 32] }, `${expected}Object`);
    const shape = [1, 3, 32, 32];
    await rejects({ data: new Float64Array(3072), shape }, `${expected}data: Float64Array`);
    await rejects({ data: new Uint8Array(3072 * 4), shape }, `${expected}data: Uint8Array`);
    await rejects({ data: Array(3072).fill(0), shape }, `${expected}data: Array`);
    await rejects({ data: Object.create(Float32Array.prototype), shape }, expected);
  });

  it('must have the shape [n, 3, height, width]', async () => {
    const data = new Float32Array(3 * 32 * 32);
    const wrong = [
      undefined,
      'x',
      [],
      [3, 32, 32],
      [1, 3, 32, 32, 1],
      [1, 1, 32, 96],
      [0, 3, 32, 32],
      [-1, 3, 32, 32],
      [1, 3, 31, 32],
      [1, 3, 32, 4097],
      [1, 3, 32.5, 32],
      [1, 3, NaN, 32],
      ['1', 3, 32, 32],
      [1, 3, 32, Infinity],
    ];
    for (const shape of wrong) {
      await rejects({ data, shape }, 'input.shape: expected [n, 3, height, width] with sides of 32 to 4096, got ');
    }
    await rejects({ data, shape: [1, 3, 32, 4097] }, 'got [ 1, 3, 32, 4097 ]');
  });

  it('must have as many values as the shape says', async () => {
    for (const length of [0, 3071, 3073, 6144]) {
      await rejects(
        { data: new Float32Array(length), shape: [1, 3, 32, 32] },
        `input.data: expected 3072 values for shape [1, 3, 32, 32], got ${length}`,
      );
    }
    // More images than memory could hold: no overflow on the way.
    await rejects({ data: new Float32Array(3072), shape: [2 ** 20, 3, 4096, 4096] }, 'expected 52776558133248 values');
  });

  it('must not be memory that can go away', async () => {
    const shape = [1, 3, 32, 32];
    const detached = new Float32Array(3072);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    await rejects({ data: detached, shape }, 'got 0 (is it detached?)');
    await rejects({ data: new Float32Array(new SharedArrayBuffer(3072 * 4)), shape }, 'SharedArrayBuffer; pass a copy');
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
    const resizable = new Resizable(3072 * 4, { maxByteLength: 3072 * 8 });
    await rejects({ data: new Float32Array(resizable), shape }, 'resizable ArrayBuffer; pass a copy');
  });

  it('may be a view into a larger buffer', async () => {
    const { data, shape } = noise(1, 3, 40, 32);
    const around = new Float32Array(data.length + 10).fill(NaN);
    around.set(data, 3);
    const view = around.subarray(3, 3 + data.length);
    assert.equal(view.byteOffset, 12);
    assert.deepEqual(await model.run({ data: view, shape }), await model.run({ data, shape }));
  });

  it('must suit the paddings of the network, or the layer is named', async () => {
    // Caffe's pools, which lose a row of odd planes that the branch keeps.
    const network = { ...smallOptions, variant: { avgPoolPadding: { begin: 0, end: 0, ceil: true } } };
    const small = await ShuffleNet.load(writeSafetensors(smallTensors(network)), { network });
    const words = 'image of 72x72 (height x width): stage3.0.concat cannot join planes of 4x4 and 5x5';
    for (let i = 0; i < 2; i++) {
      await assert.rejects(small.run(noise(1, 3, 72, 72)), failure('ERR_INPUT', words));
      await assert.rejects(small.classify(noise(1, 3, 72, 72)), failure('ERR_INPUT', words));
      assert.deepEqual((await small.run(noise(2, 3, 64, 64))).shape, [2, 3]);
    }
  });
});
