import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildGraph } from '../lib/network/graph';
import type { NetworkOptions } from '../lib/network/options';
import { parameters } from '../lib/network/parameters';
import { imageChannels, resolveNetwork, type Network } from '../lib/network/table';
import { exportOnnx } from '../lib/onnx/export';
import { foldBatchNorm } from '../lib/onnx/fold';
import { loadWeights } from '../lib/weights/load';
import { inputFile, onnxFile, type ImageBatch } from './files';
import type { Job } from './job';
import { Random } from './random';
import { randomTensors, safetensors } from './weights';

/** '1x-g3': the paper's "ShuffleNet 1x (g = 3)". */
export function networkName({ scale, groups }: { scale: number; groups: number }): string {
  return `${scale}x-g${groups}`;
}

/** A folder of networks with random weights, in every format that a contestant reads, and of inputs. */
export class NetworkFiles {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'shufflenet-bench-'));

  constructor() {
    process.on('exit', () => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Writes all that a job of this network and image needs. */
  async job(
    options: NetworkOptions & { scale: number; groups: number },
    image: ImageBatch,
    threads: number,
  ): Promise<Job> {
    const length = image.batch * imageChannels * image.height * image.width;
    // Of about the size of a normalised image's; a longer batch begins with a shorter one.
    this.#write(inputFile(image), bytesOf(new Random(2).floats(length, -2, 2)));
    return { directory: this.directory, network: await this.#network(options, image), ...image, threads };
  }

  /** NAME.safetensors, NAME-HEIGHTxWIDTH.onnx, NAME.plan with NAME.f32 (bench/xnnpack). Returns NAME. */
  async #network(
    options: NetworkOptions & { scale: number; groups: number },
    size: { height: number; width: number },
  ): Promise<string> {
    const name = networkName(options);
    const graph = buildGraph(resolveNetwork(options));
    const bytes = safetensors(graph, randomTensors(graph, 1), options);
    this.#write(`${name}.safetensors`, bytes);
    this.#write(onnxFile(name, size), await exportOnnx(bytes, { size: { height: size.height, width: size.width } }));
    const { network, tensors } = foldBatchNorm(await loadWeights(bytes));
    this.#write(`${name}.plan`, plan(network));
    const values = [...parameters(network).keys()].map((parameter) => bytesOf(tensors.get(parameter)!));
    this.#write(`${name}.f32`, Buffer.concat(values));
    return name;
  }

  #write(name: string, bytes: Uint8Array | string): void {
    writeFileSync(path.join(this.directory, name), bytes);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** See bench/xnnpack/xnnpack.cc, which builds the paper's network and no variant of it. */
function plan({ stemChannels, stages, groups, classes }: Network): string {
  const units = stages.flatMap((stage) => stage.units);
  const lines = units.map((unit) => {
    const { mid, out, stride, gconv1Groups, gconv2Groups, shuffle } = unit;
    return `unit ${unit.in} ${mid} ${out} ${stride} ${gconv1Groups} ${gconv2Groups} ${shuffle ? groups : 1}`;
  });
  return [`stem ${stemChannels}`, ...lines, `fc ${units.at(-1)!.out} ${classes}`, ''].join('\n');
}
