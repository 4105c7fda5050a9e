/** Yields work(item) for every item, in order, with up to `limit` of them under way. Ends at the first that rejects. */
export async function* mapInOrder<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): AsyncGenerator<R, void> {
  const underWay: Promise<R>[] = [];
  for (const [index, item] of items.entries()) {
    const result = work(item, index);
    // Seen when its turn comes, and not at all once an earlier one has rejected.
    result.catch(() => {});
    underWay.push(result);
    if (underWay.length >= limit) yield underWay.shift()!;
  }
  yield* underWay;
}
