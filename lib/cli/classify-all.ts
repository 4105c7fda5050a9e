import { ShuffleNetError } from '../errors';
import type { ShuffleNet } from '../model/shufflenet';
import type { Outcome } from './formats';

/** Stands in for model.classifyAll. */
export async function* classifyAll(
  model: ShuffleNet,
  images: AsyncIterable<string>,
  { topK, concurrency, signal }: { topK?: number; concurrency: number; signal: AbortSignal },
): AsyncGenerator<Outcome, void> {
  const classify = async (image: string): Promise<Outcome> => {
    try {
      return { image, predictions: await model.classify(image, topK === undefined ? {} : { topK }) };
    } catch (error) {
      if (error instanceof ShuffleNetError) return { image, error };
      throw error;
    }
  };
  const source = images[Symbol.asyncIterator]();
  const underWay: Promise<Outcome>[] = [];
  let next: Promise<IteratorResult<string>> | undefined;
  let ended = false;
  while (!signal.aborted) {
    if (!ended && !next && underWay.length < concurrency) next = source.next();
    const first = underWay[0];
    if (!next && !first) return;
    // Whichever is there first: an image that is done does not wait for the next path, nor the other way round.
    const event = await Promise.race([
      ...(next ? [next.then((result) => ({ result }))] : []),
      ...(first ? [first.then((outcome) => ({ outcome }))] : []),
    ]);
    if ('outcome' in event) {
      underWay.shift();
      yield event.outcome;
    } else {
      next = undefined;
      if (event.result.done) ended = true;
      else underWay.push(classify(event.result.value));
    }
  }
}
