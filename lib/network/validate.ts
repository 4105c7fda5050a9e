import { inspect } from 'node:util';
import { ShuffleNetError } from '../errors';

/** What one option may be: a test, and the words for an error message. */
export interface Check {
  expected: string;
  accepts(value: unknown): boolean;
}

export const flag: Check = oneOf(true, false);

/** Of what is checked elsewhere. */
export const anything: Check = { expected: 'anything', accepts: () => true };

export function oneOf(...values: unknown[]): Check {
  const words = values.map((value) => inspect(value));
  const last = words.pop();
  return { expected: `${words.join(', ')} or ${last}`, accepts: (value) => values.includes(value) };
}

export function integer(min: number, max: number): Check {
  return {
    expected: `an integer from ${min} to ${max}`,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  };
}

export function positive(max: number): Check {
  return {
    expected: `a number above 0 and at most ${max}`,
    accepts: (value) => typeof value === 'number' && value > 0 && value <= max,
  };
}

/** `below`: the kernel. A wider padding would make pool windows that hold no input at all. */
export function padding(below: number, ...flags: ('ceil' | 'reflect')[]): Check {
  const keys = ['begin', 'end', ...flags];
  const words = ['begin', 'end', ...flags.map((flag) => `${flag}?`)].join(', ');
  const reflecting = flags.includes('reflect') ? `, 0 to 1 and no ceil where it reflects` : '';
  return {
    expected: `'same' or { ${words} } with 0 to ${below - 1} cells${reflecting}`,
    accepts: (value) => {
      if (!isRecord(value)) return value === 'same';
      const { begin, end, ceil, reflect } = value;
      const side = integer(0, reflect ? 1 : below - 1);
      return (
        Object.keys(value).every((key) => keys.includes(key)) &&
        side.accepts(begin) &&
        side.accepts(end) &&
        [ceil, reflect].every((set) => set === undefined || flag.accepts(set)) &&
        !(ceil && reflect)
      );
    },
  };
}

/** An array of three such values. */
export function three({ accepts }: Check, expected: string): Check {
  // A hole in an array is undefined, which every() passes over.
  return {
    expected,
    accepts: (value) => Array.isArray(value) && value.length === 3 && Array.from(value).every(accepts),
  };
}

export function either(a: Check, b: Check): Check {
  return { expected: `${a.expected}, or ${b.expected}`, accepts: (value) => a.accepts(value) || b.accepts(value) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws ERR_OPTION unless `value` passes. `name` is the option as the caller wrote it, such as 'variant.maxPool'. */
export function check(name: string, value: unknown, { expected, accepts }: Check): void {
  if (accepts(value)) return;
  const got = inspect(value, {
    depth: 1,
    breakLength: Infinity,
    maxStringLength: 80,
    maxArrayLength: 8,
    customInspect: false,
  });
  throw new ShuffleNetError('ERR_OPTION', `${name}: expected ${expected}, got ${got}`);
}

/** Checks the fields of an options object; `prefix` precedes their names. undefined counts as absent. */
export function checkFields(
  name: string,
  prefix: string,
  value: unknown,
  fields: Readonly<Record<string, Check>>,
): void {
  check(name, value, { expected: 'an object', accepts: isRecord });
  for (const [key, field] of Object.entries(value as Record<string, unknown>)) {
    if (!Object.hasOwn(fields, key)) {
      throw new ShuffleNetError(
        'ERR_OPTION',
        `${prefix}${key}: no such option, expected one of ${Object.keys(fields).join(', ')}`,
      );
    }
    if (field !== undefined) check(`${prefix}${key}`, field, fields[key]!);
  }
}
