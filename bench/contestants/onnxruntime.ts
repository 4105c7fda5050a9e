import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Job, Runner } from '../job';
import { inputFile, onnxFile, readFloats } from '../files';
import { loadPeer, peerVersion } from '../peers';

/** What is used of onnxruntime-common's interface. */
interface Ort {
  Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => object;
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
}

interface Session {
  inputNames: readonly string[];
  outputNames: readonly string[];
  run(feeds: Record<string, object>): Promise<Record<string, { data: Float32Array }>>;
}

async function runner(job: Job, ort: Ort, version: string, options: object): Promise<Runner> {
  const { directory, network, batch, height, width } = job;
  const model = readFileSync(path.join(directory, onnxFile(network, job)));
  const session = await ort.InferenceSession.create(model, { ...options, graphOptimizationLevel: 'all' });
  const data = readFloats(path.join(directory, inputFile(job)));
  const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', data, [batch, 3, height, width]) };
  const run = () => session.run(feeds);
  return { version, run, logits: async () => (await run())[session.outputNames[0]!]!.data };
}

export function loadNode(job: Job): Promise<Runner> {
  const ort = loadPeer<Ort>('onnxruntime-node');
  const options = { intraOpNumThreads: job.threads, interOpNumThreads: 1, executionMode: 'sequential' };
  return runner(job, ort, peerVersion('onnxruntime-node'), options);
}

export function loadWeb(job: Job): Promise<Runner> {
  const ort = loadPeer<Ort & { env: { wasm: { numThreads: number } } }>('onnxruntime-web');
  ort.env.wasm.numThreads = job.threads;
  return runner(job, ort, peerVersion('onnxruntime-web'), { executionProviders: ['wasm'] });
}
