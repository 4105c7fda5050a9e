/** Lines that a terminal shows, without scrolling, after everything of `output`. */
export function screen(output: string): string[] {
  const rows: string[][] = [[]];
  let cursor = { row: 0, column: 0 };
  let saved = { ...cursor };
  for (const [text, final, parameter] of tokens(output)) {
    const row = (rows[cursor.row] ??= []);
    if (text === '\r') cursor.column = 0;
    else if (text === '\n') cursor.row++;
    else if (text === '\x1b7') saved = { ...cursor };
    else if (text === '\x1b8') cursor = { ...saved };
    else if (final === 'G') cursor.column = Number(parameter) - 1;
    else if (final === 'K') row.splice(parameter === '2' ? 0 : cursor.column);
    else if (text.startsWith('\x1b')) throw new Error(`escape sequence ${JSON.stringify(text)}`);
    else {
      while (row.length < cursor.column) row.push(' ');
      row[cursor.column++] = text;
    }
  }
  return rows.map((row) => row.join('').trimEnd());
}

/** Characters and escape sequences, these with their last letter and what is before it. */
function* tokens(output: string): Generator<[text: string, final?: string, parameter?: string]> {
  for (const [text, parameter, final] of output.matchAll(/\x1b\[([\d;?]*)([A-Za-z])|\x1b.|./gsu)) {
    yield final === undefined ? [text] : [text, final, parameter!];
  }
}
