/** What a contestant runs. */
export interface Job {
  /** Holds the files below. */
  directory: string;
  /** NETWORK.safetensors, NETWORK.onnx ...: see network-files.ts. */
  network: string;
  batch: number;
  height: number;
  width: number;
  /** Of one run. */
  threads: number;
}

/** A contestant of this process, ready to run its job. */
export interface Runner {
  version: string;
  /** Once over the whole batch; the logits stay where the contestant leaves them. */
  run(): unknown;
  /** Of a run, image by image. */
  logits(): Promise<ArrayLike<number>>;
}

/** The peer is not here, and why. Anything else that goes wrong is an error. */
export class Absent extends Error {}
