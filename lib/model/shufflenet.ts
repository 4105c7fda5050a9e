import { setImmediate } from 'node:timers/promises';
import { ShuffleNetError } from '../errors';
import type { Image, ImageOptions } from '../image/decode';
import type { Preprocess } from '../image/preprocess';
import { imageToTensor } from '../image/tensor';
import { binding } from '../native/binding';
import type { NativeModel } from '../native/types';
import { buildGraph, withTaps } from '../network/graph';
import { layerShapes, type Shape } from '../network/shapes';
import type { Network } from '../network/table';
import { anything, check, checkFields, integer, isRecord, oneOf, type Check } from '../network/validate';
import { loadWeights, withFileNames, type Weights, weightsChecks, type WeightsOptions } from '../weights/load';
import { abortSignal, listen, throwIfAborted, unlessAborted } from './abort';
import { mapInOrder } from './map-in-order';
import { callNative } from './native-call';
import { fromNative } from './native-error';
import { likeliest, type Prediction } from './prediction';
import { profileChecks, toProfile, type Profile, type ProfileOptions } from './profile';
import { checkImages, checkOutput, type Features, type ImageBatch, type Logits, type Tensor } from './tensor';

/** Of every call that can be aborted. */
export interface CallOptions {
  /**
   * Aborts the call, which rejects with ERR_ABORTED within milliseconds, `cause` being the signal's reason. Decoding
   * cannot be stopped: its result is ignored, and encoded images given as bytes may still be read for a moment.
   */
  signal?: AbortSignal | undefined;
}

export interface LoadOptions extends WeightsOptions, ImageOptions, CallOptions {
  /**
   * Threads that work on one image, 1 to 1024, but never more than the process may use cores. More than 1 shortens the
   * time of single images; several calls, or an array given to classify(), use several cores anyway. Default 1.
   */
  threads?: number;
  /**
   * 'fp16' lets activations and weights be halves (11 bits of significand) where the CPU computes with these: ARM64 from
   * Cortex-A76 on, which is about twice as fast. Everywhere else, and where a weight is beyond 65504, the model runs in
   * float32 all the same; `backend.precision` tells. Images, logits, features and the classifier are float32 always.
   * Activations beyond 65504, which no published network comes near to, overflow. Default 'fp32'.
   */
  precision?: Precision;
}

/** What activations and weights are while the network runs: float32 or, where the CPU can, half precision. */
export type Precision = 'fp32' | 'fp16';

/** What weights came in, as README's table of files and families says. */
export interface WeightsOrigin {
  /** Of the file: 'safetensors', 'pytorch', 'onnx', 'caffe', 'caffe2', 'mindspore', 'npz', 'hdf5', 'tensorflow' or 'tfjs'. */
  readonly format: string;
  /** Whose conventions the network has: 'megvii', 'pytorchcv' ... */
  readonly family: string;
}

/** What computes. */
export interface Backend {
  /**
   * Instruction set in use: the best this CPU has, or what the environment variable SHUFFLENET_ISA names.
   * 'neonfp16' is NEON in half precision.
   */
  isa: string;
  /** What runs, not what was asked for. */
  precision: Precision;
  /** Per image: what was asked for, at most `processors`. */
  threads: number;
  /** Cores that the process may use, control groups considered: as many runs are computed at once, others wait. */
  processors: number;
  /** Every instruction set this CPU has a core for, best first. */
  available: readonly string[];
}

export interface ClassifyOptions extends CallOptions {
  /** Classes to report, 1 to all. Default 5, or all where there are fewer. */
  topK?: number;
}

export interface ClassifyAllOptions extends ClassifyOptions {
  /**
   * Images taken from the source and not yet yielded, 1 to 1024. Default: processors / threads, which keeps all cores
   * busy; more helps where reading waits for a disk or network.
   */
  concurrency?: number;
}

/** One image of classifyAll(), as it was given, and what came of it. */
export type Classified<I = Image | Tensor> =
  | { image: I; predictions: Prediction[]; error?: undefined }
  | { image: I; error: ShuffleNetError; predictions?: undefined };

/** Of calls that give logits. */
export interface OutputOptions {
  /**
   * Where the logits go instead of a new array: exactly n * classes values, which may be a view into a larger
   * ArrayBuffer (not shared or resizable) and must not overlap the input. After a failed or aborted call its contents
   * are undefined.
   */
  output?: Float32Array;
}

export interface RunOptions extends CallOptions, OutputOptions {}

const loadChecks: Readonly<Record<keyof LoadOptions, Check>> = {
  threads: integer(1, 1024),
  precision: oneOf('fp32', 'fp16'),
  limitPixels: integer(1, Number.MAX_SAFE_INTEGER),
  signal: abortSignal,
  ...weightsChecks,
};
const callChecks: Readonly<Record<keyof CallOptions, Check>> = { signal: abortSignal };
const outputChecks: Readonly<Record<keyof OutputOptions, Check>> = { output: anything };
const runChecks: Readonly<Record<keyof RunOptions, Check>> = { ...callChecks, ...outputChecks };

/** Indices of the addon's outputs: the logits, and the graph's taps. */
const logitsOutput = 0;
const stageOutputs = [1, 2, 3] as const;
const pooledOutput = 4;

/** These are about the model or the call, not about one image. */
const fatalCodes: readonly string[] = ['ERR_ABORTED', 'ERR_CLOSED', 'ERR_NATIVE', 'ERR_ISA'];

/**
 * A network with its weights, ready to run. All methods may be called many times at once, and nothing but runSync()
 * computes or decodes on the calling thread. Models of the same weights file and network share packed weights, in all
 * worker threads of the process.
 *
 * `await using model = await ShuffleNet.load()` closes it at the end of the block.
 */
export class ShuffleNet implements AsyncDisposable {
  /** Every option with its default filled in, and the widths that follow. */
  readonly network: Network;
  /** What the weights came in. */
  readonly weights: WeightsOrigin;
  /** How classify() turns an image into the network's input. */
  readonly preprocess: Preprocess;
  /** One for each class, all synonyms: 'goldfish, Carassius auratus'. undefined where the weights have none. */
  readonly labels: readonly string[] | undefined;
  /** WordNet ids, one for each class: 'n01443537'. undefined where the weights have none. */
  readonly synsets: readonly string[] | undefined;
  /** What computes: instruction set, threads. */
  readonly backend: Backend;

  readonly #native: NativeModel;
  readonly #graph: ReturnType<typeof withTaps>;
  readonly #limits: ImageOptions;
  /** The latest image size that was found to suit the graph, and the shapes of the taps for it. */
  #size: { height: number; width: number; taps: Shape[] } = { height: 0, width: 0, taps: [] };
  #calls = 0;
  #closed = false;
  /** To be told once closed and without calls. */
  readonly #waiting: (() => void)[] = [];
  /** Of every classifyAll(), which could otherwise wait for its source forever. */
  readonly #streams = new Set<AbortController>();

  private constructor(
    native: NativeModel,
    graph: ReturnType<typeof withTaps>,
    weights: Weights,
    backend: Backend,
    limits: ImageOptions,
  ) {
    this.#native = native;
    this.#graph = graph;
    this.#limits = limits;
    this.network = weights.network;
    this.weights = { format: weights.format, family: weights.family };
    this.preprocess = weights.preprocess;
    this.labels = weights.labels;
    this.synsets = weights.synsets;
    this.backend = backend;
  }

  /**
   * Loads weights, packs them for this CPU, and makes the network ready.
   *
   * @param weights A file of any format and family in README's table: its path, its file: URL, or its bytes, which are
   * copied and must not change before the model is there (a SharedArrayBuffer is fine). Default: the package's own, 200
   * everyday classes at 64x64.
   * @param options Win over what the file says, and are needed for what it does not say.
   * @throws ShuffleNetError (rejects) ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR, ERR_WEIGHTS_VALUE for the
   * file; ERR_OPTION, ERR_NETWORK for the arguments; ERR_ISA, ERR_NATIVE, ERR_MEMORY for this machine; ERR_ABORTED.
   */
  static async load(weights?: string | URL | Uint8Array, options: LoadOptions = {}): Promise<ShuffleNet> {
    checkFields('options', '', options, loadChecks);
    const { threads = 1, precision = 'fp32', limitPixels, signal, ...weightsOptions } = options;
    throwIfAborted(signal);
    const loaded = await unlessAborted(loadWeights(weights, weightsOptions), signal);
    const graph = withTaps(buildGraph(loaded.network));
    const machine = addonBackend();
    try {
      const native = await callNative(
        signal,
        (id) => binding().createModel(id, graph, loaded.tensors, { threads, precision }),
        (unwanted) => unwanted.close(),
      );
      const isa = native.isa();
      const backend: Backend = {
        ...machine,
        isa,
        precision: isa.endsWith('fp16') ? 'fp16' : 'fp32',
        threads: Math.min(threads, machine.processors),
      };
      return new ShuffleNet(native, graph, loaded, backend, limitPixels === undefined ? {} : { limitPixels });
    } catch (error) {
      throw withFileNames(error, loaded);
    }
  }

  /**
   * The likeliest classes of an image, best first, or of each image of an array, which share the CPU's cores.
   *
   * @param image A path, a file: URL, the bytes of a JPEG, PNG, WebP, AVIF, GIF or TIFF, decoded pixels
   * { data: Uint8Array, width, height, channels }, or a tensor that run() takes, with n = 1. Memory given must not
   * change before the result is there.
   * @throws ShuffleNetError (rejects) ERR_FILE, ERR_IMAGE, ERR_IMAGE_LIMIT, ERR_INPUT for an image, of an array naming
   * the first one; ERR_OPTION; ERR_MEMORY; ERR_ABORTED; ERR_CLOSED.
   */
  classify(image: Image | Tensor, options?: ClassifyOptions): Promise<Prediction[]>;
  classify(images: readonly (Image | Tensor)[], options?: ClassifyOptions): Promise<Prediction[][]>;
  async classify(
    images: Image | Tensor | readonly (Image | Tensor)[],
    options: ClassifyOptions = {},
  ): Promise<Prediction[] | Prediction[][]> {
    checkFields('options', '', options, { topK: integer(1, this.network.classes), ...callChecks });
    const { topK = this.#defaultTopK, signal } = options;
    return this.#eachOrOne(images, signal, (image, signal) => this.#classify(image, topK, signal));
  }

  /**
   * The likeliest classes of many images, in their order, as fast as they are asked for: no more than `concurrency`
   * images are taken from the source before their results are.
   *
   * An image that cannot be classified yields its error, and the others go on. What ends the iteration with an error:
   * the signal (ERR_ABORTED), close() (ERR_CLOSED), the source's own errors, ERR_OPTION. Leaving the loop early cancels
   * what is under way. In each case the source's return() is called.
   *
   * @param images What classify() takes, one by one: an array, a generator, a stream of paths ...
   */
  async *classifyAll<I extends Image | Tensor>(
    images: Iterable<I> | AsyncIterable<I>,
    options: ClassifyAllOptions = {},
  ): AsyncGenerator<Classified<I>, void, undefined> {
    checkFields('options', '', options, {
      topK: integer(1, this.network.classes),
      concurrency: integer(1, 1024),
      ...callChecks,
    });
    const { topK = this.#defaultTopK, concurrency = this.#atOnce, signal } = options;
    check('images', images, iterable);
    throwIfAborted(signal);
    this.#checkOpen();

    const stop = new AbortController();
    const unlisten = listen(signal, () => stop.abort(signal!.reason));
    this.#streams.add(stop);
    try {
      yield* mapInOrder(
        images,
        concurrency,
        async (image, _, signal): Promise<Classified<I>> => {
          try {
            return { image, predictions: await this.#call(() => this.#classify(image, topK, signal)) };
          } catch (error) {
            if (!(error instanceof ShuffleNetError) || fatalCodes.includes(error.code)) throw error;
            return { image, error };
          }
        },
        stop,
      );
    } catch (error) {
      if (!signal?.aborted) this.#checkOpen();
      throw error;
    } finally {
      this.#streams.delete(stop);
      unlisten();
    }
  }

  /**
   * The logits of images that are resized and normalised already. Large batches gain nothing over single images, but
   * may be more convenient.
   *
   * @param input float32, NCHW: shape [n, 3, height, width], sides of 32 to 4096. Values must be finite, which is not
   * checked: what comes of a NaN is undefined. It is read in place, on another thread, and never written; it must not
   * be changed or transferred before the call has settled. A view into a larger ArrayBuffer is fine; a SharedArrayBuffer
   * or a resizable ArrayBuffer is not.
   * @returns n * classes values before softmax, in `output` where it was given.
   * @throws ShuffleNetError (rejects) ERR_INPUT; ERR_OPTION; ERR_MEMORY; ERR_ABORTED; ERR_CLOSED.
   */
  async run(input: Tensor, options: RunOptions = {}): Promise<Logits> {
    checkFields('options', '', options, runChecks);
    const { signal } = options;
    return this.#call(async () => {
      const batch = checkImages(input);
      const data = checkOutput(options.output, batch.n * this.network.classes, batch.data);
      await this.#run(batch, false, [data], signal);
      return { data, shape: [batch.n, this.network.classes] };
    });
  }

  /**
   * run() on the calling thread, which it blocks for the whole time: for scripts, and worker threads of one's own.
   *
   * @throws ShuffleNetError ERR_INPUT; ERR_OPTION; ERR_MEMORY; ERR_CLOSED.
   */
  runSync(input: Tensor, options?: OutputOptions): Logits {
    if (options !== undefined) checkFields('options', '', options, outputChecks);
    this.#checkOpen();
    const batch = checkImages(input);
    const { data: pixels, n, height, width } = batch;
    const { classes } = this.network;
    const data = checkOutput(options?.output, n * classes, pixels);
    this.#fit(batch);
    try {
      this.#native.runSync(pixels, n, height, width, false, outputs([data]));
    } catch (error) {
      throw fromNative(error);
    }
    return { data, shape: [n, classes] };
  }

  /**
   * The outputs of stages 2, 3 and 4, for detectors, segmentation and the like. The classifier is not computed.
   *
   * @param input What classify() takes, or a tensor of n images that run() takes.
   * @throws ShuffleNetError (rejects) what classify() does.
   */
  async features(input: Image | Tensor, options: CallOptions = {}): Promise<Features> {
    checkFields('options', '', options, callChecks);
    const { signal } = options;
    return this.#call(async () => {
      const batch = isTensor(input) ? checkImages(input) : await this.#prepare(input, signal);
      const { taps } = this.#fit(batch);
      const stages = stageOutputs.map((output): Tensor & { output: number } => {
        const { channels, height, width } = taps[output - 1]!;
        const data = new Float32Array(batch.n * channels * height * width);
        return { output, data, shape: [batch.n, channels, height, width] };
      });
      const wanted: Float32Array[] = [];
      for (const { output, data } of stages) wanted[output] = data;
      await this.#run(batch, false, wanted, signal);
      const [stage2, stage3, stage4] = stages.map(({ data, shape }) => ({ data, shape }));
      return { stage2: stage2!, stage3: stage3!, stage4: stage4! };
    });
  }

  /**
   * What the classifier sees of an image, or of each image of an array: the globally pooled output of stage 4, as many
   * values as that has channels. Similar images have vectors of similar direction.
   *
   * @param image What classify() takes.
   * @throws ShuffleNetError (rejects) what classify() does.
   */
  embed(image: Image | Tensor, options?: CallOptions): Promise<Float32Array>;
  embed(images: readonly (Image | Tensor)[], options?: CallOptions): Promise<Float32Array[]>;
  async embed(
    images: Image | Tensor | readonly (Image | Tensor)[],
    options: CallOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    checkFields('options', '', options, callChecks);
    return this.#eachOrOne(images, options.signal, async (image, signal) => {
      const batch = await this.#prepare(image, signal);
      const wanted: Float32Array[] = [];
      const pooled = (wanted[pooledOutput] = new Float32Array(this.#fit(batch).taps[pooledOutput - 1]!.channels));
      await this.#run(batch, false, wanted, signal);
      return pooled;
    });
  }

  /**
   * Times every step of a run of one image, of noise, and measures what this CPU could do at most. Meant for a quiet
   * machine: other runs at the same time show in the result.
   *
   * @throws ShuffleNetError (rejects) ERR_INPUT; ERR_OPTION; ERR_MEMORY; ERR_ABORTED; ERR_CLOSED.
   */
  async profile(options: ProfileOptions = {}): Promise<Profile> {
    checkFields('options', '', options, { ...profileChecks, ...callChecks });
    const { height = this.preprocess.crop.height, width = this.preprocess.crop.width, runs = 30, signal } = options;
    return this.#call(async () => {
      this.#fit({ height, width });
      const native = await callNative(signal, (id) => this.#native.profile(id, height, width, runs));
      const { isa, threads } = this.backend;
      return toProfile(native, { isa, threads, height, width, runs });
    });
  }

  /**
   * Bytes of folded and packed weights (one copy, however many models share it), and of activations kept for the latest
   * input sizes. 0 once closed.
   */
  memory(): { weights: number; arenas: number } {
    return this.#native.memory();
  }

  /**
   * Frees the weights and activations, after the calls that are still under way. Later calls reject with ERR_CLOSED,
   * and so does what classifyAll() has not yielded; closing again does nothing. Garbage collection closes too, but
   * does not know how much memory it would free.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#streams) stream.abort('the model is closed');
    if (this.#calls === 0) this.#native.close();
  }

  /** close(), and waits for the calls that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    // The last call is done, but whoever awaits it has not been told.
    await setImmediate();
  }

  get #defaultTopK(): number {
    return Math.min(5, this.network.classes);
  }

  get #atOnce(): number {
    return Math.max(1, Math.floor(this.backend.processors / this.backend.threads));
  }

  #checkOpen(): void {
    if (this.#closed) throw new ShuffleNetError('ERR_CLOSED', 'the model is closed');
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    this.#calls++;
    try {
      return await work();
    } finally {
      this.#calls--;
      if (this.#closed && this.#calls === 0) {
        this.#native.close();
        for (const resolve of this.#waiting.splice(0)) resolve();
      }
    }
  }

  /** One call: `work` for the one image, or for each of an array. */
  async #eachOrOne<T>(
    images: Image | Tensor | readonly (Image | Tensor)[],
    signal: AbortSignal | undefined,
    work: (image: Image | Tensor, signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T | T[]> {
    return this.#call(async () => {
      if (!isArray(images)) return await work(images, signal);
      throwIfAborted(signal);
      const stop = new AbortController();
      const unlisten = listen(signal, () => stop.abort(signal!.reason));
      let index = 0;
      try {
        const results: T[] = [];
        for await (const result of mapInOrder(images, this.#atOnce, (image, _, signal) => work(image, signal), stop)) {
          results.push(result);
          index++;
        }
        return results;
      } catch (error) {
        if (!(error instanceof ShuffleNetError) || error.code === 'ERR_ABORTED') throw error;
        throw new ShuffleNetError(error.code, `images[${index}]: ${error.message}`, { cause: error });
      } finally {
        unlisten();
      }
    });
  }

  async #classify(image: Image | Tensor, topK: number, signal: AbortSignal | undefined): Promise<Prediction[]> {
    const batch = await this.#prepare(image, signal);
    const scores = new Float32Array(this.network.classes);
    await this.#run(batch, true, [scores], signal);
    if (scores.some(Number.isNaN)) {
      throw new ShuffleNetError('ERR_INPUT', 'the scores are NaN: the input holds NaN or values that are too large');
    }
    return likeliest(scores, topK, this.labels);
  }

  /** One image as the network's input. */
  async #prepare(image: Image | Tensor, signal: AbortSignal | undefined): Promise<ImageBatch> {
    throwIfAborted(signal);
    if (isTensor(image)) return checkImages(image, 1);
    const tensor = imageToTensor(image, this.preprocess, { ...this.#limits, signal });
    return { n: 1, ...(await unlessAborted(tensor, signal)) };
  }

  async #run(
    batch: ImageBatch,
    softmax: boolean,
    wanted: readonly (Float32Array | undefined)[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#fit(batch);
    const { data, n, height, width } = batch;
    await callNative(signal, (id) => this.#native.run(id, data, n, height, width, softmax, outputs(wanted)));
  }

  /** Throws ERR_INPUT for a size that the network cannot take. The addon would refuse too, but not say which layer. */
  #fit({ height, width }: { height: number; width: number }) {
    if (height !== this.#size.height || width !== this.#size.width) {
      const shapes = layerShapes(this.#graph, { height, width });
      this.#size = { height, width, taps: this.#graph.taps.map((layer) => shapes[layer]!) };
    }
    return this.#size;
  }
}

/** The addon takes one array or undefined for each output. */
function outputs(wanted: readonly (Float32Array | undefined)[]): (Float32Array | undefined)[] {
  return [wanted[logitsOutput], wanted[1], wanted[2], wanted[3], wanted[pooledOutput]];
}

function addonBackend() {
  try {
    return binding().backend();
  } catch (error) {
    throw fromNative(error);
  }
}

/** Strings and bytes are iterable too, but each is one image. */
const iterable: Check = {
  expected: 'an iterable of images',
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    (Symbol.asyncIterator in value || Symbol.iterator in value),
};

function isTensor(image: unknown): image is Tensor {
  return isRecord(image) && 'shape' in image;
}

/** Array.isArray does not narrow readonly arrays. */
function isArray<T>(value: unknown): value is readonly T[] {
  return Array.isArray(value);
}
