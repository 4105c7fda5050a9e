import type { Classified } from '../model/shufflenet';
import { printable, toJson } from './output';

/** Lines, each with its end, for one image; none where there is nothing to say. */
export type Formatter = (outcome: Classified<string>) => string;

/** New formatters: what they say may depend on what they said before. */
export const formats = { table, jsonl: () => jsonLine, csv };

export type Format = keyof typeof formats;

/** For people. Errors are on stderr already. */
function table(): Formatter {
  let separator = '';
  return (outcome) => {
    if (outcome.error) return '';
    const lines = outcome.predictions.map(({ label, score }) => `   ${score.toFixed(3)}  ${printable(label)}\n`);
    const block = `${separator}${printable(outcome.image)}\n${lines.join('')}`;
    separator = '\n';
    return block;
  };
}

function jsonLine({ image, predictions, error }: Classified<string>): string {
  return `${toJson(error ? { image, error: { code: error.code, message: error.message } } : { image, predictions }, 0)}\n`;
}

/**
 * One row for each class of an image, or one with its error, quoted as in RFC 4180. Text that a spreadsheet would take
 * for a formula stays as it is: a path with a sign put before it would no longer be that of the image.
 */
function csv(): Formatter {
  // A terminal would obey control characters.
  const shown = process.stdout.isTTY ? printable : (text: string) => text;
  const field = (value: string | number) => {
    const text = shown(String(value));
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (...values: (string | number)[]) => `${values.map(field).join(',')}\n`;
  let header = line('image', 'rank', 'label', 'index', 'score', 'error');
  return (outcome) => {
    const { image } = outcome;
    const rows = outcome.error
      ? [line(image, '', '', '', '', `${outcome.error.code}: ${outcome.error.message}`)]
      : outcome.predictions.map(({ label, index, score }, i) => line(image, i + 1, label, index, score, ''));
    const text = header + rows.join('');
    header = '';
    return text;
  };
}
