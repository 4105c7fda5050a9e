/**
 * Every failure this package reports. `code` is stable; `message` names the file, tensor or option and what was expected.
 */
export type ShuffleNetErrorCode =
  /** An argument or option has the wrong type or is out of range. */
  | 'ERR_OPTION'
  /** These network options cannot be built; the message says which division fails. */
  | 'ERR_NETWORK'
  /** A file cannot be read or written. */
  | 'ERR_FILE'
  /** A file is not what its format promises (header, offsets, sizes, metadata). */
  | 'ERR_WEIGHTS_FORMAT'
  /** Tensors are missing, not part of the network, or have another shape or type than it needs. */
  | 'ERR_WEIGHTS_TENSOR'
  /** A tensor holds NaN, an infinity or a variance that is not positive. */
  | 'ERR_WEIGHTS_VALUE'
  /** An image cannot be decoded or used. */
  | 'ERR_IMAGE'
  /** An image has more pixels than `limitPixels` allows. */
  | 'ERR_IMAGE_LIMIT'
  /** An input tensor or raw image has the wrong type, shape or length. */
  | 'ERR_INPUT'
  /** `SHUFFLENET_ISA` names an instruction set that is unknown or that this CPU lacks. */
  | 'ERR_ISA'
  /** The native addon could not be loaded. */
  | 'ERR_NATIVE'
  /** Memory for weights or activations could not be allocated. */
  | 'ERR_MEMORY'
  /** The model was used after `close()`. */
  | 'ERR_CLOSED';

export class ShuffleNetError extends Error {
  override readonly name = 'ShuffleNetError';

  constructor(
    readonly code: ShuffleNetErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
