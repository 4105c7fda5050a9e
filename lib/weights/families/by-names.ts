import { isDeepStrictEqual } from 'node:util';
import type { Preprocess } from '../../image/preprocess';
import type { Variant } from '../../network/options';
import { defaultVariant } from '../../network/table';
import { defaultPreprocess } from '../metadata';
import { namedFamily, type NamedLayout } from './names';

/** The default in OpenCV's order of channels: what Caffe2's networks are evaluated with, by facebook/FAI-PEP. */
export const bgr: Preprocess = {
  ...defaultPreprocess,
  channelOrder: 'BGR',
  mean: [0.406, 0.456, 0.485],
  std: [0.225, 0.224, 0.229],
};

/** Blue, green and red from 0 to 255 as OpenCV decodes them, without any normalisation. */
const opencv: Preprocess = {
  ...defaultPreprocess,
  channelOrder: 'BGR',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** TensorFlow's SAME: windows start at the edge where sides are even, and averages are of real pixels only. */
const same: Partial<Variant> = {
  stemPadding: 'same',
  maxPoolPadding: 'same',
  avgPoolPadding: 'same',
  avgPoolCountPadding: false,
  depthwisePadding: 'same',
};

/** A convolution and its batch norm, by the file's names. */
const conv = (canonical: string, convolution: string, batchNorm: string): Record<string, string> => ({
  [convolution]: canonical,
  [batchNorm]: `${canonical}.bn`,
});

const megviiStem = conv('conv1', 'first_conv.0', 'first_conv.1');
const megviiUnit = /^features\.(?<unit>\d+)\.(?<layer>.+)$/;

/** github.com/megvii-model/ShuffleNet-Series: the paper's authors. */
const megvii: NamedLayout = {
  name: 'megvii',
  about: 'megvii-model/ShuffleNet-Series, ShuffleNetV1 (PyTorch)',
  license: 'MIT',
  signs: [/^first_conv\.0\.weight$/, /\.branch_main_1\.3\.weight$/],
  outside: { ...megviiStem, 'classifier.0': 'fc' },
  unit: megviiUnit,
  inside: {
    ...conv('gconv1', 'branch_main_1.0', 'branch_main_1.1'),
    ...conv('dwconv', 'branch_main_1.3', 'branch_main_1.4'),
    ...conv('gconv2', 'branch_main_2.0', 'branch_main_2.1'),
  },
  order: 'pytorch',
  variant: { shuffleOrder: 'inverse', shufflePlace: 'afterDepthwise', concatRelu: 'branch', fcBias: false },
  preprocess: opencv,
};

/** github.com/mindspore-lab/mindcv: convolutions by groups, pools as TensorFlow's. */
const mindcv: NamedLayout = {
  name: 'mindcv',
  about: 'mindspore-lab/mindcv and models, shufflenetv1 (MindSpore), as published',
  license: 'Apache-2.0',
  signs: [/^first_conv\.0\.weight$/, /\.branch_main_1\.0\.convs\.0\.weight$/],
  foreign: /\.running_mean$/,
  outside: { ...megviiStem, classifier: 'fc' },
  unit: megviiUnit,
  inside: {
    ...conv('gconv1', 'branch_main_1.0', 'branch_main_1.1'),
    ...conv('dwconv', 'branch_main_2.0', 'branch_main_2.1'),
    ...conv('gconv2', 'branch_main_2.2', 'branch_main_2.3'),
  },
  split: /\.convs\.(\d+)$/,
  order: 'pytorch',
  variant: {
    shuffleOrder: 'inverse',
    maxPoolPadding: 'same',
    avgPoolPadding: 'same',
    avgPoolCountPadding: false,
    fcBias: false,
  },
  preprocess: defaultPreprocess,
};

/** The same names with PyTorch's for batch norm: the later code, whose pools are PyTorch's too. */
const mindcvMint: NamedLayout = {
  ...mindcv,
  name: 'mindcv-mint',
  about: 'mindspore-lab/mindcv from its move to mindspore.mint on',
  signs: [...mindcv.signs, /\.running_mean$/],
  foreign: /\.moving_mean$/,
  variant: { shuffleOrder: 'inverse', fcBias: false },
};

/** github.com/osmr/imgclsmob, later github.com/osmr/pytorchcv. */
const pytorchcv: NamedLayout = {
  name: 'pytorchcv',
  about: 'osmr/imgclsmob, pytorchcv (PyTorch)',
  license: 'MIT',
  signs: [/^features\.init_block\.conv\.weight$/, /\.compress_conv1\.weight$/],
  outside: { ...conv('conv1', 'features.init_block.conv', 'features.init_block.bn'), output: 'fc' },
  unit: /^features\.stage(?<stage>\d+)\.unit(?<unit>\d+)\.(?<layer>\w+)$/,
  firstStage: 1,
  firstUnit: 1,
  inside: {
    ...conv('gconv1', 'compress_conv1', 'compress_bn1'),
    ...conv('dwconv', 'dw_conv2', 'dw_bn2'),
    ...conv('gconv2', 'expand_conv3', 'expand_bn3'),
  },
  order: 'pytorch',
  variant: { concatOrder: 'branchShortcut' },
  preprocess: defaultPreprocess,
};

/** github.com/jaxony/ShuffleNet: every convolution has a bias, the stem neither batch norm nor ReLU. */
const jaxony: NamedLayout = {
  name: 'jaxony',
  about: 'jaxony/ShuffleNet (PyTorch)',
  license: 'MIT',
  signs: [/^stage2\.ShuffleUnit_Stage2_0\./],
  outside: { conv1: 'conv1', fc: 'fc' },
  unit: /^stage(?<stage>\d+)\.ShuffleUnit_Stage\d+_(?<unit>\d+)\.(?<layer>.+)$/,
  inside: {
    ...conv('gconv1', 'g_conv_1x1_compress.conv1x1', 'g_conv_1x1_compress.batch_norm'),
    ...conv('dwconv', 'depthwise_conv3x3', 'bn_after_depthwise'),
    ...conv('gconv2', 'g_conv_1x1_expand.conv1x1', 'g_conv_1x1_expand.batch_norm'),
  },
  order: 'pytorch',
  variant: { stemBatchNorm: false, stemRelu: false, stemBias: true, convBias: true },
  preprocess: defaultPreprocess,
};

/** github.com/open-mmlab/mmpretrain, once mmclassification. */
const mmpretrain: NamedLayout = {
  name: 'mmpretrain',
  about: 'open-mmlab/mmpretrain, mmclassification (PyTorch)',
  license: 'Apache-2.0',
  signs: [/\bg_conv_1x1_compress\.conv\.weight$/, /\bdepthwise_conv3x3_bn\.conv\.weight$/],
  outside: {
    ...conv('conv1', 'backbone.conv1.conv', 'backbone.conv1.bn'),
    ...conv('conv1', 'conv1.conv', 'conv1.bn'),
    'head.fc': 'fc',
  },
  unit: /^(?:backbone\.)?layers\.(?<stage>\d+)\.(?<unit>\d+)\.(?<layer>.+)$/,
  firstStage: 0,
  inside: {
    ...conv('gconv1', 'g_conv_1x1_compress.conv', 'g_conv_1x1_compress.bn'),
    ...conv('dwconv', 'depthwise_conv3x3_bn.conv', 'depthwise_conv3x3_bn.bn'),
    ...conv('gconv2', 'g_conv_1x1_expand.conv', 'g_conv_1x1_expand.bn'),
  },
  order: 'pytorch',
  variant: { shufflePlace: 'afterDepthwise', concatRelu: 'branch' },
  preprocess: defaultPreprocess,
};

/** github.com/ZJCV/ZCls: megvii's network, but its code forgets the ReLU of units that concatenate. */
const zcls: NamedLayout = {
  name: 'zcls',
  about: 'ZJCV/ZCls (PyTorch)',
  license: 'Apache-2.0',
  signs: [/\bstem\.0\.weight$/, /\bstage1\.0\.norm1\./],
  outside: {
    ...conv('conv1', 'backbone.stem.0', 'backbone.stem.1'),
    ...conv('conv1', 'stem.0', 'stem.1'),
    'head.fc': 'fc',
    fc: 'fc',
  },
  unit: /^(?:backbone\.)?stage(?<stage>\d+)\.(?<unit>\d+)\.(?<layer>\w+)$/,
  firstStage: 1,
  inside: {
    ...conv('gconv1', 'conv1', 'norm1'),
    ...conv('dwconv', 'conv2', 'norm2'),
    ...conv('gconv2', 'conv3', 'norm3'),
  },
  order: 'pytorch',
  variant: { shuffleOrder: 'inverse', shufflePlace: 'afterDepthwise', concatRelu: 'none' },
};

/** github.com/chenhang98/shuffleNet-cifar10: for 32x32 images, which stage 2 leaves at their size. */
const cifar: NamedLayout = {
  name: 'chenhang98',
  about: 'chenhang98/shuffleNet-cifar10 (PyTorch)',
  signs: [/^stage2\.0\.gconv1\.weight$/, /^bn1\.running_mean$/],
  outside: { ...conv('conv1', 'conv1', 'bn1'), fc: 'fc' },
  unit: /^stage(?<stage>\d+)\.(?<unit>\d+)\.(?<layer>\w+)$/,
  inside: { ...conv('gconv1', 'gconv1', 'bn1'), ...conv('dwconv', 'dwconv', 'bn'), ...conv('gconv2', 'gconv2', 'bn2') },
  order: 'pytorch',
  variant: {
    concatOrder: 'branchShortcut',
    stemStride: 1,
    maxPool: false,
    stage2Stride: 1,
    avgPoolKernel: 2,
  },
  preprocess: {
    ...defaultPreprocess,
    resize: { shorterSide: 32, kernel: 'linear' },
    crop: { width: 32, height: 32 },
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.243, 0.261],
  },
};

/** github.com/tensorpack/tensorpack, examples/ImageNetModels/shufflenet.py. */
const tensorpack: NamedLayout = {
  name: 'tensorpack',
  about: 'tensorpack/tensorpack, ImageNetModels (TensorFlow, as .npz)',
  license: 'Apache-2.0',
  signs: [/^stage2\/block0\/dconv\/W(:0)?$/, /^linear\/W(:0)?$/],
  outside: { ...conv('conv1', 'conv1', 'conv1/bn'), linear: 'fc' },
  unit: /^stage(?<stage>\d+)\/block(?<unit>\d+)\/(?<layer>.+)$/,
  inside: {
    ...conv('gconv1', 'conv1', 'conv1/bn'),
    ...conv('dwconv', 'dconv', 'dconv_bn'),
    ...conv('gconv2', 'conv2', 'conv2_bn'),
  },
  order: 'tensorflow',
  variant: {
    ...same,
    shuffleOrder: 'inverse',
    concatRelu: 'branch',
  },
  preprocess: { ...bgr, resize: { shorterSide: 256, kernel: 'cubic' } },
};

/** github.com/scheckmedia/keras-shufflenet: the stem has no batch norm; images are 224x224 whatever their shape was. */
const scheckmedia: NamedLayout = {
  name: 'scheckmedia',
  about: 'scheckmedia/keras-shufflenet (Keras)',
  license: 'MIT',
  signs: [/^stage2\/block1\/1x1_gconv_1\//],
  outside: { conv1: 'conv1', fc: 'fc' },
  unit: /^stage(?<stage>\d+)\/block(?<unit>\d+)\/(?<layer>\w+)$/,
  firstUnit: 1,
  inside: {
    ...conv('gconv1', '1x1_gconv_1', 'bn_gconv_1'),
    ...conv('dwconv', '1x1_dwconv_1', 'bn_dwconv_1'),
    ...conv('gconv2', '1x1_gconv_2', 'bn_gconv_2'),
  },
  split: /_\/g(\d+)$/,
  order: 'tensorflow',
  variant: {
    ...same,
    shuffleFirstUnit: false,
    firstUnitGconv2: 'one',
    concatOrder: 'branchShortcut',
    bottleneck: 'branch',
    stemBatchNorm: false,
    batchNormEpsilon: 1e-3,
  },
  // Its constructor's default, which its training script overrides.
  said: (metadata) => (metadata['model_config']?.includes('"GlobalMaxPooling2D"') ? { globalPool: 'max' } : {}),
  // Caffe's means, as keras.applications has them, and then to -1 ... 1.
  preprocess: {
    ...defaultPreprocess,
    resize: { shorterSide: 224, kernel: 'linear' },
    channelOrder: 'BGR',
    mean: [103.939 / 255 + 0.5, 116.779 / 255 + 0.5, 123.68 / 255 + 0.5],
    std: [0.5, 0.5, 0.5],
  },
};

/** The TensorFlow part of osmr/imgclsmob: pytorchcv's network. */
const tensorflowcv: NamedLayout = {
  ...pytorchcv,
  name: 'tensorflowcv',
  about: 'osmr/imgclsmob, tensorflowcv (TensorFlow, as .npz)',
  signs: [/^features\/init_block\/conv\//, /\/dw_conv2\/dw_kernel(:0)?$/],
  outside: { ...conv('conv1', 'features/init_block/conv', 'features/init_block/bn'), output: 'fc' },
  unit: /^features\/stage(?<stage>\d+)\/unit(?<unit>\d+)\/(?<layer>\w+)$/,
  split: /\/convgroup(\d+)$/,
  order: 'tensorflow',
};

/**
 * The Keras part, with the same weights. On TensorFlow its average pools reflect at the border; on MXNet, which wrote the
 * published files and numbers their tensors, they pad as those do that the weights were trained with.
 */
const kerascv: NamedLayout = {
  ...tensorflowcv,
  name: 'kerascv',
  about: 'osmr/imgclsmob, kerascv (Keras)',
  signs: [/^features\/init_block\/conv\//, /\/dw_conv2\/depthwise_kernel\d*(:0)?$/],
  leaf: /^(.+)\/(kernel|depthwise_kernel|bias|gamma|beta|moving_mean|moving_variance)\d*(?::0)?$/,
  order: 'keras',
  variant: { ...pytorchcv.variant, avgPoolPadding: { begin: 1, end: 1, reflect: true } },
  said: ({ backend }) => (backend === 'mxnet' ? { avgPoolPadding: defaultVariant.avgPoolPadding } : {}),
};

/** github.com/TropComplique/ShuffleNet-tensorflow: for 56x56 images, with no bottleneck and half the units. */
const tropComplique: NamedLayout = {
  name: 'tropcomplique',
  about: 'TropComplique/ShuffleNet-tensorflow (TensorFlow)',
  license: 'MIT',
  signs: [/^features\/stage2\/unit1\/g_conv_1\/kernel/, /^features\/stage2\/unit1\/dw_conv_2\//],
  outside: { ...conv('conv1', 'features/stage1/conv1', 'features/stage1/batch_normalization'), classifier: 'fc' },
  unit: /^features\/stage(?<stage>\d+)\/unit(?<unit>\d+)\/(?<layer>.+)$/,
  firstUnit: 1,
  // The first unit does not shuffle, and its layers are counted without that.
  inside: {
    ...conv('gconv1', 'g_conv_1', 'g_conv_1/batch_normalization'),
    ...conv('dwconv', 'dw_conv_2', 'dw_conv_2/batch_normalization'),
    ...conv('dwconv', 'dw_conv_3', 'dw_conv_3/batch_normalization'),
    ...conv('gconv2', 'g_conv_3', 'g_conv_3/batch_normalization'),
    ...conv('gconv2', 'g_conv_4', 'g_conv_4/batch_normalization'),
  },
  order: 'tensorflow',
  variant: {
    ...same,
    shuffleFirstUnit: false,
    concatOrder: 'branchShortcut',
    bottleneck: 'none',
    stemStride: 1,
    stemBias: true,
    batchNormEpsilon: 1e-3,
    batchNormGamma: false,
  },
  preprocess: { ...defaultPreprocess, resize: { shorterSide: 64, kernel: 'linear' }, crop: { width: 56, height: 56 } },
};

/** MLPerf's, in the history of github.com/mlcommons/inference: batch norms are folded, and left as biases. */
const caffe2: NamedLayout = {
  name: 'caffe2',
  about: 'mlcommons/inference, edge/object_classification/shufflenet (Caffe2)',
  signs: [/^res2_0_branch2a_w$/, /^res_conv1_bn_b$/],
  // A ResNet's.
  foreign: /_branch1_w$/,
  outside: { conv1: 'conv1', res_conv1_bn: 'conv1', pred: 'fc' },
  unit: /^res(?<stage>\d+)_(?<unit>\d+)_(?<layer>\w+)$/,
  inside: {
    branch2a: 'gconv1',
    branch2a_bn: 'gconv1',
    branch2b: 'dwconv',
    branch2b_bn: 'dwconv',
    branch2c: 'gconv2',
    branch2c_bn: 'gconv2',
  },
  leaf: /^(.+)_([wb])$/,
  order: 'pytorch',
  variant: { avgPoolCountPadding: false, batchNorm: false, stemBias: true, convBias: true },
  preprocess: bgr,
};

const layouts = [
  megvii,
  mindcv,
  mindcvMint,
  pytorchcv,
  jaxony,
  mmpretrain,
  zcls,
  cifar,
  tensorpack,
  scheckmedia,
  tensorflowcv,
  kerascv,
  tropComplique,
  caffe2,
];

export const familiesByNames = layouts.map(namedFamily);

/** What projects differ in and no exporter changes, as it does biases and batch norms. */
const conventions = [
  'shuffleOrder',
  'shufflePlace',
  'concatOrder',
  'concatRelu',
  'stemStride',
  'stemRelu',
  'maxPool',
  'maxPoolPadding',
  'stage2Stride',
  'avgPoolKernel',
  'avgPoolCountPadding',
  'fcBias',
] as const;

/**
 * What the only project that has all of these conventions feeds its networks with; undefined where it does not say, or
 * several have them. For graphs, which tell the conventions but not whose they are.
 */
export function preprocessOf(variant: Partial<Variant>): Preprocess | undefined {
  const of = (given: Partial<Variant>) => {
    const all = { ...defaultVariant, ...given };
    // Where sides are even, and exporters know them, that is what they write.
    if (isDeepStrictEqual(all.maxPoolPadding, { begin: 0, end: 1 })) all.maxPoolPadding = 'same';
    return conventions.map((field) => all[field]);
  };
  const alike = layouts.filter((layout) => isDeepStrictEqual(of(layout.variant), of(variant)));
  const [first, ...others] = alike.map(({ preprocess }) => preprocess);
  return others.every((other) => isDeepStrictEqual(other, first)) ? first : undefined;
}
