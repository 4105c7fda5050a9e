import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readNpy } from '../../lib/cli/npy';
import type { Tensor } from '../../lib/model/tensor';

/** Compiled tests lie three levels below the package. */
export const root = path.join(__dirname, '../../..');
export const library = path.join(root, 'dist/lib/index.js');
export const example = (name: string) => path.join(root, 'examples', name);
export const fixture = (name: string) => path.join(root, 'test/fixtures/weights', name);

/** The inputs and float64 logits of the default weights, made with PyTorch. */
export const references = ['chelsea', 'coffee', 'val8', 'noise-224x160'];

export function readFixture(name: string): Tensor {
  return readNpy(readFileSync(fixture(name)), name);
}

/** Largest absolute difference; NaN where either has one. */
export function difference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  return a.reduce((most, value, i) => {
    const distance = Math.abs(value - b[i]!);
    return distance <= most ? most : distance;
  }, 0);
}

/** Two arrays have the same bits when they have the same digest. */
export function digest(values: Float32Array): string {
  return createHash('sha1')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
}

/** Values around zero that look like noise and are the same each time. */
export function noise(...shape: [n: number, channels: number, height: number, width: number]): Tensor {
  const data = new Float32Array(shape.reduce((product, side) => product * side));
  let state = data.length;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return { data, shape };
}

/** Runs JavaScript in a process of its own, with `ShuffleNet` and `noise` at hand, and `await` at the top. */
export function runScript(script: string, env: Record<string, string> = {}, entry = library) {
  const prelude = `
    const { ShuffleNet } = require(${JSON.stringify(entry)});
    const { difference, digest, noise, readFixture, references } = require(${JSON.stringify(__filename)});`;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['-e', `${prelude}\n(async () => {\n${script}\n})();`],
    { encoding: 'utf8', env: { ...process.env, ...env } },
  );
  return { status, signal, stdout, stderr };
}
