import type { Padding } from './layers';

/** Group counts of the paper's Table 1. */
export type Groups = 1 | 2 | 3 | 4 | 8;

/**
 * Where published ShuffleNet V1 networks differ from each other. Defaults are the paper's (and PyTorch's). A wrong field
 * does not fail, it gives plausible but wrong classes, so weights files carry theirs.
 */
export interface Variant {
  /** 'standard': out[j*g+i] = in[i*(C/g)+j]; 'inverse': out[i*(C/g)+j] = in[j*g+i]. Default 'standard'. */
  shuffleOrder: 'standard' | 'inverse';
  /** Default 'beforeDepthwise'. */
  shufflePlace: 'beforeDepthwise' | 'afterDepthwise';
  /** Whether the first unit of stage 2 shuffles. Default true. */
  shuffleFirstUnit: boolean;
  /** Groups of the two 1x1 convolutions of the first unit of stage 2: 1 or the network's. Defaults 'one' and 'groups'. */
  firstUnitGconv1: 'one' | 'groups';
  firstUnitGconv2: 'one' | 'groups';
  /** Order of the channels in stride-2 units. Default 'shortcutBranch'. */
  concatOrder: 'shortcutBranch' | 'branchShortcut';
  /** ReLU of stride-2 units: on the whole concatenation, on the branch only, or absent. Default 'afterConcat'. */
  concatRelu: 'afterConcat' | 'branch' | 'none';
  /**
   * Bottleneck width. 'out': ratio * out; 'branch': ratio * the branch's own width, (out - in) in stride-2 units;
   * 'none': no bottleneck, the branch's width in the first unit of stage 2, in channels in other stride-2 units, out in
   * stride-1 units (ONNX model zoo). Default 'out'.
   */
  bottleneck: 'out' | 'branch' | 'none';
  stemStride: 1 | 2;
  stemPadding: Padding;
  stemBatchNorm: boolean;
  stemRelu: boolean;
  /** false: no max-pool after the stem (CIFAR networks). */
  maxPool: boolean;
  maxPoolPadding: Padding;
  /** Stride of stage 2's first unit; with 1 the shortcut is the input itself (CIFAR). Default 2. */
  stage2Stride: 1 | 2;
  /** Average-pool shortcut of stride-2 units. */
  avgPoolKernel: 2 | 3;
  avgPoolPadding: Padding;
  avgPoolCountPadding: boolean;
  /** Padding of the stride-2 depthwise convolutions (stride 1 is always 1, 1). */
  depthwisePadding: Padding;
  globalPool: 'avg' | 'max';
  batchNormEpsilon: number;
  /** Batch-norm has a gamma (absent in some TensorFlow files). Default true. */
  batchNormGamma: boolean;
  stemBias: boolean;
  /** Biases of all 1x1 and depthwise convolutions. Default false. */
  convBias: boolean;
  /** false with biases: batch norm already folded into the convolutions. Default true. */
  batchNorm: boolean;
  fcBias: boolean;
}

/** Options of the paper's network. Units: channels; scale multiplies the widths of Table 1. */
export interface NetworkOptions {
  /** Default 3. */
  groups?: Groups;
  /** "ShuffleNet s x". Default 1. */
  scale?: number;
  /** Default 1000. */
  classes?: number;
  /** Default: 24 * scale by the rounding rule. */
  stemChannels?: number;
  /** Bottleneck width over unit width. Default 1/4. */
  bottleneckRatio?: number;
  /** Table 3. Default true. */
  shuffle?: boolean;
  /** Table 5, "shallow": half the units of each stage. Default false. */
  shallow?: boolean;
  /** Table 5, "with SE": true for reduction 16, or the reduction. Default false. */
  squeezeExcitation?: boolean | { reduction: number };
  variant?: Partial<Variant>;
}
