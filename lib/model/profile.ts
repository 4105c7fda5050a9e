import type { NativeProfile } from '../native/types';
import { imageSides } from '../network/complexity';
import { integer, type Check } from '../network/validate';
import type { CallOptions } from './shufflenet';

export interface ProfileOptions extends CallOptions {
  /** Of the image, in pixels, 32 to 4096. Default: what the model's `preprocess` makes. */
  height?: number;
  /** Of the image, in pixels, 32 to 4096. Default: what the model's `preprocess` makes. */
  width?: number;
  /** Runs that are timed, 1 to 10,000, after three that are not. Default 30. */
  runs?: number;
}

/** What a piece of work took, for one image. A multiply-add is two floating-point operations. */
export interface Timing {
  /** Median of all runs. */
  milliseconds: number;
  /** Least of all runs: nearest to an idle machine. */
  minMilliseconds: number;
  /** Of convolutions and fully connected layers, as networkTable() counts them. */
  multiplyAdds: number;
  /** 10^9 floating-point operations of these multiply-adds per second of `milliseconds`. */
  gflops: number;
  /** `gflops` as a fraction of what all the model's threads could do: of `threads * peak`. */
  shareOfPeak: number;
}

/** One step of a run: a layer, or several that are computed together. */
export interface ProfileStep extends Timing {
  /** As in the weights file, such as 'stage2.0.gconv1'; several are joined by '+'. Batch norm and ReLU have none. */
  name: string;
  /** The kernels that do it: 'conv', 'pwconv', 'dwconv', 'pool', 'globalPool', 'fc', 'scale', 'sigmoid' or 'sum'. */
  kind: string;
  /** How activations lie in memory meanwhile: 'planes' (NCHW) or 'channels' (NHWC). */
  form: string;
  /** Of a convolution, else 1. */
  groups: number;
  /** Of the whole input, not of one group. */
  inputChannels: number;
  /** Of the whole output. */
  outputChannels: number;
  /** Of the output, in pixels. */
  height: number;
  /** Of the output, in pixels. */
  width: number;
  /** Side of the window, in pixels. */
  kernel: number;
  /** In pixels. */
  stride: number;
  /** Weights and activations that are read and activations that are written, each counted once. */
  bytes: number;
}

/** Where the time of a run goes. JSON-friendly. */
export interface Profile extends Timing {
  /** Instruction set. */
  isa: string;
  /** That worked on the image. */
  threads: number;
  /** GFLOP/s of one thread that does nothing but multiply-adds in registers, measured just before and after. */
  peak: number;
  /** Of the image, in pixels. */
  height: number;
  /** Of the image, in pixels. */
  width: number;
  /** That were timed. */
  runs: number;
  /** In order of execution. Their medians add up to `milliseconds` where the machine was quiet. */
  steps: ProfileStep[];
}

export const profileChecks: Readonly<Record<'height' | 'width' | 'runs', Check>> = {
  height: integer(imageSides.min, imageSides.max),
  width: integer(imageSides.min, imageSides.max),
  runs: integer(1, 10_000),
};

/** Relates times and multiply-adds. `most`: the GFLOP/s of all threads at their peak. */
export function timing(milliseconds: number, minMilliseconds: number, multiplyAdds: number, most: number): Timing {
  const gflops = (2 * multiplyAdds) / milliseconds / 1e6;
  return { milliseconds, minMilliseconds, multiplyAdds, gflops, shareOfPeak: gflops / most };
}

/** What the addon measured, related to the peak. */
export function toProfile(
  { peak, milliseconds, minMilliseconds, steps }: NativeProfile,
  run: Pick<Profile, 'isa' | 'threads' | 'height' | 'width' | 'runs'>,
): Profile {
  const most = run.threads * peak;
  const multiplyAdds = steps.reduce((total, step) => total + step.multiplyAdds, 0);
  return {
    ...run,
    peak,
    ...timing(milliseconds, minMilliseconds, multiplyAdds, most),
    steps: steps.map((step) => ({
      ...step,
      ...timing(step.milliseconds, step.minMilliseconds, step.multiplyAdds, most),
    })),
  };
}
