// Writes test/fixtures/checkpoints/keras/layers/: scheckmedia's network as a layers model that TensorFlow.js made, saved
// and ran itself. After `npm run bench:install`:
//
//     node test/weights/make-fixtures/tfjs-layers.cjs
//
// Keras' Lambda layers, which TensorFlow.js does not have, are layers of this script.
const fs = require('node:fs');
const path = require('node:path');
const root = path.join(__dirname, '../../..');
const tf = require(path.join(root, 'bench/node_modules/@tensorflow/tfjs'));

class Slice extends tf.layers.Layer {
  static className = 'Slice';
  constructor({ from, size, ...rest }) {
    super(rest);
    Object.assign(this, { from, size });
  }
  computeOutputShape(shape) {
    return [...shape.slice(0, 3), this.size];
  }
  call([x]) {
    return tf.slice(x, [0, 0, 0, this.from], [-1, -1, -1, this.size]);
  }
  getConfig() {
    return { ...super.getConfig(), from: this.from, size: this.size };
  }
}
class Shuffle extends tf.layers.Layer {
  static className = 'Shuffle';
  constructor({ groups, ...rest }) {
    super(rest);
    this.groups = groups;
  }
  call([x]) {
    const [n, h, w, c] = x.shape;
    const grouped = tf.reshape(x, [n, h, w, this.groups, c / this.groups]);
    return tf.reshape(tf.transpose(grouped, [0, 1, 2, 4, 3]), [n, h, w, c]);
  }
  getConfig() {
    return { ...super.getConfig(), groups: this.groups };
  }
}
for (const layer of [Slice, Shuffle]) tf.serialization.registerClass(layer);

const groups = 2;
const [stem, ...widths] = [8, 24, 48, 96];
const input = tf.input({ shape: [40, 48, 3] });
const conv = (x, name, filters) =>
  tf.layers.conv2d({ name, filters, kernelSize: 1, padding: 'same', useBias: false }).apply(x);
const groupConv = (x, name, filters, groups) => {
  if (groups === 1) return conv(x, name, filters);
  const size = x.shape[3] / groups;
  const parts = Array.from({ length: groups }, (_, i) =>
    conv(new Slice({ name: `${name}/g${i}_slice`, from: i * size, size }).apply(x), `${name}_/g${i}`, filters / groups),
  );
  return tf.layers.concatenate({ name: `${name}/concat` }).apply(parts);
};
const norm = (x, name) => tf.layers.batchNormalization({ name }).apply(x);
const relu = (x, name) => tf.layers.activation({ activation: 'relu', name }).apply(x);

function unit(x, stage, block, width) {
  const p = `stage${stage}/block${block}`;
  const first = block === 1;
  const out = first ? width - x.shape[3] : width;
  const g = stage === 2 && first ? 1 : groups;
  let y = groupConv(x, `${p}/1x1_gconv_1`, out / 4, g);
  y = relu(norm(y, `${p}/bn_gconv_1`), `${p}/relu_gconv_1`);
  y = new Shuffle({ name: `${p}/channel_shuffle`, groups: g }).apply(y);
  const depthwise = { kernelSize: 3, padding: 'same', useBias: false, strides: first ? 2 : 1 };
  y = norm(tf.layers.depthwiseConv2d({ name: `${p}/1x1_dwconv_1`, ...depthwise }).apply(y), `${p}/bn_dwconv_1`);
  y = norm(groupConv(y, `${p}/1x1_gconv_2`, out, g), `${p}/bn_gconv_2`);
  if (!first) return relu(tf.layers.add({ name: `${p}/add` }).apply([y, x]), `${p}/relu_out`);
  const pool = tf.layers.averagePooling2d({ name: `${p}/avg_pool`, poolSize: 3, strides: 2, padding: 'same' });
  return relu(tf.layers.concatenate({ name: `${p}/concat` }).apply([y, pool.apply(x)]), `${p}/relu_out`);
}

let x = tf.layers
  .conv2d({
    name: 'conv1',
    filters: stem,
    kernelSize: 3,
    strides: 2,
    padding: 'same',
    useBias: false,
    activation: 'relu',
  })
  .apply(input);
x = tf.layers.maxPooling2d({ name: 'maxpool1', poolSize: 3, strides: 2, padding: 'same' }).apply(x);
for (const [i, width] of widths.entries()) {
  for (let block = 1; block <= [2, 4, 2][i]; block++) x = unit(x, i + 2, block, width);
}
// The constructor's default; the file's own model says so.
x = tf.layers.globalMaxPooling2d({ name: 'global_pool' }).apply(x);
const model = tf.model({ inputs: input, outputs: tf.layers.dense({ name: 'fc', units: 10 }).apply(x) });

let seed = 1707;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
for (const layer of model.layers) {
  layer.setWeights(
    layer.getWeights().map((weight, i) => {
      const { shape, size } = weight;
      const norm = layer.name.includes('bn_');
      // gamma, beta, mean, variance
      const [middle, spread] = norm
        ? [
            [0.2, 0.1],
            [0, 0.5],
            [0, 0.1],
            [0.02, 0.02],
          ][i]
        : [0, 0.3];
      return tf.tensor(
        Float32Array.from({ length: size }, () => middle + spread * random()),
        shape,
      );
    }),
  );
}

const folder = path.join(root, 'test/fixtures/checkpoints/keras/layers');
fs.mkdirSync(folder, { recursive: true });
const npy = (values, shape) => {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'),
    header,
    Buffer.from(Float32Array.from(values).buffer),
  ]);
};
void (async () => {
  await tf.setBackend('cpu');
  const image = tf.tensor(Float32Array.from({ length: 40 * 48 * 3 }, random), [1, 40, 48, 3]);
  await model.save({
    save({ modelTopology, weightSpecs, weightData, ...rest }) {
      const data = Buffer.from(Array.isArray(weightData) ? Buffer.concat(weightData.map(Buffer.from)) : weightData);
      const shards = [data.subarray(0, 30_001), data.subarray(30_001)];
      const paths = shards.map((shard, i) => {
        const name = `group1-shard${i + 1}of2.bin`;
        fs.writeFileSync(path.join(folder, name), shard);
        return name;
      });
      const json = { modelTopology, format: rest.format, generatedBy: rest.generatedBy, convertedBy: null };
      const weightsManifest = [{ paths, weights: weightSpecs }];
      fs.writeFileSync(path.join(folder, 'model.json'), JSON.stringify({ ...json, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  const channelsFirst = tf.transpose(image, [0, 3, 1, 2]);
  fs.writeFileSync(path.join(folder, 'input.npy'), npy(await channelsFirst.data(), channelsFirst.shape));
  const logits = model.predict(image);
  fs.writeFileSync(path.join(folder, 'logits.npy'), npy(await logits.data(), logits.shape));
  console.log(await logits.data());
})();
