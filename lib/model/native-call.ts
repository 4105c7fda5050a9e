import { binding } from '../native/binding';
import { abortError, listen } from './abort';
import { fromNative } from './native-error';

let latest = 0;

/**
 * Calls the addon with a fresh id, and cancels the call when the signal aborts. It settles only once the addon's
 * threads have let go of the caller's memory, milliseconds after that. Rejects with ShuffleNetError, ERR_ABORTED also
 * where the result came at the same moment; `discard` then gets it.
 */
export async function callNative<T>(
  signal: AbortSignal | undefined,
  call: (id: number) => Promise<T>,
  discard?: (result: T) => void,
): Promise<T> {
  if (signal?.aborted) throw abortError(signal);
  const id = ++latest;
  const unlisten = listen(signal, () => binding().cancel(id));
  try {
    const result = await call(id);
    if (!signal?.aborted) return result;
    discard?.(result);
  } catch (error) {
    if (!signal?.aborted) throw fromNative(error);
  } finally {
    unlisten();
  }
  throw abortError(signal!);
}
