import type { Source, StoredFile } from '../stored';
import { readSafetensors } from './safetensors';

/** Reads a weights file of any format, which its first bytes tell. Rejects with ERR_WEIGHTS_FORMAT. */
export function readStored({ bytes, file }: Source): Promise<StoredFile> {
  return Promise.resolve({ format: 'safetensors', ...readSafetensors(bytes, file) });
}
