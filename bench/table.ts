/** Prints a table line by line, as rows are measured. */
export class Table {
  readonly #widths: number[];

  /** The first column is text, aligned left; the others are as wide as their titles and at least `width`. */
  constructor(titles: readonly string[], width = 8, first = 18) {
    this.#widths = titles.map((title, i) => (i === 0 ? first : Math.max(width, title.length)));
    this.row(...titles);
  }

  row(...cells: readonly string[]): void {
    const padded = cells.map((cell, i) => (i === 0 ? cell.padEnd(this.#widths[i]!) : cell.padStart(this.#widths[i]!)));
    console.log(padded.join('  ').trimEnd());
  }
}

/** '3.21 (3.02)': median and fastest. */
export function milliseconds({ summary, fastest }: { summary: { median: number }; fastest: number }): string {
  return `${short(summary.median)} (${short(fastest)})`;
}

/** Three digits at least. */
export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
