import type { Padding } from './layers';

/** Group counts of the paper's Table 1. */
export type Groups = 1 | 2 | 3 | 4 | 8;

/**
 * Where published ShuffleNet V1 networks differ from each other. Defaults are the paper's (and PyTorch's). A wrong
 * field does not fail, it gives plausible but wrong classes, so weights files carry theirs.
 *
 * A "concat unit" is the first of a stage: it concatenates shortcut and branch where the others add them. Its stride is
 * 2, but for `stage2Stride`. `begin` and `end` of a padding are smaller than the kernel; `ceil` is for pools only,
 * `reflect` for the average pool.
 */
export interface Variant {
  /** 'standard': out[j*g+i] = in[i*(C/g)+j]; 'inverse': out[i*(C/g)+j] = in[j*g+i]. Default 'standard'. */
  shuffleOrder: 'standard' | 'inverse';
  /** Default 'beforeDepthwise'. */
  shufflePlace: 'beforeDepthwise' | 'afterDepthwise';
  /** Whether the first unit of stage 2 shuffles. Default true. */
  shuffleFirstUnit: boolean;
  /** Groups of the first 1x1 convolution of stage 2's first unit: 1 or the network's. Default 'one'. */
  firstUnitGconv1: 'one' | 'groups';
  /** Groups of the second. Default 'groups'. */
  firstUnitGconv2: 'one' | 'groups';
  /** Order of the channels in concat units. Default 'shortcutBranch'. */
  concatOrder: 'shortcutBranch' | 'branchShortcut';
  /** ReLU of concat units: on the whole concatenation, on the branch only, or absent. Default 'afterConcat'. */
  concatRelu: 'afterConcat' | 'branch' | 'none';
  /**
   * Bottleneck width. 'out': ratio * out; 'branch': ratio * the branch's own width, (out - in) in concat units;
   * 'none': no bottleneck, the branch's width in the first unit of stage 2, in channels in other concat units, out in
   * the rest (ONNX model zoo). Default 'out'.
   */
  bottleneck: 'out' | 'branch' | 'none';
  /** Default 2. */
  stemStride: 1 | 2;
  /** Default { begin: 1, end: 1 }. */
  stemPadding: Padding;
  /** Default true. */
  stemBatchNorm: boolean;
  /** Default true. */
  stemRelu: boolean;
  /** false: no max-pool after the stem (CIFAR networks). Default true. */
  maxPool: boolean;
  /** Default { begin: 1, end: 1 }. */
  maxPoolPadding: Padding;
  /** Stride of stage 2's first unit; with 1 the shortcut is the input itself (CIFAR). Default 2. */
  stage2Stride: 1 | 2;
  /** Average-pool shortcut of stride-2 units. Default 3. */
  avgPoolKernel: 2 | 3;
  /** Default { begin: 1, end: 1 }, with a kernel of 2 { begin: 0, end: 0 }. */
  avgPoolPadding: Padding;
  /** Always true where avgPoolPadding reflects. Default true. */
  avgPoolCountPadding: boolean;
  /**
   * Padding of the stride-2 depthwise convolutions (stride 1 is always 1, 1), or that of stages 2, 3 and 4 each (Caffe,
   * to fit one size of image). Default { begin: 1, end: 1 }.
   */
  depthwisePadding: Padding | [Padding, Padding, Padding];
  /** The pool before the classifier. Default 'avg'. */
  globalPool: 'avg' | 'max';
  /** Above 0, at most 1. Default 1e-5. */
  batchNormEpsilon: number;
  /** Batch-norm has a gamma (absent in some TensorFlow files). Default true. */
  batchNormGamma: boolean;
  /** Default false. */
  stemBias: boolean;
  /** Biases of all 1x1 and depthwise convolutions. Default false. */
  convBias: boolean;
  /** false: none anywhere; with biases this is batch norm folded into the convolutions. Default true. */
  batchNorm: boolean;
  /** Default true. */
  fcBias: boolean;
}

/**
 * Options of the paper's network. Units: channels; scale multiplies the widths of Table 1.
 *
 * One rounding rule: every scaled width (stage, stem, bottleneck) becomes the nearest multiple of `groups`, the upper
 * one of two equally near, and at least `groups`. All widths of Table 1 are such multiples already.
 */
export interface NetworkOptions {
  /** Default 3. */
  groups?: Groups;
  /** "ShuffleNet s x". Above 0, at most 16. Default 1. */
  scale?: number;
  /**
   * Output channels of stages 2, 3 and 4, 1 to 65536 each, taken as given: for networks whose widths follow another
   * rounding rule. Default: Table 1's times scale, by the rounding rule.
   */
  stageChannels?: [number, number, number];
  /** 1 to 1,000,000. Default 1000. */
  classes?: number;
  /**
   * 1 to 4096, taken as given. Default: 24 * scale by the rounding rule, which fits the paper's count for 2x; its count
   * for 1.5x fits 24, and so do public 1.5x weights.
   */
  stemChannels?: number;
  /** Bottleneck width over unit width. Above 0, at most 1. Default 1/4. */
  bottleneckRatio?: number;
  /** Table 3. Default true. */
  shuffle?: boolean;
  /**
   * Table 5, "shallow": half the units of each stage, at the same widths. The paper's 40 M for "0.5x shallow" is not
   * that network (21.6 M): it must have been wider, 0.7x comes to 39.8 M. Default false.
   */
  shallow?: boolean;
  /** Table 5, "with SE": true for reduction 16, or the reduction (1 to 4096). Default false. */
  squeezeExcitation?: boolean | { reduction: number };
  /** Conventions in which published networks differ. Default: the paper's. */
  variant?: Partial<Variant>;
}
