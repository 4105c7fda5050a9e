/** How often a network is wrong on images whose classes are known. */
export interface Share {
  errors: number;
  /** errors / images, 0 to 1. */
  error: number;
  /** The true error lies within, for 95 of 100 such samples (Wilson's interval). */
  interval: [low: number, high: number];
}

export interface ClassScore {
  index: number;
  images: number;
  top1Errors: number;
  top5Errors: number;
}

export interface Confusion {
  truth: number;
  predicted: number;
  count: number;
}

export function share(errors: number, images: number): Share {
  if (images === 0) return { errors, error: 0, interval: [0, 1] };
  const z = 1.959964;
  const p = errors / images;
  const scale = 1 + z ** 2 / images;
  const middle = (p + z ** 2 / (2 * images)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / images + z ** 2 / (4 * images ** 2));
  return { errors, error: p, interval: [Math.max(0, middle - half), Math.min(1, middle + half)] };
}

/** Counts predictions against the truth. Holds one number for each class and each pair that was confused. */
export class Score {
  readonly #classes = new Map<number, ClassScore>();
  readonly #confusions = new Map<number, Map<number, number>>();
  images = 0;
  top1Errors = 0;
  top5Errors = 0;

  /** `predicted`: up to five classes, likeliest first. */
  add(truth: number, predicted: readonly number[]): void {
    const score = this.#classes.get(truth) ?? { index: truth, images: 0, top1Errors: 0, top5Errors: 0 };
    this.#classes.set(truth, score);
    const first = predicted[0]!;
    const top1 = first === truth ? 0 : 1;
    const top5 = predicted.includes(truth) ? 0 : 1;
    for (const sum of [this, score]) {
      sum.images++;
      sum.top1Errors += top1;
      sum.top5Errors += top5;
    }
    if (top1 === 0) return;
    const row = this.#confusions.get(truth) ?? new Map<number, number>();
    this.#confusions.set(truth, row.set(first, (row.get(first) ?? 0) + 1));
  }

  /** Of the classes that have images, by index. */
  classes(): ClassScore[] {
    return [...this.#classes.values()].sort((a, b) => a.index - b.index);
  }

  /** Most frequent first, then by class. */
  confusions(): Confusion[] {
    return [...this.#confusions]
      .flatMap(([truth, row]) => [...row].map(([predicted, count]) => ({ truth, predicted, count })))
      .sort((a, b) => b.count - a.count || a.truth - b.truth || a.predicted - b.predicted);
  }
}
