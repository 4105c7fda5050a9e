import path from 'node:path';
import { ShuffleNetError } from '../errors';
import type { NativeBinding } from './types';

let loaded: NativeBinding | undefined;

/** The native addon, loaded on first use. Throws ERR_NATIVE with the cause and the remedy. */
export function binding(): NativeBinding {
  if (loaded) return loaded;
  // Compiled code lies in dist/lib/native.
  const file = path.resolve(__dirname, '../../../build/Release/shufflenet.node');
  try {
    loaded = require(file) as NativeBinding;
  } catch (cause) {
    throw new ShuffleNetError(
      'ERR_NATIVE',
      `the native addon ${file} could not be loaded: ${(cause as Error).message.split('\n')[0]}; ` +
        `it is built by \`npm ci\` or \`npm run build:native\` (python3, make and g++ are needed)`,
      { cause },
    );
  }
  return loaded;
}
