import { abortError, listen } from './abort';

/**
 * Yields work(item) for every item, in order. At most `limit` items are taken from the source before their results are
 * taken from here. Ends at the first work that rejects; an error of the source comes after the results of the items
 * before it.
 *
 * However it ends (`stop` aborted from outside gives ERR_ABORTED, also while the source makes it wait), `stop` aborts
 * the works under way and the source's return() is called.
 *
 * @param work `signal` is that of `stop`. It must settle soon after an abort: it is waited for.
 */
export async function* mapInOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T, index: number, signal: AbortSignal) => Promise<R>,
  stop = new AbortController(),
): AsyncGenerator<R, void, undefined> {
  const { signal } = stop;
  const source = iterate(items);
  const underWay: { result: Promise<R>; settled: boolean }[] = [];
  let index = 0;
  let pulling = false;
  let ended = false;
  let failure: { error: unknown } | undefined;
  // Waiting on one promise for whatever comes next. Promise.race() on a source that is slow would pile up reactions.
  let wake = () => {};

  const pull = async () => {
    pulling = true;
    try {
      const { done, value } = await source.next();
      if (done) ended = true;
      else if (!signal.aborted) start(value);
    } catch (error) {
      ended = true;
      failure = { error };
    }
    pulling = false;
    wake();
  };
  const start = (item: T) => {
    const entry = { result: work(item, index++, signal), settled: false };
    const settle = () => {
      entry.settled = true;
      wake();
    };
    entry.result.then(settle, settle);
    underWay.push(entry);
  };

  const unlisten = listen(signal, () => wake());
  let left = true;
  try {
    for (;;) {
      if (signal.aborted) throw abortError(signal);
      if (!ended && !pulling && underWay.length < limit) void pull();
      if (underWay[0]?.settled) {
        yield await underWay.shift()!.result;
      } else if (ended && underWay.length === 0) {
        if (failure) throw failure.error;
        left = false;
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } catch (error) {
    left = false;
    throw error;
  } finally {
    unlisten();
    stop.abort('nobody waits for the result');
    const closed = ended ? undefined : (async () => void (await source.return?.()))();
    // As a for loop does: a failing return() counts where the consumer left, not where an error is on its way. Behind a
    // next() under way it may take forever.
    if (left && !pulling) await closed;
    else closed?.catch(() => {});
    await Promise.allSettled(underWay.map(({ result }) => result));
  }
}

function iterate<T>(items: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}
