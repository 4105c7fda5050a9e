const waiting: (() => void)[] = [];

/**
 * Resolves in a turn of the event loop that nobody else was given, so that many images at once, each with a millisecond
 * of work, still leave the loop free after every one of them.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(give);
  });
}

function give(): void {
  waiting.shift()!();
  // An immediate asked for by an immediate runs in the turn after.
  if (waiting.length > 0) setImmediate(give);
}

/** Does `step` for 0 ... count - 1, about a millisecond's worth a turn. */
export async function inTurns(count: number, step: (index: number) => void): Promise<void> {
  for (let i = 0; i < count; ) {
    await nextTurn();
    const end = performance.now() + 1;
    do step(i++);
    while (i < count && performance.now() < end);
  }
}
