import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShuffleNet, type Tensor } from '../../../lib';
import { difference } from '../../model/files';
import { Peer } from '../../onnx/runtime';
import { bytesOf, image, logitsOf } from './fixtures';
import { Model } from './model';

/** Loads and runs a file here and in onnxruntime. */
async function bothLogits(bytes: Uint8Array, file: string, output: string): Promise<[Float32Array, Float32Array]> {
  await using model = await ShuffleNet.load(bytes);
  const peer = await Peer.load(bytes);
  const { data } = await peer.run(image(file), output);
  await peer.close();
  return [(await model.run(image(file))).data, data];
}

it('files of tf2onnx, of the ONNX model zoo and with excitations give the same logits in onnxruntime', async () => {
  for (const file of ['tensorpack.onnx', 'tensorpack-nhwc.onnx', 'zoo.onnx', 'excited.onnx']) {
    const model = await Model.read(bytesOf(file));
    const set = file.includes('nhwc') ? 12 : 15;
    const peer = await Peer.load(model.write(set));
    const { data } = await peer.run(model.input.shape?.[3] === 3 ? byPixels(image(file)) : image(file), model.logits);
    await peer.close();
    assert.ok(difference(data, logitsOf(file)) <= 5e-5, file);
  }
});

/** N, H, W, C, as TensorFlow has images. */
function byPixels({ data, shape: [n, c, h, w] }: Tensor): Tensor {
  const turned = Float32Array.from(data, (_, i) => data[(i % c!) * h! * w! + Math.floor(i / c!)]!);
  return { data: turned, shape: [n!, h!, w!, c!] };
}

describe('operator sets of ONNX', () => {
  for (let set = 7; set <= 21; set++) {
    it(`${set}: files in its forms give the logits of their framework, here and in onnxruntime`, async () => {
      for (const file of ['megvii.onnx', 'mmpretrain.onnx', 'zoo.onnx', 'chenhang98.onnx']) {
        const model = await Model.read(bytesOf(file));
        for (const logits of await bothLogits(model.write(set), file, model.logits)) {
          assert.ok(difference(logits, logitsOf(file)) <= 5e-5, file);
        }
      }
    });
  }
});
