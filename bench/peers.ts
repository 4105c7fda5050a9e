import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Absent } from './job';

/** Peers are dependencies of bench/package.json, or of whoever installed them above. */
const requirePeer = createRequire(path.join(__dirname, '../../bench/package.json'));

/** Throws Absent where the package is not installed or does not load. */
export function loadPeer<T>(name: string): T {
  try {
    return requirePeer(name) as T;
  } catch (error) {
    throw new Absent(`${name} does not load: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** The folder of an installed package, or undefined. */
export function peerFolder(name: string): string | undefined {
  const folders = requirePeer.resolve.paths(name) ?? [];
  return folders.map((folder) => path.join(folder, name)).find((folder) => packageVersion(folder) !== undefined);
}

function packageVersion(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

export function peerVersion(name: string): string {
  const folder = peerFolder(name);
  return (folder === undefined ? undefined : packageVersion(folder)) ?? 'of unknown version';
}
