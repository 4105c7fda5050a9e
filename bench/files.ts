import { readFileSync } from 'node:fs';

export interface ImageBatch {
  batch: number;
  height: number;
  width: number;
}

export function inputFile({ batch, height, width }: ImageBatch): string {
  return `input-${batch}x${height}x${width}.f32`;
}

/** Made for one image size: fewer operators than for any size. */
export function onnxFile(network: string, { height, width }: { height: number; width: number }): string {
  return `${network}-${height}x${width}.onnx`;
}

export function readFloats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
