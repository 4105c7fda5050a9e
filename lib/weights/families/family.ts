import type { Preprocess } from '../../image/preprocess';
import type { NetworkOptions } from '../../network/options';
import type { StoredFile, StoredTensor } from '../stored';

/** Where a file has one tensor of the network. */
export interface PlacedTensor {
  /** The file's name of it, or of its first part: for messages. */
  from: string;
  /** In PyTorch order: convolution [out, in/groups, kh, kw], fully connected [out, in], the rest [channels]. */
  shape: number[];
  /** One, or the groups of a convolution that the file splits, in their order; together they are axis 0 of `shape`. */
  parts: StoredTensor[];
  /** Where the file has another order: axis i of `shape` is axis axes[i] of every part. */
  axes?: readonly number[];
}

/** A file's tensors as the network that they were trained in, in the words of lib/network. */
export interface Recognised {
  /** Classes, groups and widths from the shapes, the variant from the family. */
  network: NetworkOptions;
  /** By canonical name. */
  tensors: ReadonlyMap<string, PlacedTensor>;
  /** Tensors of the file that the layout has no place for, by the file's names. Counters are not among them. */
  unplaced: ReadonlyMap<string, StoredTensor>;
  /** What the project feeds its networks with; undefined where nobody says. */
  preprocess?: Preprocess | undefined;
}

/** The layout of names and the conventions of one project that publishes ShuffleNet V1 weights. */
export interface Family {
  /** As users write it: 'megvii', 'pytorchcv'. */
  readonly name: string;
  /** What its files are, for people. */
  readonly about: string;
  /** The licence of the project's code; of the weights only where the project says so. */
  readonly license?: string;
  /** Whether a file is this family's, from names, shapes or graph alone. */
  matches(file: StoredFile): boolean;
  /** How near a file is that does not match: for the error. Absent where families are told by the graph. */
  compare?(file: StoredFile): Resemblance;
  /** Throws ERR_WEIGHTS_TENSOR naming the tensors that do not fit. */
  read(file: StoredFile, name: string): Recognised;
}

export interface Resemblance {
  /** Tensors of the file that have a place. */
  fitting: number;
  /** Canonical names that every network has and the file does not. */
  missing: string[];
  /** Names of the file that have no place. */
  unknown: string[];
}
