import assert from 'node:assert/strict';
import { binding } from '../../lib/native/binding';
import type { NativeModel } from '../../lib/native/types';
import type { Graph } from '../../lib/network/layers';
import { layerChannels } from '../../lib/network/shapes';
import { Impossible, interpret, type Tensors } from '../reference/network';
import { Random } from './random';

export interface Images {
  n: number;
  height: number;
  width: number;
  data: Float32Array;
}

export function randomImages(n: number, height: number, width: number, seed = 1, channels = 3): Images {
  return { n, height, width, data: new Random(seed).floats(n * channels * height * width) };
}

export const build = (graph: Graph, tensors: Tensors, threads = 1): Promise<NativeModel> =>
  binding().createModel(0, graph, tensors, { threads });

// Node has it, but neither its types nor ES2023's.
declare const WebAssembly: { Memory: new (limits: { initial: number }) => { buffer: ArrayBuffer } };

/**
 * The end of a WebAssembly memory, behind which V8 keeps pages that cannot be touched: the addon faults when it leaves
 * its arrays.
 */
class Guarded {
  private buffer = new ArrayBuffer(0);

  floats(length: number): Float32Array {
    const bytes = length * 4;
    if (this.buffer.byteLength < bytes) {
      this.buffer = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) }).buffer;
    }
    return new Float32Array(this.buffer, this.buffer.byteLength - bytes, length);
  }
}

const guardedInput = new Guarded();
const guardedOutput = new Guarded();

/** One run at a time: its arrays lie in guarded memory. */
export async function run(model: NativeModel, graph: Graph, images: Images, softmax = false): Promise<Float32Array> {
  const input = guardedInput.floats(images.data.length);
  input.set(images.data);
  const output = guardedOutput.floats(images.n * layerChannels(graph)[graph.output]!).fill(NaN);
  await model.run(0, input, images.n, images.height, images.width, softmax, [output]);
  assertSame(input, images.data, 'the input was written to');
  return output.slice();
}

export interface Expected {
  logits: Float64Array;
  /** The largest value of any layer: what float32 rounding is relative to, where sums cancel. */
  peak: number;
}

/** What the interpreter says, or the reason why it cannot. */
export function expected(graph: Graph, tensors: Tensors, images: Images): Expected | Impossible {
  const { n, height, width, data } = images;
  const one = data.length / n;
  try {
    let peak = 0;
    const logits = Array.from({ length: n }, (_, i) => {
      const values = interpret(graph, tensors, { height, width, data: data.subarray(i * one, (i + 1) * one) });
      for (const value of values) peak = value.data.reduce((most, x) => Math.max(most, Math.abs(x)), peak);
      return [...values[graph.output]!.data];
    });
    return { logits: Float64Array.from(logits.flat()), peak };
  } catch (error) {
    if (error instanceof Impossible) return error;
    throw error;
  }
}

/** Equal up to float32 rounding. */
export function assertClose(actual: ArrayLike<number>, expected: Expected, n: number, label: string): void {
  const { logits: wanted, peak } = expected;
  assert.equal(actual.length, wanted.length, label);
  const one = wanted.length / n;
  for (let i = 0; i < n; i++) {
    let [scale, worst] = [0, 0];
    for (let j = i * one; j < (i + 1) * one; j++) {
      assert.ok(Number.isFinite(wanted[j]!), `${label}: the reference is not finite`);
      scale = Math.max(scale, Math.abs(wanted[j]!));
      const difference = Math.abs(actual[j]! - wanted[j]!);
      worst = Number.isNaN(difference) ? NaN : Math.max(worst, difference);
    }
    assert.ok(worst <= 3e-5 * scale + 5e-7 * peak, `${label}: image ${i} differs by ${worst}, values up to ${scale}`);
  }
}

/** Bit for bit. */
export function assertSame(actual: Float32Array, wanted: Float32Array, label: string): void {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  if (bytes(actual).equals(bytes(wanted))) return;
  const at = actual.findIndex((value, i) => !Object.is(value, wanted[i]));
  assert.fail(`${label}: value ${at} is ${actual[at]}, not ${wanted[at]}`);
}

export function coded(...codes: string[]) {
  return (error: unknown): true => {
    assert.ok(error instanceof Error, `not an Error: ${String(error)}`);
    const { code } = error as { code?: unknown };
    assert.ok(typeof code === 'string' && (codes.length === 0 || codes.includes(code)), `${code}: ${error.message}`);
    return true;
  };
}

/** Native and reference give the same values, or both refuse the size. */
export async function assertParity(
  graph: Graph,
  tensors: Tensors,
  images: Images,
  { threads = 1, label = '' }: { threads?: number; label?: string } = {},
): Promise<'equal' | 'refused'> {
  const model = await build(graph, tensors, threads);
  try {
    return await assertRun(model, graph, tensors, images, label);
  } finally {
    model.close();
  }
}

export async function assertRun(
  model: NativeModel,
  graph: Graph,
  tensors: Tensors,
  images: Images,
  label = '',
): Promise<'equal' | 'refused'> {
  const where = `${label} ${images.n}x${images.height}x${images.width}`;
  const wanted = expected(graph, tensors, images);
  if (wanted instanceof Impossible) {
    await assert.rejects(async () => run(model, graph, images), coded('ERR_INPUT', 'ERR_NETWORK'), where);
    return 'refused';
  }
  const actual = await run(model, graph, images).catch((cause) => assert.fail(`${where}: ${cause}`));
  assertClose(actual, wanted, images.n, where);
  return 'equal';
}
