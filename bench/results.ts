import type { Effort, Race, Times } from './field';
import type { Machine } from './machine';
import type { Step } from './profiles';
import type { Summary } from './statistics';

/** A file of bench/results, as far as charts read it. A group that did not run is missing. */
export interface Results {
  machine: Machine;
  groups: {
    networks?: Effort & { rows: NetworkRow[]; slowest: Pick<NetworkRow, 'times'> | null };
    layers?: Effort & { rows: LayersRow[] };
    batches?: Effort & { rows: BatchRow[] };
    threads?: Effort & { rows: ThreadsRow[] };
  };
}

/** One network at one image size. */
export interface NetworkRow extends Race {
  /** '1x-g3@224x224' */
  label: string;
  height: number;
  width: number;
  /** How many times as long as ours the faster of onnxruntime-node and XNNPACK takes; null where neither is here. */
  lead: number | null;
  /** The same of everybody's fastest run. */
  leadOfFastest: number | null;
  /** How many times as long as ours each takes. */
  ratios: Record<string, Summary>;
}

/** Where a network's time goes. Shares are of the time of all steps, and of the FMA peak of one thread. */
export interface LayersRow {
  label: string;
  /** GFLOP/s. */
  peak: number;
  milliseconds: number;
  shareOfPeak: number;
  steps: Step[];
  kinds: KindShare[];
}

export interface KindShare {
  kind: string;
  steps: number;
  milliseconds: number;
  shareOfTime: number;
  multiplyAdds: number;
  gflops: number;
  shareOfPeak: number;
}

/** null: the contestant is absent. */
export interface BatchRow {
  label: string;
  contestant: string;
  batch: number;
  imagesPerSecond: number | null;
  /** Time over `batch` times that of one image. */
  cost: number | null;
  time: Times | null;
}

/** null: the contestant is absent. */
export interface ThreadsRow {
  label: string;
  contestant: string;
  threads: number;
  /** At once. */
  images: number;
  /** Of the throughput, over the same contestant with one thread and one image. */
  speedUp: number | null;
  time: Times | null;
}
