import path from 'node:path';
import type { Tensor } from '../../lib/model/tensor';
import { smallOptions, smallTensors, writeSafetensors } from '../weights/files';

/** Compiled tests lie three levels below the package. */
export const root = path.join(__dirname, '../../..');
export const example = (name: string) => path.join(root, 'examples', name);

/** What was measured, and the promises that did not hold. */
export interface Outcome {
  figures: Record<string, unknown>;
  broken: string[];
}

export type Measure = (short: boolean) => Promise<Outcome>;

/** Throws away less than it keeps: numbers for people. */
export const round = (value: number) => Number(value.toPrecision(3));

/** The value that a share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Numbers from 0 to below 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Rejects where a promise takes longer: what hangs must not hang the measurement. */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Does `count` pieces of work, `atOnce` at a time. */
export async function inParallel(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** A weights file of the smallest network, which says all about itself. */
export function smallFile(): Buffer {
  const labels = ['first', 'second, 2nd', 'third'];
  return writeSafetensors(smallTensors(), {
    'shufflenet.config': JSON.stringify(smallOptions),
    'shufflenet.labels': JSON.stringify(labels),
  });
}

/** A grey ramp of one or more images; what it shows does not matter. */
export function ramp(side: number, n = 1): Tensor {
  const data = new Float32Array(n * 3 * side * side);
  for (let i = 0; i < data.length; i++) data[i] = (i % 251) / 251;
  return { data, shape: [n, 3, side, side] };
}
