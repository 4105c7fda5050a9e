import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ShuffleNetError } from '../errors';
import { displayName } from '../image/labels';
import { firstTen, quote } from '../weights/json';
import { findImages } from './images';

/** An image and the class that it shows. */
export interface Sample {
  image: string;
  truth: number;
}

/** Of the network, in the order of its logits. */
export interface Classes {
  count: number;
  labels: readonly string[] | undefined;
  synsets: readonly string[] | undefined;
}

export interface TruthOptions {
  classes: Classes;
  signal: AbortSignal;
}

/** Told of what gives no image. */
export type Fail = (error: ShuffleNetError) => void;

/** Images with their classes, found as they are asked for. */
export type Samples = (fail: Fail) => AsyncGenerator<Sample, void>;

/**
 * The images of a folder that has one folder for each class, with their folders. Class folders are called by synset,
 * by label or by index, all in the same way; a class may have none. Rejects with ERR_FILE or ERR_OPTION.
 */
export async function samplesOfFolders(folder: string, { classes, signal }: TruthOptions): Promise<Samples> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new ShuffleNetError('ERR_FILE', `${folder}: cannot be read: ${cause.message}`, { cause });
  });
  const isFolder = await Promise.all(
    entries.map(async (entry) =>
      entry.isSymbolicLink()
        ? ((await stat(path.join(folder, entry.name)).catch(() => undefined))?.isDirectory() ?? false)
        : entry.isDirectory(),
    ),
  );
  const names = entries
    .filter(({ name }, index) => isFolder[index] && !name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  if (names.length === 0) {
    throw new ShuffleNetError(
      'ERR_OPTION',
      `${folder}: expected a folder for each class, or with --truth a file that tells the class of each image`,
    );
  }
  const truths = toClasses(names, classes, folder, 'folders');
  return async function* (fail) {
    for (const [index, name] of names.entries()) {
      const images = findImages([path.join(folder, name)], { recursive: true, separator: '\n', signal }, fail);
      for await (const image of images) yield { image, truth: truths[index]! };
    }
  };
}

/** What a file of classes came to. */
export interface Listed {
  samples: Samples;
  /** Lines whose image is not in the folder. */
  absent: number;
}

/**
 * The images of a folder and its folders, whose classes a text file tells, a line each: `file,class` (CSV, also
 * Kaggle's), `file class`, or only the class, of the images in the order of their names. Classes as for folders. A file
 * may be named without its extension. Rejects with ERR_FILE or ERR_OPTION.
 */
export async function samplesOfList(
  folder: string,
  list: string,
  { classes, signal }: TruthOptions,
  fail: Fail,
): Promise<Listed> {
  const text = await readFile(list, 'utf8').catch((cause: Error) => {
    throw new ShuffleNetError('ERR_FILE', `${list}: cannot be read: ${cause.message}`, { cause });
  });
  const images: string[] = [];
  for await (const image of findImages([folder], { recursive: true, separator: '\n', signal }, fail)) {
    images.push(image);
  }
  const lines = parseList(text);
  if (lines.length === 0) throw new ShuffleNetError('ERR_OPTION', `${list}: is empty`);
  const names = lines.map(([, name]) => name);
  const truths = toClasses(names, classes, list, 'classes');

  if (lines.every(([file]) => file === undefined)) {
    // A part of the development kit's list, without its number 1000, would pass for indices.
    const numbers = truths.every((truth, index) => truth > 0 && truth <= 1000 && String(truth) === names[index]);
    if (numbers && classes.count >= 1000) {
      throw new ShuffleNetError(
        'ERR_OPTION',
        `${list}: numbers without names of images, and no 0 among them: ImageNet's development kit counts from 1, in ` +
          'another order than any network; use synsets, or indices with the names of the images',
      );
    }
    if (lines.length !== images.length) {
      throw new ShuffleNetError(
        'ERR_OPTION',
        `${list}: ${lines.length} classes without names of images, but ${folder} has ${images.length} images`,
      );
    }
    images.sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
    return { samples: each(images, (_, index) => truths[index]), absent: 0 };
  }

  const byFile = new Map<string, number>();
  for (const [index, [file]] of lines.entries()) {
    if (file === undefined) {
      throw new ShuffleNetError('ERR_OPTION', `${list}: line ${index + 1} names no image, but others do`);
    }
    const name = path.normalize(file);
    if (byFile.has(name)) throw new ShuffleNetError('ERR_OPTION', `${list}: ${quote(file)} occurs twice`);
    byFile.set(name, truths[index]!);
  }
  const seen = new Set<string>();
  const known = new Map<string, number>();
  for (const image of images) {
    const inside = path.relative(folder, image);
    const withoutExtension = (name: string) => name.slice(0, name.length - path.extname(name).length);
    const name = [
      inside,
      path.basename(inside),
      withoutExtension(inside),
      withoutExtension(path.basename(inside)),
    ].find((name) => byFile.has(name));
    if (name === undefined) fail(new ShuffleNetError('ERR_OPTION', `${image}: ${list} does not tell its class`));
    else {
      seen.add(name);
      known.set(image, byFile.get(name)!);
    }
  }
  return { samples: each([...known.keys()], (image) => known.get(image)), absent: byFile.size - seen.size };
}

function each(images: string[], truthOf: (image: string, index: number) => number | undefined): Samples {
  return async function* () {
    for (const [index, image] of images.entries()) yield { image, truth: truthOf(image, index)! };
  };
}

/** `file,class`, `file class` or `class`, of each line; a CSV's heading is left out. */
function parseList(text: string): [file: string | undefined, name: string][] {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const unquoted = (field: string) => (/^".*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field);
  if (lines.length > 0 && lines.every((line) => line.includes(','))) {
    const rows = lines.map((line): [string, string] => {
      const [, file, name] = /^("(?:[^"]|"")*"|[^,]*),(.*)$/.exec(line) ?? [undefined, line, ''];
      // Kaggle's has boxes after each synset.
      const [, synset] = /^(n\d{8})\b/.exec(name!.trim()) ?? [];
      return [unquoted(file!.trim()), synset ?? unquoted(name!.trim())];
    });
    return /^(class|label|synset|target|truth|predictionstring)/i.test(rows[0]![1]) ? rows.slice(1) : rows;
  }
  return lines.map((line) => {
    const [, file, name] = /^(.*\S)\s+(\S+)$/.exec(line) ?? [undefined, undefined, line];
    return [file, name!];
  });
}

/** Class indices of names, all of them synsets, labels or indices. */
function toClasses(names: string[], classes: Classes, where: string, what: string): number[] {
  const { count, labels, synsets } = classes;
  const byLabel = new Map<string, number | 'several'>();
  const add = (label: string, index: number) => {
    const name = comparable(label);
    const before = byLabel.get(name);
    byLabel.set(name, before === undefined || before === index ? index : 'several');
  };
  for (const [index, label] of labels?.entries() ?? []) {
    add(label, index);
    add(displayName(label), index);
  }
  const bySynset = new Map(synsets?.map((synset, index) => [synset, index]));
  const schemes: [string, (name: string) => number | 'several' | undefined][] = [
    ['synset', (name) => bySynset.get(name)],
    ['label', (name) => byLabel.get(comparable(name))],
    ['index', (name) => (/^\d{1,7}$/.test(name) && Number(name) < count ? Number(name) : undefined)],
  ];
  const tried = schemes.map(([scheme, find]) => {
    const found = names.map(find);
    return { scheme, found, wrong: names.filter((_, index) => typeof found[index] !== 'number') };
  });
  // What fits most of them is what was meant.
  const best = tried.reduce((best, one) => (one.wrong.length < best.wrong.length ? one : best));
  const indices = best.found.filter((index) => typeof index === 'number');
  if (indices.length === names.length) return indices;

  const unique = [...new Set(best.wrong)];
  const has = [
    synsets && `synsets such as ${synsets[0]}`,
    labels && `labels such as ${quote(displayName(labels[0]!))}`,
    `indices 0 to ${count - 1}`,
  ].filter(Boolean);
  const ambiguous = unique.find((name) => byLabel.get(comparable(name)) === 'several');
  const hints = [
    ambiguous !== undefined && `; ${quote(ambiguous)} is the name of several classes, use synsets or indices`,
    // Its numbers, 1 to 1000, are in an order of their own, which only its meta.mat tells.
    count === 1000 &&
      best.scheme === 'index' &&
      unique.join() === '1000' &&
      "; numbers from 1, as in ImageNet's development kit, are in another order than any network's: use synsets",
  ].filter(Boolean);
  throw new ShuffleNetError(
    'ERR_OPTION',
    `${where}: ${unique.length} of the ${what} are no class of the weights (${has.join(', ')}): ` +
      firstTen(unique.map(quote)) +
      hints.join(''),
  );
}

/** Folders cannot be called by every label. */
function comparable(label: string): string {
  return label.toLowerCase().replaceAll('_', ' ').replace(/\s+/g, ' ').trim();
}
