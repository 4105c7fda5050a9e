import { displayName } from '../image/labels';

export interface Prediction {
  /** The first of the class's names; `class 17` where the weights have none. */
  label: string;
  /** Softmax probability. */
  score: number;
  /** Of the class, from 0. */
  index: number;
}

/** The `count` likeliest classes, best first; equal scores by index. `scores` holds one class each. */
export function likeliest(
  scores: Float32Array,
  count: number,
  labels: readonly string[] | undefined,
): Prediction[] {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, count).map((index) => {
    const label = labels?.[index];
    return { label: label === undefined ? `class ${index}` : displayName(label), score: scores[index]!, index };
  });
}
