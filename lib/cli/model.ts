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
  try {
    const model = await ShuffleNet.load(weights, { ...options, labels });
    return { model, synsets: synsets ?? model.synsets };
  } catch (error) {
    const prefix = 'options.labels';
    if (!(error instanceof ShuffleNetError && error.message.startsWith(prefix))) throw error;
    throw new ShuffleNetError(error.code, file + error.message.slice(prefix.length), { cause: error });
  }
}
