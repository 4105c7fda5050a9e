import { displayName } from '../image/labels';

/** A class that an image may show. */
export interface Prediction {
  /** The first of the class's names; `class 17` where the weights have none. */
  label: string;
  /** Softmax probability. */
  score: number;
  /** Of the class, from 0. */
  index: number;
}

/** The `count` likeliest classes, best first; equal scores by index. `scores` holds one class each. */
export function likeliest(scores: Float32Array, count: number, labels: readonly string[] | undefined): Prediction[] {
  // Of thousands of classes a handful are asked for, and sorting numbers costs much less than a function call for each.
  const least = scores.slice().sort()[scores.length - count]!;
  const order = Array.from(scores.keys())
    .filter((index) => scores[index]! >= least)
    .sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, count).map((index) => {
    const label = labels?.[index];
    return { label: label === undefined ? `class ${index}` : displayName(label), score: scores[index]!, index };
  });
}
