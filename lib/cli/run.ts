import { readFile, writeFile } from 'node:fs/promises';
import { ShuffleNetError } from '../errors';
import { ShuffleNet, type Precision } from '../model/shufflenet';
import { readNpy, writeNpy } from './npy';

export interface RunCommandOptions {
  input: string;
  output: string;
  weights?: string;
  family?: string;
  threads?: number;
  precision?: Precision;
}

/** Logits of a .npy file of images as another .npy file. */
export async function runCommand(options: RunCommandOptions): Promise<void> {
  const { input, output, weights, family, threads = 1, precision = 'fp32' } = options;
  const fileError = (file: string, words: string) => (cause: Error) => {
    throw new ShuffleNetError('ERR_FILE', `${file}: cannot be ${words}: ${cause.message}`, { cause });
  };
  const images = readNpy(await readFile(input).catch(fileError(input, 'read')), input);
  const model = await ShuffleNet.load(weights, { family, threads, precision });
  const logits = await model.run(images);
  await writeFile(output, writeNpy(logits)).catch(fileError(output, 'written'));
}
