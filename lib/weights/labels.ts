import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ShuffleNetError } from '../errors';
import { describe, isObject, parseJson, quote } from './json';

/** Of each class, in the order of the logits. */
export interface ClassNames {
  /** All synonyms: 'goldfish, Carassius auratus'. The synset where a file names nothing else. */
  labels: string[];
  /** WordNet ids: 'n01443537'. */
  synsets?: string[];
}

let known: Required<ClassNames> | undefined;

/** The 1000 classes of ImageNet's challenge (ILSVRC 2012) in the order of their synsets, which every framework uses. */
export function imagenetNames(): Required<ClassNames> {
  if (!known) {
    const file = path.join(__dirname, '../../../weights/imagenet.json');
    const names = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    known = { labels: Object.values(names), synsets: Object.keys(names) };
  }
  return { labels: [...known.labels], synsets: [...known.synsets] };
}

/**
 * Reads a file of class names, in the order of the logits: text with a name a line, or a synset and a name
 * ('n01440764 tench, Tinca tinca'); or JSON, an array or an object from index to value, of names or of [synset, name] as
 * in Keras' imagenet_class_index.json. Rejects with ERR_FILE, or ERR_OPTION naming the line or index that is wrong.
 */
export async function readLabels(file: string): Promise<ClassNames> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new ShuffleNetError('ERR_FILE', `${file}: cannot be read: ${cause.message}`, { cause });
  });
  return parseLabels(text, file);
}

/** readLabels() of a text. `file` is its name in error messages. */
export function parseLabels(text: string, file: string): ClassNames {
  const plain = text.replace(/^\ufeff/, '');
  return /^\s*[[{]/.test(plain) ? fromJson(plain, file) : fromLines(plain, file);
}

const synsetLine = /^(n\d{8})(?:[\s,:]+(.*))?$/;

function fromLines(text: string, file: string): ClassNames {
  const lines = text.trimEnd().split(/\r?\n/);
  const blank = lines.findIndex((line) => line.trim() === '');
  if (blank >= 0) throw wrong(file, `line ${blank + 1} is empty, expected the name of class ${blank}`);
  const found = lines.map((line) => synsetLine.exec(line.trim()));
  if (found.some((match) => !match)) return { labels: lines.map((line) => line.trim()) };
  return named(
    found.map((match) => [match![1]!, match![2] || match![1]!]),
    file,
  );
}

function fromJson(text: string, file: string): ClassNames {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw wrong(file, `not valid JSON: ${(cause as Error).message}`, { cause });
  }
  const entries = Array.isArray(value) ? (value as unknown[]) : inOrder(value, file);
  if (entries.length === 0) throw wrong(file, 'holds no names');
  if (entries.every((entry) => typeof entry === 'string')) return { labels: entries };
  return named(
    entries.map((entry, index) => {
      const [synset, name]: unknown[] = Array.isArray(entry) ? entry : [];
      if (typeof synset === 'string' && /^n\d{8}$/.test(synset) && typeof name === 'string') return [synset, name];
      const odd = Array.isArray(entry) ? `[${entry.slice(0, 3).map(describe).join(', ')}]` : describe(entry);
      throw wrong(file, `class ${index}: expected a name in every place, or [synset, name] in every place, is ${odd}`);
    }),
    file,
  );
}

/** The values of { "0": ..., "1": ... }. */
function inOrder(value: unknown, file: string): unknown[] {
  if (!isObject(value)) throw wrong(file, `expected an array or an object of names, is ${describe(value)}`);
  const { length } = Object.keys(value);
  return Array.from({ length }, (_, index) => {
    if (Object.hasOwn(value, String(index))) return value[index];
    throw wrong(file, `${length} names, but none for class ${index}: expected the keys "0" to "${length - 1}"`);
  });
}

function named(pairs: [synset: string, name: string][], file: string): ClassNames {
  const synsets = pairs.map(([synset]) => synset);
  const seen = new Set<string>();
  const twice = synsets.find((synset) => seen.size === seen.add(synset).size);
  if (twice !== undefined) throw wrong(file, `the synset ${quote(twice)} occurs twice`);
  return { labels: pairs.map(([, name]) => name), synsets };
}

function wrong(file: string, detail: string, options?: { cause: unknown }): ShuffleNetError {
  return new ShuffleNetError('ERR_OPTION', `${file}: ${detail}`, options);
}
