import { ShuffleNetError } from '../errors';
import type { Precision } from '../model/shufflenet';
import { formats, type Format } from './formats';
import { findImages, type FindOptions } from './images';
import { interruption } from './interruption';
import { loadModel } from './model';
import { report, reportText, write } from './output';
import { Progress } from './progress';
import { UsageError } from './usage-error';

export interface ClassifyCommandOptions {
  weights?: string;
  family?: string;
  labels?: string;
  top?: number;
  recursive?: boolean;
  null?: boolean;
  format?: Format;
  json?: boolean;
  concurrency?: number;
  threads?: number;
  precision?: Precision;
}

/** Prints the likeliest classes of each image as it is done; what cannot be classified is reported and passed over. */
export async function classifyCommand(inputs: string[], options: ClassifyCommandOptions): Promise<void> {
  const signal = interruption();
  try {
    await classify(inputs, options, signal);
  } catch (error) {
    if (!(signal.aborted && error instanceof ShuffleNetError && error.code === 'ERR_ABORTED')) throw error;
  }
}

async function classify(inputs: string[], options: ClassifyCommandOptions, signal: AbortSignal): Promise<void> {
  const { weights, family, top, json = false, format = json ? 'jsonl' : 'table', concurrency, threads = 1 } = options;
  const { labels, precision = 'fp32' } = options;
  const { model } = await loadModel(weights, { family, labels, threads, precision, signal });
  const { classes } = model.network;
  if (top !== undefined && top > classes) throw new UsageError(`--top: expected 1 to ${classes}, got ${top}`);

  const progress = new Progress();
  const fail = (error: Error) => {
    process.exitCode ||= 1;
    progress.aside(process.stderr, () => report(error));
  };
  const { recursive = false, null: nul = false } = options;
  const findOptions: FindOptions = { recursive, separator: nul ? '\0' : '\n', signal };
  if (process.stderr.isTTY) void showProgress(progress, inputs, findOptions);

  const toText = formats[format]();
  const images = findImages(inputs, findOptions, fail);
  let done = 0;
  let failed = 0;
  const classifyOptions = { ...(top && { topK: top }), ...(concurrency && { concurrency }), signal };
  try {
    for await (const outcome of model.classifyAll(images, classifyOptions)) {
      done++;
      if (outcome.error) {
        failed++;
        fail(outcome.error);
      }
      progress.count(outcome.error !== undefined);
      const text = toText(outcome);
      // Waits for a slow reader.
      if (text) await progress.aside(process.stdout, () => write(text));
    }
  } finally {
    progress.stop();
  }
  if (failed > 0 && done > 1) reportText(`${failed} of ${done} images failed`);
}

/** Nothing for a single image. Counts the images beforehand, where this does not use them up. */
async function showProgress(progress: Progress, inputs: string[], options: FindOptions): Promise<void> {
  if (inputs.includes('-')) return progress.start();
  let total = 0;
  for await (const _ of findImages(inputs, options, () => {})) total++;
  if (total > 1) progress.start(total);
}
