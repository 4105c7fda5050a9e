import type { Preprocess } from '../../image/preprocess';
import type { NetworkOptions } from '../../network/options';
import type { StoredFile, StoredTensor } from '../stored';

/** A file's tensors as the network that they were trained in, in the words of lib/network. */
export interface Recognised {
  /** Classes, groups and widths from the shapes, the variant from the family. */
  network: NetworkOptions;
  /** By canonical name, in PyTorch order (convolution [out, in/groups, kh, kw], fully connected [out, in]). */
  tensors: ReadonlyMap<string, StoredTensor>;
  /** What the project feeds its networks with; undefined where nobody says. */
  preprocess?: Preprocess;
}

/** The layout of names and the conventions of one project that publishes ShuffleNet V1 weights. */
export interface Family {
  /** As users write it: 'megvii', 'pytorchcv'. */
  readonly name: string;
  /** What its files are, for people. */
  readonly about: string;
  /** Whether a file is this family's, from names, shapes or graph alone. */
  matches(file: StoredFile): boolean;
  /** Throws ERR_WEIGHTS_TENSOR naming the tensors that do not fit. */
  read(file: StoredFile, name: string): Recognised;
}
