import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ShuffleNetError } from '../errors';
import { mapInOrder } from '../model/map-in-order';
import type { Prediction } from '../model/prediction';
import { ShuffleNet } from '../model/shufflenet';
import { print, printable, report, toJson } from './output';
import { UsageError } from './usage-error';

export interface ClassifyCommandOptions {
  weights?: string;
  top?: number;
  json?: boolean;
  threads?: number;
}

const extensions = ['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.tif', '.tiff'];

type Outcome = { image: string } & ({ predictions: Prediction[] } | { error: ShuffleNetError });

/** Prints the likeliest classes of each image; what cannot be classified is reported and passed over. */
export async function classifyCommand(paths: string[], options: ClassifyCommandOptions): Promise<void> {
  const { weights, top, json = false, threads = 1 } = options;
  const model = await ShuffleNet.load(weights, { threads });
  const { classes } = model.network;
  if (top !== undefined && top > classes) throw new UsageError(`--top: expected 1 to ${classes}, got ${top}`);

  const classify = async (image: string): Promise<Outcome> => {
    try {
      return { image, predictions: await model.classify(image, top === undefined ? {} : { topK: top }) };
    } catch (error) {
      if (error instanceof ShuffleNetError) return { image, error };
      throw error;
    }
  };
  const images = await findImages(paths);
  const found: unknown[] = [];
  let printed = 0;
  const atOnce = Math.max(1, Math.floor(availableParallelism() / threads));
  for await (const outcome of mapInOrder(images, atOnce, classify)) {
    if ('error' in outcome) {
      process.exitCode = 1;
      report(outcome.error);
      const { code, message } = outcome.error;
      found.push({ image: outcome.image, error: { code, message } });
    } else if (json) {
      found.push(outcome);
    } else {
      const lines = outcome.predictions.map(({ label, score }) => `   ${score.toFixed(3)}  ${printable(label)}`);
      print([...(printed++ > 0 ? [''] : []), printable(outcome.image), ...lines].join('\n'));
    }
  }
  if (json) print(toJson(found));
}

/** Paths of images as they are, and of folders the image files in them, sorted. */
async function findImages(paths: string[]): Promise<string[]> {
  const images: string[] = [];
  for (const given of paths) {
    // What is not there is reported when its turn comes.
    const isFolder = await stat(given).then((stats) => stats.isDirectory(), () => false);
    if (!isFolder) {
      images.push(given);
      continue;
    }
    try {
      const names = (await readdir(given)).filter((name) => extensions.includes(path.extname(name).toLowerCase()));
      if (names.length === 0) {
        throw new ShuffleNetError('ERR_FILE', `${given}: no image files (${extensions.join(', ')}) in this folder`);
      }
      images.push(...names.sort().map((name) => path.join(given, name)));
    } catch (cause) {
      process.exitCode = 1;
      report(cause instanceof ShuffleNetError
        ? cause
        : new ShuffleNetError('ERR_FILE', `${given}: cannot be read: ${(cause as Error).message}`, { cause }));
    }
  }
  return images;
}
