import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { addAbortSignal } from 'node:stream';
import { ShuffleNetError } from '../errors';

const extensions = ['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.tif', '.tiff'];

export interface FindOptions {
  /** Folders with their subfolders. */
  recursive: boolean;
  /** What ends a path on standard input. */
  separator: '\n' | '\0';
  /** Stops waiting for standard input. */
  signal: AbortSignal;
}

/**
 * Paths of images, found as they are asked for: files as they are, of folders the image files, what matches a pattern,
 * and for '-' the paths on standard input. What gives none goes to `fail`.
 */
export async function* findImages(
  inputs: string[],
  options: FindOptions,
  fail: (error: ShuffleNetError) => void,
): AsyncGenerator<string, void> {
  for (const input of inputs) {
    try {
      yield* input === '-' ? listed(options) : expanded(input, options, fail);
    } catch (error) {
      if (options.signal.aborted) return;
      fail(unreadable(input, error));
    }
  }
}

async function* expanded(
  input: string,
  { recursive }: FindOptions,
  fail: (error: ShuffleNetError) => void,
): AsyncGenerator<string, void> {
  // A file may be called photo[1].jpg. What is not there at all is reported when its turn comes.
  const stats = await stat(input).catch(() => undefined);
  if (stats?.isDirectory()) {
    let found = false;
    for await (const image of inFolder(input, recursive, fail)) {
      found = true;
      yield image;
    }
    if (!found) {
      const where = recursive ? 'in this folder or below' : 'in this folder';
      throw new ShuffleNetError('ERR_FILE', `${input}: no image files (${extensions.join(', ')}) ${where}`);
    }
    return;
  }
  if (!stats) {
    const { glob, isDynamicPattern } = require('tinyglobby') as typeof import('tinyglobby');
    if (isDynamicPattern(input)) {
      const files = await glob(input, {
        absolute: path.isAbsolute(input),
        expandDirectories: false,
        followSymbolicLinks: false,
      });
      if (files.length === 0) throw new ShuffleNetError('ERR_FILE', `${input}: no file matches this pattern`);
      yield* files.sort();
      return;
    }
  }
  yield input;
}

/** The image files of a folder, sorted, then those of its folders; not of links to folders, which may go round. */
async function* inFolder(
  folder: string,
  recursive: boolean,
  fail: (error: ShuffleNetError) => void,
): AsyncGenerator<string, void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const sorted = (isFolder: boolean) =>
    entries
      .filter((entry) => entry.isDirectory() === isFolder)
      .map(({ name }) => path.join(folder, name))
      .sort();
  yield* sorted(false).filter((file) => extensions.includes(path.extname(file).toLowerCase()));
  if (!recursive) return;
  for (const inner of sorted(true)) {
    try {
      yield* inFolder(inner, recursive, fail);
    } catch (error) {
      fail(unreadable(inner, error));
    }
  }
}

async function* listed({ separator, signal }: FindOptions): AsyncGenerator<string, void> {
  let found = false;
  for await (const line of split(addAbortSignal(signal, process.stdin.setEncoding('utf8')), separator)) {
    const image = separator === '\n' ? line.replace(/\r$/, '') : line;
    if (image === '') continue;
    found = true;
    yield image;
  }
  if (!found) throw new ShuffleNetError('ERR_FILE', 'no paths of images on standard input');
}

async function* split(chunks: AsyncIterable<string>, separator: string): AsyncGenerator<string, void> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split(separator);
    rest = parts.pop()!;
    yield* parts;
  }
  yield rest;
}

function unreadable(input: string, cause: unknown): ShuffleNetError {
  if (cause instanceof ShuffleNetError) return cause;
  return new ShuffleNetError('ERR_FILE', `${input}: cannot be read: ${(cause as Error).message}`, { cause });
}
