import type { Graph } from '../network/layers';

/** A tensor's values: float32, or as a weights file has them (little-endian, any address). */
export type NativeTensor = Float32Array | { dtype: 'F32' | 'F16' | 'BF16'; bytes: Uint8Array };

/** The one typed description of the native addon (native/addon). Its errors are Errors with a `code`. */
export interface NativeBinding {
  /**
   * The instruction set in use for fp32, all that this CPU has (best first), and how many runs the process makes at
   * once. Throws ERR_ISA on a wrong SHUFFLENET_ISA.
   */
  backend(): { isa: string; available: string[]; processors: number };
  /**
   * The most GFLOP/s (two for a multiply-add) that the calling thread makes with that instruction set. Blocks it for
   * 10 ms. Throws ERR_ISA.
   */
  peak(): number;
  /**
   * Converts, checks, folds and packs the weights on a thread of the addon's own. `tensors` are read in place until the
   * promise settles. Models of equal graphs and tensors share packed weights in all threads of the process. `id` is for
   * cancel(). Rejects with ERR_NETWORK, ERR_WEIGHTS_TENSOR, ERR_WEIGHTS_VALUE, ERR_MEMORY, ERR_ABORTED.
   */
  createModel(
    id: number,
    graph: Graph,
    tensors: Readonly<Record<string, NativeTensor>>,
    options: { threads: number; precision?: 'fp32' | 'fp16' },
  ): Promise<NativeModel>;
  /** Makes the promise of the call with this id reject with ERR_ABORTED, where it has not settled. */
  cancel(id: number): void;
}

/**
 * Arguments: input, NCHW, n * channels * height * width values; whether logits become probabilities; and for the graph's
 * output and each of its taps an array of n * channels * height * width values, written in place, or undefined where it
 * is not wanted. What comes after the last wanted one is not computed.
 */
type RunArguments = [
  input: Float32Array,
  n: number,
  height: number,
  width: number,
  softmax: boolean,
  outputs: readonly (Float32Array | undefined)[],
];

export interface NativeModel {
  /**
   * Runs on the addon's threads, images of a batch in parallel. All arrays must stay untouched until the promise settles.
   * Rejects with ERR_INPUT, ERR_MEMORY, ERR_ABORTED; throws ERR_INPUT, ERR_OPTION, ERR_CLOSED.
   */
  run(id: number, ...args: RunArguments): Promise<void>;
  /** Runs on the calling thread, image by image. */
  runSync(...args: RunArguments): void;
  /**
   * Times the steps of `runs` runs of one image of noise, after a few that do not count, on the addon's threads. Rejects
   * with ERR_INPUT, ERR_MEMORY, ERR_ABORTED; throws ERR_OPTION, ERR_CLOSED.
   */
  profile(id: number, height: number, width: number, runs: number): Promise<NativeProfile>;
  /** The instruction set in use, 'neonfp16' for half precision. Throws ERR_CLOSED. */
  isa(): string;
  /** Bytes held: folded and packed weights (shared with models of the same key), and arenas of the latest input sizes. */
  memory(): { weights: number; arenas: number };
  /** Frees everything once runs in flight are done; later calls throw ERR_CLOSED. */
  close(): void;
}

/** For one image. Times are the median and the least of all runs. */
export interface NativeProfile {
  /** Of one thread, in GFLOP/s, two for a multiply-add. */
  peak: number;
  /** Of the whole run. */
  milliseconds: number;
  minMilliseconds: number;
  /** In order of execution. */
  steps: NativeStep[];
}

/** One or more layers that are computed together; see native/plan/profile.h. */
export interface NativeStep {
  name: string;
  kind: string;
  form: string;
  groups: number;
  inputChannels: number;
  outputChannels: number;
  height: number;
  width: number;
  kernel: number;
  stride: number;
  multiplyAdds: number;
  bytes: number;
  milliseconds: number;
  minMilliseconds: number;
}
