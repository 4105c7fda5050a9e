/**
 * How far half precision is from float32 on photos, in three steps, of which the second may run on another machine:
 *   node dist/bench/precision.js tensors PHOTOS images.npy     what the network sees of every image below a folder
 *   shufflenet run --input images.npy --output LOGITS.npy      with --precision fp32 and fp16
 *   node dist/bench/precision.js compare fp32.npy fp16.npy     top-1 that differ, and by how much logits do
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ShuffleNet } from '../lib';
import { readNpy, writeNpy } from '../lib/cli/npy';
import { imageToTensor } from '../lib/image/tensor';

async function tensors(folder: string, output: string): Promise<void> {
  const { preprocess } = await ShuffleNet.load();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const images = names.filter((name) => /\.(jpe?g|png|webp)$/i.test(name));
  const { height, width } = preprocess.crop;
  const data = new Float32Array(images.length * 3 * height * width);
  for (const [i, name] of images.entries()) {
    data.set((await imageToTensor(path.join(folder, name), preprocess)).data, i * 3 * height * width);
  }
  writeFileSync(output, writeNpy({ data, shape: [images.length, 3, height, width] }));
}

/** Indices of the largest and of the second largest value. */
function best(logits: Float32Array): [number, number] {
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
  return [order[0]!, order[1]!];
}

function compare(singleFile: string, halfFile: string): void {
  const [single, half] = [singleFile, halfFile].map((file) => readNpy(readFileSync(file), file));
  const [n, classes] = half!.shape as [number, number];
  const differing: string[] = [];
  const differences: number[] = [];
  for (let i = 0; i < n; i++) {
    const [a, b] = [single!, half!].map(({ data }) => data.subarray(i * classes, (i + 1) * classes));
    const [first, second] = best(a!);
    if (first !== best(b!)[0]) differing.push(`image ${i} (margin ${(a![first]! - a![second]!).toFixed(3)})`);
    for (let c = 0; c < classes; c++) differences.push(Math.abs(a![c]! - b![c]!));
  }
  differences.sort((a, b) => a - b);
  const share = (100 * (1 - differing.length / n)).toFixed(2);
  console.log(`${n} images: top-1 equal on ${share} %, different on ${differing.length}: ${differing.join(', ')}`);
  const typical = differences[differences.length >> 1]!;
  console.log(`logits differ by ${typical.toFixed(4)} (median), ${differences.at(-1)!.toFixed(4)} (most)`);
}

const [step, first, second] = process.argv.slice(2);
if (step === 'tensors' && first && second) void tensors(first, second);
else if (step === 'compare' && first && second) compare(first, second);
else throw new Error('tensors PHOTOS images.npy, or compare fp32.npy fp16.npy');
