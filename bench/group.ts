import type { Effort } from './field';
import type { NetworkFiles } from './network-files';

/** A group of measurements: `npm run bench -- NAME`. */
export interface Group {
  name: string;
  about: string;
  /** Prints as it goes. What it returns goes into the results file. */
  run(context: Context): Promise<object>;
}

export interface Context {
  files: NetworkFiles;
  effort: Effort;
  /** Whether a peer is wanted: all are, unless --peers names some. */
  peer(name: string): boolean;
  /**
   * Whether a row is wanted: all are, unless --only names some. '1x-g3@224x224' is named by itself, by '1x-g3' and by
   * '224x224'.
   */
  row(label: string): boolean;
}
