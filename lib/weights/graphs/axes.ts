/**
 * What reshaping and transposing make of a value, without a look at its elements: how its dimensions are pieced together
 * from the four axes that it had. This is how a channel shuffle is recognised, however it is written.
 */

/** Steps along one axis: index * stride is the place on it. */
interface Steps {
  /** 0 to 3 for N, C, H, W. */
  axis: number;
  size: number;
  stride: number;
}

/** One entry for each dimension: its steps, the slowest first; none for a dimension of 1. */
export type Axes = readonly (readonly Steps[])[];

/** Of a value as it is. */
export function wholeAxes(shape: readonly number[]): Axes {
  return shape.map((size, axis) => (size === 1 ? [] : [{ axis, size, stride: 1 }]));
}

export function axesShape(axes: Axes): number[] {
  return axes.map((steps) => steps.reduce((product, { size }) => product * size, 1));
}

/** The same elements in other dimensions; undefined where these cut across the steps. */
export function reshapeAxes(axes: Axes, shape: readonly number[]): Axes | undefined {
  const left = axes.flat();
  const dimensions: Steps[][] = [];
  for (const side of shape) {
    const steps: Steps[] = [];
    for (let need = side; need !== 1; ) {
      const next = left.shift();
      if (!next) return undefined;
      if (need % next.size === 0) {
        steps.push(next);
        need /= next.size;
      } else if (next.size % need === 0) {
        const rest = next.size / need;
        steps.push({ axis: next.axis, size: need, stride: next.stride * rest });
        left.unshift({ axis: next.axis, size: rest, stride: next.stride });
        need = 1;
      } else {
        return undefined;
      }
    }
    dimensions.push(merged(steps));
  }
  return left.length === 0 ? dimensions : undefined;
}

/** Entry i of the result is entry order[i]; undefined where `order` is not one of all entries. */
export function transposed<T>(entries: readonly T[], order: readonly number[]): T[] | undefined {
  const sorted = [...order].sort((a, b) => a - b);
  if (order.length !== entries.length || sorted.some((from, index) => from !== index)) return undefined;
  return order.map((from) => entries[from]!);
}

/**
 * Which of a shape's axes the dimensions are, where each of them is a whole one and only axes of 1 are missing; else
 * undefined.
 */
export function axesOrder(axes: Axes, shape: readonly number[]): number[] | undefined {
  const order = axes.map(([first, ...more]) => {
    if (!first) return -1;
    return more.length === 0 && first.size === shape[first.axis] ? first.axis : NaN;
  });
  // Which of the dimensions of 1 is which does not matter.
  const single = shape.flatMap((side, axis) => (side === 1 ? [axis] : []));
  const known = order.map((axis) => (axis === -1 ? (single.shift() ?? NaN) : axis));
  const missing = shape.filter((side, axis) => side !== 1 && !known.includes(axis));
  return missing.length === 0 && !known.some(Number.isNaN) ? known : undefined;
}

/** Steps that go on where the next ones are through are one. */
function merged(steps: readonly Steps[]): Steps[] {
  const result: Steps[] = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (last && last.axis === step.axis && last.stride === step.size * step.stride) {
      result[result.length - 1] = { axis: step.axis, size: last.size * step.size, stride: step.stride };
    } else {
      result.push(step);
    }
  }
  return result;
}

/**
 * The groups of the shuffle that makes these dimensions of a value of this shape, 1 where nothing is shuffled: its
 * channel j * groups + i was i * (C / groups) + j. undefined where they are not N, C, H, W with the channels shuffled.
 */
export function shuffleGroups(axes: Axes, shape: readonly number[]): number | undefined {
  if (axes.length !== 4) return undefined;
  const whole = wholeAxes(shape);
  const same = (index: number) => {
    const [a, b] = [axes[index]!, whole[index]!];
    return a.length === b.length && a.every((step, i) => step.axis === b[i]!.axis && step.size === b[i]!.size);
  };
  if (![0, 2, 3].every(same)) return undefined;
  if (same(1)) return 1;
  const [outer, inner, ...more] = axes[1]!;
  if (!outer || !inner || more.length > 0 || outer.axis !== 1 || inner.axis !== 1) return undefined;
  return outer.stride === 1 && inner.stride === outer.size ? inner.size : undefined;
}

/** Whether the dimensions are N and all channels in their order: what a classifier reads. */
export function isVector(axes: Axes, shape: readonly number[]): boolean {
  const expected = wholeAxes([shape[0]!, shape[1]!]);
  return (
    shape[2] === 1 &&
    shape[3] === 1 &&
    axes.length === 2 &&
    axes.every((steps, index) => {
      const [a, b] = [steps[0], expected[index]![0]];
      return steps.length <= 1 && a?.axis === b?.axis && a?.size === b?.size;
    })
  );
}
