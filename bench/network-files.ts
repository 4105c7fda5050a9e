import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildGraph } from '../lib/network/graph';
import type { NetworkOptions } from '../lib/network/options';
import { imageChannels, resolveNetwork, type Network } from '../lib/network/table';
import { onnx } from './onnx-interim';
import { Random } from './random';
import { folded, randomTensors, safetensors } from './weights';

export interface ImageBatch {
  batch: number;
  height: number;
  width: number;
}

/** '1x-g3': the paper's "ShuffleNet 1x (g = 3)". */
export function networkName({ scale, groups }: { scale: number; groups: number }): string {
  return `${scale}x-g${groups}`;
}

export function inputFile({ batch, height, width }: ImageBatch): string {
  return `input-${batch}x${height}x${width}.f32`;
}

export function readFloats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** A folder of networks with random weights, in every format that a contestant reads, and of inputs. */
export class NetworkFiles {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'shufflenet-bench-'));

  constructor() {
    process.on('exit', () => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** NAME.safetensors, NAME.onnx, NAME.plan with NAME.f32 (bench/xnnpack). Returns NAME. */
  network(options: NetworkOptions & { scale: number; groups: number }): string {
    const name = networkName(options);
    const network = resolveNetwork(options);
    const graph = buildGraph(network);
    const tensors = randomTensors(graph, 1);
    this.#write(`${name}.safetensors`, safetensors(graph, tensors, options));
    this.#write(`${name}.onnx`, onnx(graph, tensors));
    this.#write(`${name}.plan`, plan(network));
    const values = [...folded(graph, tensors).values()].flatMap(({ weight, bias }) => [weight, bias]);
    this.#write(`${name}.f32`, Buffer.concat(values.map(bytesOf)));
    return name;
  }

  /** Values of about the size of a normalised image's. */
  input(image: ImageBatch): void {
    const length = image.batch * imageChannels * image.height * image.width;
    this.#write(inputFile(image), bytesOf(new Random(2).floats(length, -2, 2)));
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
