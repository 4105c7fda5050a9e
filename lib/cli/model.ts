import { ShuffleNetError } from '../errors';
import { ShuffleNet, type LoadOptions } from '../model/shufflenet';
import { readLabels } from '../weights/labels';

export interface ModelOptions extends Omit<LoadOptions, 'labels'> {
  /** A file of class names. */
  labels?: string | undefined;
}

/** ShuffleNet.load(), with class names from a file; its errors name that file. */
export async function loadModel(
  weights: string | undefined,
  { labels: file, ...options }: ModelOptions,
): Promise<{ model: ShuffleNet; synsets: readonly string[] | undefined }> {
  if (file === undefined) {
    const model = await ShuffleNet.load(weights, options);
    return { model, synsets: model.synsets };
  }
  const { labels, synsets } = await readLabels(file);
  const model = await namingFile(file, ShuffleNet.load(weights, { ...options, labels }));
  return { model, synsets: synsets ?? model.synsets };
}

/** What is wrong with class names is wrong with the file that they are from. */
export async function namingFile<T>(file: string | undefined, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const [prefix] = (error instanceof ShuffleNetError && /^options\.(?:labels|synsets)/.exec(error.message)) || [];
    if (file === undefined || prefix === undefined || !(error instanceof ShuffleNetError)) throw error;
    throw new ShuffleNetError(error.code, file + error.message.slice(prefix.length), { cause: error });
  }
}
