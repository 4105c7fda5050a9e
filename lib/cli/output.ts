/**
 * Characters with which a label or file name could steer the terminal or disguise itself: C0 and C1 controls, line and
 * paragraph separators, and those that reorder text.
 */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Text on one line that is safe to show. */
export function printable(text: string): string {
  return text.replace(unsafe, escaped);
}

/** JSON that is safe to show: in JSON such characters occur in strings only, where escapes are the same. */
export function toJson(value: unknown, indent = 2): string {
  const json = JSON.stringify(value, null, indent);
  return json.replace(unsafe, (character) => (character === '\n' ? '\n' : escaped(character)));
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes to stdout, and resolves when whoever reads it has room for more. */
export function write(text: string): Promise<void> {
  // Errors are events too, which end the process.
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

/** Rows of equally many cells in columns two spaces apart. The first column is set left, the others right. */
export function columns(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/** 142500480 as '142.5M'. */
export function millions(count: number): string {
  return `${(count / 1e6).toFixed(1)}M`;
}

/** Prints `shufflenet: <message> (<code>)` on stderr, without a stack. */
export function report(error: unknown): void {
  const { message, code } = error as { message?: string; code?: string };
  reportText(`${message ?? String(error)}${code ? ` (${code})` : ''}`);
}

export function reportText(text: string): void {
  process.stderr.write(`shufflenet: ${printable(text)}\n`);
}
