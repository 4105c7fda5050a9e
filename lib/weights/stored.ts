/** What the readers of `formats/` make of a file: named tensors, and what the file says of itself. Nothing of ShuffleNet. */

/** Bits per element of every dtype that a file may have; readers of other formats use the same words. */
// biome-ignore format: a table
export const dtypeBits = {
  BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64,
  F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64,
};

export type Dtype = keyof typeof dtypeBits;

/** Of a tensor. undefined above 2^53 - 1, where the product would be rounded. */
export function sizeInBits(shape: readonly number[], dtype: Dtype): number | undefined {
  let bits = dtypeBits[dtype];
  for (const n of shape) {
    bits *= n;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return bits;
}

export interface StoredTensor {
  dtype: Dtype;
  shape: number[];
  /** Row-major, little-endian, at any alignment: a view of the file's bytes wherever these lie so. */
  bytes: Uint8Array;
}

/** Where a reader reads. */
export interface Source {
  /** Its name in error messages. */
  file: string;
  bytes: Uint8Array;
  /**
   * The bytes of another file in the same folder, by its plain name: shards. Absent where `bytes` were given without a
   * file. Rejects with ERR_FILE, also for a name that leads out of the folder.
   */
  sibling?: (name: string) => Promise<Uint8Array>;
  /** Whether tensors of an ONNX model may lie in siblings. */
  externalData?: boolean | undefined;
}

/** An operator of a stored graph. Values, tensors among them, have names. */
export interface StoredOperator {
  /** In the file's own vocabulary: 'Conv', 'ConvolutionDepthwise'. */
  type: string;
  name: string;
  /** '' for an optional input that is absent. */
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, number | string | number[] | StoredTensor>;
}

export interface StoredGraph {
  /** Whose vocabulary the operators have. */
  vocabulary: 'onnx' | 'caffe' | 'caffe2';
  /** In an order in which they can be executed. */
  operators: StoredOperator[];
  inputs: StoredInput[];
  /** Names of values. */
  outputs: string[];
}

/** A value that the caller gives. */
export interface StoredInput {
  name: string;
  /** As the file declares it; undefined for a side of any length. Absent where the file says nothing. */
  shape?: (number | undefined)[];
}

export interface StoredFile {
  // biome-ignore format: a list
  format:
    | 'safetensors' | 'pytorch' | 'onnx' | 'caffe' | 'caffe2' | 'mindspore' | 'npz' | 'hdf5' | 'tensorflow' | 'tfjs';
  tensors: ReadonlyMap<string, StoredTensor>;
  /** Texts of the file about itself; empty where it has none. No prototype. */
  metadata: Record<string, string>;
  /** Where the file says how its tensors are used. */
  graph?: StoredGraph;
}

/** Of a format. Rejects with ERR_WEIGHTS_FORMAT naming the file and what is wrong with it. Executes nothing of it. */
export type Reader = (source: Source) => StoredFile | Promise<StoredFile>;
