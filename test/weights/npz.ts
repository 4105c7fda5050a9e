import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeNpy } from '../../lib/cli/npy';
import { readStored } from '../../lib/weights/formats/read';
import { numbers } from './formats/stored';
import { makeZip } from './formats/zips';

/** The tensors of a file, under its names, as numpy.savez() has them; as float32. */
export async function asNpz(bytes: Uint8Array, folder = '', file = 'a file'): Promise<Buffer> {
  const sibling = (name: string) => Promise.resolve(new Uint8Array(readFileSync(path.join(folder, name))));
  const { tensors } = await readStored({ file, bytes, sibling });
  const members = [...tensors].map(([name, tensor]) => ({
    name: `${name}.npy`,
    data: writeNpy({ data: Float32Array.from(numbers(tensor)), shape: tensor.shape }),
  }));
  return makeZip(members);
}
