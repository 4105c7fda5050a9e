import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Tensor } from '../../../lib';
import { readNpy } from '../../../lib/cli/npy';
import { root } from '../../model/files';

/** Weights as a project writes them, one image, and the logits that the project's own network gives. */
export interface Checkpoint {
  /** Of its family, in make-fixtures/families.py. */
  name: string;
  file: string;
  input: Tensor;
  logits: Float32Array;
}

const folder = path.join(root, 'test/fixtures/checkpoints/families');

export const checkpoints: Checkpoint[] = readdirSync(folder)
  .filter((file) => !file.endsWith('.npy'))
  .map((file) => {
    const name = file.split('.', 1)[0]!;
    const logits = readNpy(readFileSync(path.join(folder, `${name}.logits.npy`)), name).data;
    return { name, file: path.join(folder, file), input: image(name === 'chenhang98' ? 32 : 64), logits };
  });

/** The image of make-fixtures/families.py. */
function image(side: number): Tensor {
  const noise = (index: number) => (Math.imul(index, 2654435761) >>> 8) / 2 ** 22 - 2;
  const data = new Float32Array(3 * side * side);
  data.forEach((_, i) => {
    const [y, x] = [Math.floor(i / side), i % side];
    // Sides are multiples of 8, so the rows of all channels can be counted through.
    data[i] = noise((y - (y % 8)) * side + x - (x % 8)) + noise(i) / 4;
  });
  return { data, shape: [1, 3, side, side] };
}

export function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
