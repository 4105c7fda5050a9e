/**
 * The layer graph: the one vocabulary between the network table and the native core. A graph is a list of layers in
 * execution order; `input`/`inputs` are indices of earlier layers. Activations are logical NCHW float32; parameters are
 * named tensors in PyTorch order (convolution [out, in/groups, kh, kw], fully connected [out, in]).
 */

/**
 * Padding of both spatial axes.
 * - `begin`/`end`: rows (columns) of padding before and after, output size = floor((in + begin + end - k) / stride) + 1.
 * - `ceil`: round up instead, dropping a last window that would start beyond in + begin (Caffe's and PyTorch's ceil_mode).
 * - `same`: TensorFlow's SAME, output = ceil(in / stride), the odd row of padding goes to the end.
 * - `reflect`: not zeros but the plane mirrored at its outermost cells, row -1 is row 1. Of 3x3 average pools that count
 *   their padding, by at most one cell, without `ceil`.
 */
export type Padding = { begin: number; end: number; ceil?: boolean; reflect?: boolean } | 'same';

export type Layer = { name: string } & (
  | { op: 'input'; channels: number }
  | {
      op: 'conv';
      input: number;
      outChannels: number;
      kernel: number;
      stride: number;
      groups: number;
      padding: Padding;
      /** Tensor names. */
      weight: string;
      bias?: string;
    }
  /** y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, per channel; absent gamma is 1, absent beta is 0. */
  | { op: 'batchNorm'; input: number; epsilon: number; gamma?: string; beta?: string; mean: string; variance: string }
  | { op: 'relu'; input: number }
  /** On a 1x1 plane. */
  | { op: 'sigmoid'; input: number }
  /** out[j * groups + i] = in[i * (C / groups) + j]: reshape (groups, C/groups), transpose, flatten. */
  | { op: 'shuffle'; input: number; groups: number }
  | { op: 'maxPool'; input: number; kernel: number; stride: number; padding: Padding }
  /** `countPadding`: the divisor counts padded cells (kernel * kernel inside the padded plane), else only real ones. */
  | { op: 'avgPool'; input: number; kernel: number; stride: number; padding: Padding; countPadding: boolean }
  | { op: 'globalPool'; input: number; mode: 'avg' | 'max' }
  /** On a 1x1 plane. */
  | { op: 'fullyConnected'; input: number; outFeatures: number; weight: string; bias?: string }
  | { op: 'add'; inputs: [number, number] }
  /** Along channels. */
  | { op: 'concat'; inputs: [number, number] }
  /** Multiplies each channel plane of inputs[0] by the 1x1 value of inputs[1] (squeeze-and-excitation). */
  | { op: 'scale'; inputs: [number, number] }
);

export interface Graph {
  layers: Layer[];
  /** Index of the layer whose value is the network's output (logits, a 1x1 plane). */
  output: number;
  /** Further layers whose values can be asked for: features. */
  taps?: number[];
}
