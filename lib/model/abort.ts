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

const listening = new WeakMap<AbortSignal, { listeners: Set<() => void>; onAbort: () => void }>();

/**
 * Calls `listener` when the signal aborts; the function returned takes it back. A signal gets one event listener,
 * however many calls wait for it: Node.js warns of a leak from the eleventh on.
 */
export function listen(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (!signal) return () => {};
  let entry = listening.get(signal);
  if (!entry) {
    const listeners = new Set<() => void>();
    entry = { listeners, onAbort: () => listeners.forEach((each) => each()) };
    listening.set(signal, entry);
    signal.addEventListener('abort', entry.onAbort);
  }
  const { listeners, onAbort } = entry;
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || listening.get(signal)?.listeners !== listeners) return;
    listening.delete(signal);
    signal.removeEventListener('abort', onAbort);
  };
}

/** What the promise gives, or ERR_ABORTED as soon as the signal aborts; what the promise then gives is ignored. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  // Without a race errors keep the stack of the call.
  if (!signal) return await promise;
  let unlisten!: () => void;
  const abortion = new Promise<never>((_, reject) => {
    unlisten = listen(signal, () => reject(signal));
    if (signal.aborted) reject(signal);
  });
  try {
    return await Promise.race([abortion, promise]);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  } finally {
    unlisten();
  }
}
