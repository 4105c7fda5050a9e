import type { NetworkOptions, Tensor } from '../../lib';
import { buildGraph } from '../../lib/network/graph';
import { graphParameters } from '../../lib/network/parameters';
import { resolveNetwork } from '../../lib/network/table';
import { randomTensors } from '../plan/random';
import { float32, writeSafetensors } from '../weights/files';

interface Side {
  name: string;
  shape: (number | string)[];
}

/** As much of onnxruntime-web as the tests use; its own types need a browser's. */
interface Session {
  readonly inputMetadata: readonly Side[];
  readonly outputMetadata: readonly Side[];
  run(
    inputs: Record<string, unknown>,
    options: typeof quiet,
  ): Promise<Record<string, { data: Float32Array; dims: readonly number[] }>>;
  release(): Promise<void>;
}

const onnxruntime = require('onnxruntime-web') as {
  env: { wasm: { numThreads: number } };
  InferenceSession: { create(model: Uint8Array, options: typeof quiet): Promise<Session> };
  Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => unknown;
};
// The process could not end while threads wait.
onnxruntime.env.wasm.numThreads = 1;
// What it logs, it throws too.
const quiet = { logSeverityLevel: 4 };

/** An ONNX model in onnxruntime. */
export class Peer {
  private constructor(private readonly session: Session) {}

  static async load(model: Uint8Array): Promise<Peer> {
    return new Peer(await onnxruntime.InferenceSession.create(model, quiet));
  }

  get sides(): { input: Side; output: Side }[] {
    const { inputMetadata, outputMetadata } = this.session;
    return inputMetadata.map(({ name, shape }, i) => {
      const output = outputMetadata[i]!;
      return { input: { name, shape }, output: { name: output.name, shape: output.shape } };
    });
  }

  async run({ data, shape }: Tensor, output = 'logits'): Promise<Tensor> {
    const { name } = this.session.inputMetadata[0]!;
    const outputs = await this.session.run({ [name]: new onnxruntime.Tensor('float32', data, shape) }, quiet);
    const { data: values, dims } = outputs[output]!;
    return { data: values, shape: [...dims] };
  }

  close(): Promise<void> {
    return this.session.release();
  }
}

/** A safetensors file of a network with random weights. */
export function randomWeights(options: NetworkOptions, seed: number): Uint8Array {
  const graph = buildGraph(resolveNetwork(options));
  const tensors = randomTensors(graph, seed);
  const sources = [...graphParameters(graph)].map(([name, { shape }]) => {
    const source = { dtype: 'F32', shape, bytes: float32(tensors[name]!) };
    return [name, source] as [string, typeof source];
  });
  return writeSafetensors(sources, { 'shufflenet.config': JSON.stringify(options) });
}
