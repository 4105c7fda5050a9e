import type { ImageSize } from '../network/complexity';
import { exportOnnx } from '../onnx/export';
import { replaceFile } from './replace-file';

export interface ExportCommandOptions {
  onnx: string;
  weights?: string;
  family?: string;
  size?: Required<ImageSize>;
}

/** Weights as an ONNX file. */
export async function exportCommand({ onnx, weights, family, size }: ExportCommandOptions): Promise<void> {
  await replaceFile(onnx, await exportOnnx(weights, { family, ...(size && { size }) }));
}
