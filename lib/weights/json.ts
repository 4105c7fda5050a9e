const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** A header full of brackets would parse to gigabytes of objects. Weights need a depth of 3 and ten values a tensor. */
const usualDepth = 8;
const maxValues = 2_000_000;

/**
 * JSON.parse for text that nobody vouches for: also refuses an object that names a key twice (JSON.parse silently keeps
 * the last), nesting deeper than `maxDepth`, and more than 2,000,000 values. Throws SyntaxError.
 */
export function parseJson(text: string, maxDepth = usualDepth): unknown {
  scan(text, maxDepth);
  return JSON.parse(text);
}

/**
 * What JSON.parse cannot see. In valid JSON, brackets and commas outside of strings are always structure, and a string
 * is a key exactly when a colon follows, so no grammar is needed; what is not valid JSON.parse refuses afterwards.
 * Searches instead of looking at every character: this runs once, before any compiler has seen it.
 */
function scan(text: string, maxDepth: number): void {
  // One entry for each open bracket: an object's keys so far.
  const open: (Set<string> | undefined)[] = [];
  let values = 1;
  const structure = /["{}[\],]/g;
  const colon = /[ \n\r\t]*:/y;
  while (structure.test(text)) {
    const start = structure.lastIndex - 1;
    const c = text.charCodeAt(start);
    if (c === OPEN || c === OPEN_ARRAY) {
      open.push(c === OPEN ? new Set() : undefined);
      if (open.length > maxDepth) throw new SyntaxError(`nested deeper than ${maxDepth}`);
      values++;
    } else if (c === CLOSE || c === CLOSE_ARRAY) {
      open.pop();
    } else if (c === COMMA) {
      values++;
    } else {
      const end = stringEnd(text, start);
      structure.lastIndex = colon.lastIndex = end + 1;
      if (!colon.test(text)) continue;
      // "\u0061" and "a" are the same key. Parsing every key would take as long as all the rest.
      const raw = text.slice(start + 1, end);
      const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
      const keys = open.at(-1);
      if (keys?.has(key)) throw new SyntaxError(`the key ${quote(key)} occurs twice`);
      keys?.add(key);
    }
    if (values > maxValues) throw new SyntaxError(`more than ${maxValues} values`);
  }
}

/** Of the quote that ends the string whose first is at `start`; the text's length where none does. */
function stringEnd(text: string, start: number): number {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let escapes = end;
    while (text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
    if ((end - escapes) % 2 === 0) return end;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text from a file for an error message: escaped, and cut so that a hostile name cannot make a huge message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** An unexpected value for an error message; never walks into it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The first ten of `items`, and how many more there are. */
export function firstTen(items: string[]): string {
  const more = items.length > 10 ? `; and ${items.length - 10} more` : '';
  return items.slice(0, 10).join('; ') + more;
}

export function formatShape(shape: readonly number[]): string {
  return shape.length > 8 ? `[${shape.slice(0, 8).join(', ')}, …]` : `[${shape.join(', ')}]`;
}

/** A tensor for an error message: by the file's name, and by the canonical one where that is another. */
export function bothNames(canonical: string, from: string): string {
  return from === canonical ? quote(from) : `${quote(from)} (${canonical})`;
}
