import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { describe, it } from 'node:test';
import type { Pixels } from '../../lib';
import { imageToTensor } from '../../lib/image/tensor';
import { inTurns, nextTurn } from '../../lib/image/turns';
import { defaultPreprocess } from '../../lib/weights/metadata';

/** Turns of the event loop that pass while work is under way. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let on = true;
  void work.finally(() => (on = false));
  while (on) {
    await setImmediate();
    turns++;
  }
  await work;
  return turns;
}

const pixels: Pixels = { data: new Uint8Array(12 * 10 * 3).map((_, i) => i), width: 12, height: 10, channels: 3 };
const side = 1024;
const large = {
  ...defaultPreprocess,
  resize: { shorterSide: side, kernel: 'lanczos3' },
  crop: { width: side, height: side },
} as const;

describe('the event loop', () => {
  it('turns many times while a tiny image is enlarged, also while several are', async () => {
    for (const count of [1, 4]) {
      const images = Promise.all(Array.from({ length: count }, () => imageToTensor(pixels, large)));
      const turns = await turnsOf(images);
      // An image takes some 50 ms at the very least.
      assert.ok(turns >= 15 * count, `${turns} turns`);
    }
  });

  it('gives each turn to one waiter, in order', async () => {
    const order: string[] = [];
    const ticks = (async () => {
      for (let i = 0; i < 6; i++) {
        await setImmediate();
        order.push('tick');
      }
    })();
    await Promise.all([
      ...Array.from('abcd', async (name) => {
        await nextTurn();
        order.push(name);
      }),
      ticks,
    ]);
    assert.equal(order.filter((each) => each !== 'tick').join(''), 'abcd');
    for (const [i, each] of order.entries()) {
      if (each !== 'tick' && i > 0) assert.equal(order[i - 1], 'tick', order.join(' '));
    }
    await nextTurn();
  });

  it('is given back after each step that takes long, and steps keep their order', async () => {
    const done: number[] = [];
    const turns = await turnsOf(
      inTurns(10, (i) => {
        done.push(i);
        for (const end = performance.now() + 1.5; performance.now() < end; );
      }),
    );
    assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.ok(turns >= 9, `${turns} turns`);
    await inTurns(0, () => assert.fail());
  });
});
