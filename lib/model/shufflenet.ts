import { availableParallelism } from 'node:os';
import { ShuffleNetError } from '../errors';
import type { Image, ImageOptions } from '../image/decode';
import type { Preprocess } from '../image/preprocess';
import { imageToTensor } from '../image/tensor';
import { binding } from '../native/binding';
import type { NativeModel } from '../native/types';
import { buildGraph } from '../network/graph';
import type { Graph } from '../network/layers';
import { layerShapes } from '../network/shapes';
import type { Network } from '../network/table';
import { checkFields, integer, isRecord, type Check } from '../network/validate';
import { loadWeights, type Weights, type WeightsOptions } from '../weights/load';
import { mapInOrder } from './map-in-order';
import { fromNative } from './native-error';
import { likeliest, type Prediction } from './prediction';
import { checkImages, type Logits, type Tensor } from './tensor';

export interface LoadOptions extends WeightsOptions, ImageOptions {
  /**
   * Threads that work on one image, 1 to 1024. More than 1 pays for large images only; several calls, or an array given
   * to classify(), use several cores anyway. Default 1.
   */
  threads?: number;
}

/** What computes. */
export interface Backend {
  /** Instruction set in use: the best this CPU has, or what the environment variable SHUFFLENET_ISA names. */
  isa: string;
  /** Per image. */
  threads: number;
  /** Every instruction set this CPU has a core for, best first. */
  available: readonly string[];
}

export interface ClassifyOptions {
  /** Classes to report, 1 to all. Default 5, or all where there are fewer. */
  topK?: number;
}

const anything: Check = { expected: 'anything', accepts: () => true };

/** `network`, `preprocess` and `labels` are checked along with the file. */
const loadChecks: Readonly<Record<keyof LoadOptions, Check>> = {
  threads: integer(1, 1024),
  limitPixels: integer(1, Number.MAX_SAFE_INTEGER),
  network: anything,
  preprocess: anything,
  labels: anything,
};

/** A network with its weights, ready to run. All methods may be called many times at once. */
export class ShuffleNet {
  /** Every option with its default filled in, and the widths that follow. */
  readonly network: Network;
  /** How classify() turns an image into the network's input. */
  readonly preprocess: Preprocess;
  /** One for each class, all synonyms: 'goldfish, Carassius auratus'. undefined where the weights have none. */
  readonly labels: readonly string[] | undefined;
  readonly backend: Backend;

  readonly #native: NativeModel;
  readonly #graph: Graph;
  readonly #limits: ImageOptions;
  /** The latest image size that was found to suit the graph. */
  #suits = { height: 0, width: 0 };
  #calls = 0;
  #closed = false;

  private constructor(native: NativeModel, graph: Graph, weights: Weights, backend: Backend, limits: ImageOptions) {
    this.#native = native;
    this.#graph = graph;
    this.#limits = limits;
    this.network = weights.network;
    this.preprocess = weights.preprocess;
    this.labels = weights.labels;
    this.backend = backend;
  }

  /**
   * Loads weights, packs them for this CPU, and makes the network ready.
   *
   * @param weights A safetensors file: its path, its file: URL, or its bytes. Default: the package's own, 200 everyday
   * classes at 64x64.
   * @param options Win over what the file says, and are needed for what it does not say.
   * @throws ShuffleNetError (rejects) ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR, ERR_WEIGHTS_VALUE for the
   * file; ERR_OPTION, ERR_NETWORK for the arguments; ERR_ISA, ERR_NATIVE, ERR_MEMORY for this machine.
   */
  static async load(weights?: string | URL | Uint8Array, options: LoadOptions = {}): Promise<ShuffleNet> {
    checkFields('options', '', options, loadChecks);
    const { threads = 1, limitPixels, ...weightsOptions } = options;
    const loaded = await loadWeights(weights, weightsOptions);
    const graph = buildGraph(loaded.network);
    try {
      const { isa, available } = binding().backend();
      const backend = { isa, threads, available };
      const native = await binding().createModel(0, graph, loaded.tensors, { threads });
      return new ShuffleNet(native, graph, loaded, backend, limitPixels === undefined ? {} : { limitPixels });
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * The likeliest classes of an image, best first, or of each image of an array, which share the CPU's cores.
   *
   * @param image A path, a file: URL, the bytes of a JPEG, PNG, WebP, AVIF, GIF or TIFF, decoded pixels
   * { data: Uint8Array, width, height, channels }, or a tensor that run() takes, with n = 1. Memory given must not
   * change before the result is there.
   * @throws ShuffleNetError (rejects) ERR_FILE, ERR_IMAGE, ERR_IMAGE_LIMIT, ERR_INPUT for an image, of an array naming
   * the first one; ERR_OPTION; ERR_MEMORY; ERR_CLOSED.
   */
  classify(image: Image | Tensor, options?: ClassifyOptions): Promise<Prediction[]>;
  classify(images: readonly (Image | Tensor)[], options?: ClassifyOptions): Promise<Prediction[][]>;
  async classify(
    images: Image | Tensor | readonly (Image | Tensor)[],
    options: ClassifyOptions = {},
  ): Promise<Prediction[] | Prediction[][]> {
    return this.#call(async () => {
      const { classes } = this.network;
      checkFields('options', '', options, { topK: integer(1, classes) });
      const { topK = Math.min(5, classes) } = options;
      if (!isArray(images)) return this.#classify(images, topK);

      const results: Prediction[][] = [];
      const atOnce = Math.max(1, Math.floor(availableParallelism() / this.backend.threads));
      const classifyOne = async (image: Image | Tensor, index: number) => {
        try {
          return await this.#classify(image, topK);
        } catch (error) {
          if (!(error instanceof ShuffleNetError)) throw error;
          throw new ShuffleNetError(error.code, `images[${index}]: ${error.message}`, { cause: error });
        }
      };
      for await (const predictions of mapInOrder(images, atOnce, classifyOne)) results.push(predictions);
      return results;
    });
  }

  /**
   * The logits of images that are resized and normalised already. Large batches gain nothing over single images, but
   * may be more convenient.
   *
   * @param input float32, NCHW: shape [n, 3, height, width], sides of 32 to 4096, finite values. It is read in place,
   * on another thread, and never written; it must not be changed or transferred before the result is there. A view into
   * a larger ArrayBuffer is fine; a SharedArrayBuffer or a resizable ArrayBuffer is not.
   * @throws ShuffleNetError (rejects) ERR_INPUT; ERR_MEMORY; ERR_CLOSED.
   */
  async run(input: Tensor): Promise<Logits> {
    return this.#call(async () => {
      const { n, data } = await this.#run(input, false);
      return { data, shape: [n, this.network.classes] };
    });
  }

  /** Bytes of packed weights, and of activations kept for the latest input sizes. 0 once closed. */
  memory(): { weights: number; arenas: number } {
    return this.#native.memory();
  }

  /**
   * Frees the weights and activations, after the calls that are still under way. Later calls reject with ERR_CLOSED;
   * closing again does nothing. Garbage collection closes too, but does not know how much memory it would free.
   */
  close(): void {
    this.#closed = true;
    if (this.#calls === 0) this.#native.close();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new ShuffleNetError('ERR_CLOSED', 'the model is closed');
    this.#calls++;
    try {
      return await work();
    } finally {
      this.#calls--;
      if (this.#closed && this.#calls === 0) this.#native.close();
    }
  }

  async #classify(image: Image | Tensor, topK: number): Promise<Prediction[]> {
    let tensor: Tensor;
    if (isTensor(image)) {
      checkImages(image, 1);
      tensor = image;
    } else {
      const { data, height, width } = await imageToTensor(image, this.preprocess, this.#limits);
      tensor = { data, shape: [1, 3, height, width] };
    }
    const { data: scores } = await this.#run(tensor, true);
    if (scores.some(Number.isNaN)) {
      throw new ShuffleNetError('ERR_INPUT', 'the scores are NaN: the input holds NaN or values that are too large');
    }
    return likeliest(scores, topK, this.labels);
  }

  async #run(input: Tensor, softmax: boolean): Promise<{ n: number; data: Float32Array }> {
    const { data: pixels, n, height, width } = checkImages(input);
    if (height !== this.#suits.height || width !== this.#suits.width) {
      // The addon would refuse too, but not say which layer.
      layerShapes(this.#graph, { height, width });
      this.#suits = { height, width };
    }
    try {
      const data = new Float32Array(n * this.network.classes);
      await this.#native.run(0, pixels, n, height, width, softmax, [data]);
      return { n, data };
    } catch (error) {
      throw fromNative(error);
    }
  }
}

function isTensor(image: unknown): image is Tensor {
  return isRecord(image) && 'shape' in image;
}

/** Array.isArray does not narrow readonly arrays. */
function isArray<T>(value: unknown): value is readonly T[] {
  return Array.isArray(value);
}
