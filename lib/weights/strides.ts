import { inTurns } from '../image/turns';

/** Strides, in elements, of a row-major array. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** Whether an array lies row by row without holes. Strides of sides of 1 do not matter. */
export function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  return rowMajorStrides(shape).every((stride, i) => shape[i] === 1 || strides[i] === stride);
}

/**
 * A row-major copy of the array whose first element, of `size` bytes, is at `bytes[0]` and whose sides lie `strides`
 * elements apart. No side is 0, and all elements lie within `bytes`. Gives the event loop free between rows.
 */
export async function toRowMajor(
  bytes: Uint8Array,
  size: number,
  shape: readonly number[],
  strides: readonly number[],
): Promise<Uint8Array> {
  const row = shape.at(-1) ?? 1;
  const step = (strides.at(-1) ?? 1) * size;
  const outer = shape.slice(0, -1);
  const rows = outer.reduce((product, n) => product * n, 1);
  const copy = new Uint8Array(rows * row * size);

  /** Of the row's first element. */
  const from = (index: number) => {
    let at = 0;
    for (let i = outer.length - 1; i >= 0; i--) {
      at += (index % outer[i]!) * strides[i]!;
      index = Math.floor(index / outer[i]!);
    }
    return at * size;
  };
  // About 20,000 elements, a fraction of a millisecond, between looks at the clock; long rows are cut.
  const piece = 20_000;
  const rowsAtOnce = Math.max(1, Math.floor(piece / row));
  const pieces = Math.ceil(row / piece);
  await inTurns(Math.ceil(rows / rowsAtOnce) * pieces, (turn) => {
    const first = Math.floor(turn / pieces) * rowsAtOnce;
    const begin = (turn % pieces) * piece;
    const end = Math.min(row, begin + piece);
    for (let index = first; index < Math.min(rows, first + rowsAtOnce); index++) {
      let source = from(index) + begin * step;
      let target = (index * row + begin) * size;
      for (let i = begin; i < end; i++) {
        for (let byte = 0; byte < size; byte++) copy[target++] = bytes[source + byte]!;
        source += step;
      }
    }
  });
  return copy;
}
