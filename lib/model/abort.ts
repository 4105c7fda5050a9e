import { ShuffleNetError } from '../errors';
import { isRecord, type Check } from '../network/validate';

/** By its shape, as polyfills and other realms (test runners) have classes of their own. */
export const abortSignal: Check = {
  expected: 'an AbortSignal',
  accepts: (value) => isRecord(value) && typeof value['aborted'] === 'boolean' && 'addEventListener' in value,
};

export function abortError(signal: AbortSignal): ShuffleNetError {
  return new ShuffleNetError('ERR_ABORTED', 'the call was aborted', { cause: signal.reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** What the promise gives, or ERR_ABORTED as soon as the signal aborts; what the promise then gives is ignored. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  // Without a race errors keep the stack of the call.
  if (!signal) return await promise;
  let onAbort!: () => void;
  const abortion = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal);
  });
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([abortion, promise]);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
