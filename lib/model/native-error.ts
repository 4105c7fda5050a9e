import { ShuffleNetError, type ShuffleNetErrorCode } from '../errors';

/** Those that the addon sets on its errors (native/addon/errors.cc). */
const nativeCodes: readonly unknown[] = [
  'ERR_OPTION',
  'ERR_NETWORK',
  'ERR_WEIGHTS_TENSOR',
  'ERR_WEIGHTS_VALUE',
  'ERR_INPUT',
  'ERR_ISA',
  'ERR_NATIVE',
  'ERR_MEMORY',
  'ERR_CLOSED',
  'ERR_ABORTED',
] satisfies ShuffleNetErrorCode[];

/**
 * An error of the addon as this package's, with its code. The addon's own has no JavaScript stack, as it is made on the
 * way back from another thread; this one has that of the call that awaits it.
 */
export function fromNative(error: unknown): ShuffleNetError {
  if (error instanceof ShuffleNetError) return error;
  const { code, message = String(error) } = error as { code?: unknown; message?: string };
  if (nativeCodes.includes(code)) return new ShuffleNetError(code as ShuffleNetErrorCode, message, { cause: error });
  // What C++ throws when there is no memory for arguments, and `new Float32Array` when there is none for the output.
  if (message === 'std::bad_alloc') return new ShuffleNetError('ERR_MEMORY', 'out of memory', { cause: error });
  return new ShuffleNetError(error instanceof RangeError ? 'ERR_MEMORY' : 'ERR_NATIVE', message, { cause: error });
}
