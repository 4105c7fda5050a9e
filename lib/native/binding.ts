import path from 'node:path';
import { loadAddon, thisHost } from './load';
import type { NativeBinding } from './types';

let loaded: NativeBinding | undefined;

/** The native addon, loaded on first use. Throws ERR_NATIVE with every cause and the remedy. */
export function binding(): NativeBinding {
  // Compiled code lies in dist/lib/native.
  loaded ??= loadAddon(path.resolve(__dirname, '../../..'), thisHost, require) as NativeBinding;
  return loaded;
}
