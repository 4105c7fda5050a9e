import { convertWeights, type ConvertOptions } from '../weights/convert';
import { readLabels } from '../weights/labels';
import { namingFile } from './model';
import { replaceFile } from './replace-file';

export interface ConvertCommandOptions extends Pick<ConvertOptions, 'dtype' | 'family' | 'externalData'> {
  /** A file of class names. */
  labels?: string;
}

/** Weights of any format and family as a safetensors file. */
export async function convertCommand(input: string, output: string, options: ConvertCommandOptions): Promise<void> {
  const { labels: file, ...convertOptions } = options;
  const names = file === undefined ? {} : await readLabels(file);
  const bytes = await namingFile(file, convertWeights(input, { ...convertOptions, ...names }));
  await replaceFile(output, bytes);
}
