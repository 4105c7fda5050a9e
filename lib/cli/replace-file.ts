import { randomBytes } from 'node:crypto';
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { ShuffleNetError } from '../errors';

/** Writes all of a file or nothing: beside it first, then in its place. Rejects with ERR_FILE. */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const failed = (detail: string, options?: { cause: unknown }) =>
    new ShuffleNetError('ERR_FILE', `${file}: ${detail}`, options);
  // A link stays one. Where there is no file yet, there is no path to resolve.
  const target = await realpath(file).catch(() => file);
  const stats = await stat(target).catch(() => undefined);
  if (stats && !stats.isFile()) throw failed('is not a regular file, pass the path of a file to write');
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: 'wx' });
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw failed(`cannot be written: ${(cause as Error).message}`, { cause });
  }
}
