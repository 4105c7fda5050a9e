/**
 * Every failure this package reports. `code` is stable; `message` names the file, tensor or option and what was
 * expected. A closed union: a `switch` over it can be complete.
 */
export type ShuffleNetErrorCode =
  /**
   * An argument or option has the wrong type or is out of range, or does not suit the file or the image.
   * Remedy: pass what the message expects.
   */
  | 'ERR_OPTION'
  /**
   * These network options cannot be built: a width is not divided by its groups, or a stage is no wider than its input.
   * Remedy: change the option behind the division that the message names (`scale`, `groups`, `stemChannels` ...).
   */
  | 'ERR_NETWORK'
  /** A file cannot be read or written. Remedy: the path, its permissions; `cause` is the system's error. */
  | 'ERR_FILE'
  /**
   * A weights file is not what its format promises: header, offsets, sizes or `shufflenet.*` metadata.
   * Remedy: copy or download it again; save what no reader takes in one of the formats of README's table.
   */
  | 'ERR_WEIGHTS_FORMAT'
  /**
   * Tensors are missing, not part of the network, or have another shape or type than it needs; or no family has such.
   * Remedy: the `family` that the message names as nearest, or `network` options that describe the network.
   */
  | 'ERR_WEIGHTS_TENSOR'
  /**
   * A tensor holds NaN, an infinity or a variance that is not positive: training diverged, or the file is damaged.
   * Remedy: another checkpoint, or another copy.
   */
  | 'ERR_WEIGHTS_VALUE'
  /**
   * An image cannot be decoded: not one of the formats, truncated or corrupt; or sharp could not be loaded.
   * Remedy: another file; sharp reinstalled for this platform.
   */
  | 'ERR_IMAGE'
  /** An image has more pixels than `limitPixels` allows. Remedy: a smaller image, or a higher limit. */
  | 'ERR_IMAGE_LIMIT'
  /**
   * An input tensor or raw image has the wrong type, shape or length, lies in memory that could go away (shared,
   * resizable, detached), has a size that the network's paddings cannot take, or makes scores NaN.
   * Remedy: what the message expects; a copy of the memory; other sides.
   */
  | 'ERR_INPUT'
  /**
   * The environment variable `SHUFFLENET_ISA` names an instruction set that is unknown or that this CPU lacks.
   * Remedy: one of those that the message lists, or unset it.
   */
  | 'ERR_ISA'
  /**
   * No native addon could be loaded, neither one built here nor one of the package's; `cause` is an AggregateError. Or it
   * failed in a way it should not.
   * Remedy: what the message says, most often `npx node-gyp rebuild` in the package's folder; else report it.
   */
  | 'ERR_NATIVE'
  /**
   * Memory for weights or activations could not be allocated. The model remains usable.
   * Remedy: smaller images or batches, fewer at once.
   */
  | 'ERR_MEMORY'
  /** The call was aborted by its `signal`; `cause` is the signal's reason. Nothing to remedy. */
  | 'ERR_ABORTED'
  /** The model was used after `close()`. Remedy: close when all calls have been made, or load another. */
  | 'ERR_CLOSED';

/** Every failure of this package. Errors of a source given to classifyAll() pass through as they are. */
export class ShuffleNetError extends Error {
  /** 'ShuffleNetError'. */
  override readonly name = 'ShuffleNetError';

  constructor(
    /** What went wrong, for programs. */
    readonly code: ShuffleNetErrorCode,
    message: string,
    /** `cause`: the error or abort reason behind this one. */
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
