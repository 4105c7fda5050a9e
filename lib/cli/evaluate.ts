import { displayName } from '../image/labels';
import { ShuffleNetError } from '../errors';
import type { Precision } from '../model/shufflenet';
import { interruption } from './interruption';
import { loadModel } from './model';
import { columns, print, printable, report, reportText, toJson } from './output';
import { Progress } from './progress';
import { Score, share, type Share } from './score';
import { samplesOfFolders, samplesOfList, type Samples, type TruthOptions } from './truth';

export interface EvaluateCommandOptions {
  weights?: string;
  family?: string;
  labels?: string;
  truth?: string;
  concurrency?: number;
  threads?: number;
  precision?: Precision;
  json?: boolean;
}

/** Pairs to print; JSON has them all. */
const confusionsShown = 20;

/** Prints the errors of a network on the images of a folder. What cannot be decoded is reported and not counted. */
export async function evaluateCommand(folder: string, options: EvaluateCommandOptions): Promise<void> {
  const signal = interruption();
  try {
    await evaluate(folder, options, signal);
  } catch (error) {
    if (!(signal.aborted && error instanceof ShuffleNetError && error.code === 'ERR_ABORTED')) throw error;
  }
}

async function evaluate(folder: string, options: EvaluateCommandOptions, signal: AbortSignal): Promise<void> {
  const {
    weights,
    family,
    labels: labelsFile,
    truth,
    concurrency,
    threads = 1,
    precision = 'fp32',
    json = false,
  } = options;
  const { model, synsets } = await loadModel(weights, { family, labels: labelsFile, threads, precision, signal });
  const { labels } = model;
  const { classes: count } = model.network;

  const progress = new Progress();
  const complain = (error: ShuffleNetError) => {
    process.exitCode ||= 1;
    progress.aside(process.stderr, () => report(error));
  };
  const problems: { code: string; message: string }[] = [];
  const fail = (error: ShuffleNetError) => {
    problems.push({ code: error.code, message: error.message });
    complain(error);
  };
  const truthOptions: TruthOptions = { classes: { count, labels, synsets }, signal };
  const { samples, absent } =
    truth === undefined
      ? { samples: await samplesOfFolders(folder, truthOptions), absent: 0 }
      : await samplesOfList(folder, truth, truthOptions, fail);
  if (process.stderr.isTTY) void showProgress(progress, samples, signal);

  // classifyAll() keeps the order and looks ahead by no more than `concurrency` images.
  const truths: number[] = [];
  const images = async function* () {
    for await (const sample of samples(fail)) {
      truths.push(sample.truth);
      yield sample.image;
    }
  };
  const score = new Score();
  const unreadable: { image: string; code: string; message: string }[] = [];
  const started = performance.now();
  try {
    const classifyOptions = { topK: Math.min(5, count), ...(concurrency && { concurrency }), signal };
    for await (const { image, predictions, error } of model.classifyAll(images(), classifyOptions)) {
      const truth = truths.shift()!;
      progress.count(error !== undefined);
      if (predictions) {
        score.add(
          truth,
          predictions.map(({ index }) => index),
        );
      } else {
        complain(error);
        unreadable.push({ image, code: error.code, message: error.message });
      }
    }
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  if (score.images === 0) throw new ShuffleNetError('ERR_FILE', `${folder}: no image could be classified`);

  const top1 = share(score.top1Errors, score.images);
  const top5 = share(score.top5Errors, score.images);
  const imagesPerSecond = score.images / seconds;
  const name = (index: number) => (labels ? displayName(labels[index]!) : `class ${index}`);
  if (json) {
    const named = (index: number) => ({ index, label: name(index), ...(synsets && { synset: synsets[index] }) });
    print(
      toJson({
        folder,
        weights: weights ?? null,
        network: { groups: model.network.groups, scale: model.network.scale, classes: count },
        images: score.images,
        top1,
        top5,
        seconds,
        imagesPerSecond,
        unreadable,
        problems,
        absent,
        classes: score.classes().map(({ index, images, top1Errors, top5Errors }) => ({
          ...named(index),
          images,
          top1: share(top1Errors, images),
          top5: share(top5Errors, images),
        })),
        confusions: score.confusions().map(({ truth, predicted, count }) => ({
          truth: named(truth),
          predicted: named(predicted),
          count,
        })),
      }),
    );
    return;
  }

  print(
    columns([
      ['class', 'images', 'top-1 error', 'top-5 error'],
      ...score
        .classes()
        .map(({ index, images, top1Errors, top5Errors }) => [
          printable(synsets ? `${synsets[index]} ${name(index)}` : name(index)),
          String(images),
          percent(top1Errors / images),
          percent(top5Errors / images),
        ]),
    ]),
  );
  const confusions = score.confusions().slice(0, confusionsShown);
  if (confusions.length > 0) print('\nmost often confused');
  for (const { truth, predicted, count } of confusions) {
    print(`${String(count).padStart(6)}  ${printable(name(truth))}, taken for ${printable(name(predicted))}`);
  }
  const others = [
    ...(unreadable.length > 0 ? [`${unreadable.length} more could not be read`] : []),
    ...(absent > 0 ? [`${absent} of the list are not in the folder`] : []),
  ];
  print(`\n${[`${score.images} images, ${imagesPerSecond.toFixed(1)} images/s`, ...others].join('; ')}`);
  print(`top-1 error  ${summary(top1)}`);
  print(`top-5 error  ${summary(top5)}`);
  if (unreadable.length > 0) reportText(`${unreadable.length} of ${score.images + unreadable.length} images failed`);
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

function summary({ error, interval: [low, high] }: Share): string {
  return `${percent(error).padStart(8)}  (95 %: ${percent(low)} to ${percent(high)}; accuracy ${percent(1 - error)})`;
}

/** Counts the images beforehand. */
async function showProgress(progress: Progress, samples: Samples, signal: AbortSignal): Promise<void> {
  let total = 0;
  for await (const _ of samples(() => {})) {
    total++;
    if (signal.aborted) return;
  }
  progress.start(total);
}
