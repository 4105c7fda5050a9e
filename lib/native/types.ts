import type { Graph } from '../network/layers';

/** The one typed description of the native addon (native/addon). */
export interface NativeBinding {
  /** The instruction set in use and all that this CPU has, best first. Throws ERR_ISA on a wrong SHUFFLENET_ISA. */
  backend(): { isa: string; available: string[] };
  /**
   * Compiles the graph and packs the weights on a worker thread. `tensors` are read before the promise settles, in
   * place, and must not change until then; they are not needed afterwards.
   */
  createModel(graph: Graph, tensors: Record<string, Float32Array>, options: { threads: number }): Promise<NativeModel>;
}

export interface NativeModel {
  /**
   * input: NCHW, n * channels * h * w values; output: n * classes values, written in place. `softmax` turns logits into
   * probabilities. Runs off the event loop; both arrays must stay untouched until the promise settles.
   */
  run(input: Float32Array, n: number, height: number, width: number, softmax: boolean, output: Float32Array): Promise<void>;
  /** Bytes held: packed weights, and the arenas of the input sizes seen so far. */
  memory(): { weights: number; arenas: number };
  /** Frees everything once runs in flight are done; later calls reject with ERR_CLOSED. */
  close(): void;
}
