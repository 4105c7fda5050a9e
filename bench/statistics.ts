/**
 * Statistics for machines that are not quiet: nothing here is moved far by a few slow samples. The speed of shared
 * machines drifts, so contestants are compared within a round, and the rounds' ratios are what is summed up.
 */
export interface Summary {
  median: number;
  minimum: number;
  /** Half the samples lie between these. */
  quartiles: [lower: number, upper: number];
  /** Median absolute deviation from the median, as a share of the median. */
  spread: number;
  samples: number;
}

/** Linear between neighbours: quantile(x, 0.5) is the median. NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function summarize(values: readonly number[]): Summary {
  const middle = median(values);
  return {
    median: middle,
    minimum: Math.min(...values),
    quartiles: [quantile(values, 0.25), quantile(values, 0.75)],
    spread: median(values.map((value) => Math.abs(value - middle))) / middle,
    samples: values.length,
  };
}

/** Of a over b, round by round. Both were measured in the same rounds. */
export function ratios(a: readonly number[], b: readonly number[]): Summary {
  if (a.length !== b.length) throw new RangeError(`${a.length} rounds cannot be compared with ${b.length}`);
  return summarize(a.map((value, round) => value / b[round]!));
}
