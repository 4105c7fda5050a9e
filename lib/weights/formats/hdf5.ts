import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ShuffleNetError } from '../../errors';
import { quote } from '../json';
import type { Source, StoredFile, StoredTensor } from '../stored';
import type { Hdf5Message } from './hdf5-worker';

/**
 * Milliseconds of silence after which the thread is ended. The library takes some 300 to load, and a dataset a few: what
 * takes that long has come into a loop, unless the machine is so busy that the process had no such time to compute.
 */
export const patience = { loading: 30_000, reading: 600 };

/**
 * Reads an HDF5 file: Keras' weights by the names that its `weight_names` have, all datasets of others by their paths.
 * Needs the package h5wasm, the HDF5 library in WebAssembly, which runs in a thread of its own: that is ended when it
 * computes for 0.6 seconds without a word, and has no more memory than the file's size and 28 MB. `bytes` that are
 * all of their ArrayBuffer move there and are gone; others are copied.
 */
export async function readHdf5({ bytes, file }: Source): Promise<StoredFile> {
  const refuse = (detail: string, cause?: unknown) =>
    new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`, cause === undefined ? {} : { cause });
  const { buffer } = bytes;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  const own = whole ? new Uint8Array(buffer) : new Uint8Array(bytes);
  const worker = new Worker(path.join(__dirname, 'hdf5-worker.js'), {
    workerData: { hdf5: own },
    transferList: [own.buffer],
    // What the library has to say comes as errors.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  });
  const tensors = new Map<string, StoredTensor>();
  try {
    const metadata = await new Promise<Record<string, string>>((resolve, reject) => {
      let heard = performance.now();
      let computed = process.cpuUsage();
      let ready = false;
      const timer = setInterval(() => {
        // Messages may be waiting where this thread was busy itself.
        setImmediate(() => {
          const silent = performance.now() - heard;
          const { user, system } = process.cpuUsage(computed);
          const stuck = ready && silent > patience.reading && (user + system) / 1000 > patience.reading;
          if (stuck || silent > patience.loading) {
            reject(refuse('the HDF5 library does not come to an end: is the file damaged?'));
          }
        });
      }, patience.reading / 8);
      worker.on('message', (message: Hdf5Message) => {
        heard = performance.now();
        computed = process.cpuUsage();
        if (message.kind === 'ready') ready = true;
        else if (message.kind === 'tensor') {
          const { name, tensor } = message;
          if (tensors.has(name)) reject(refuse(`the tensor ${quote(name)} occurs twice`));
          tensors.set(name, tensor);
        } else if (message.kind === 'done') resolve(message.metadata);
        else if (message.kind === 'refused') reject(refuse(`cannot be read as HDF5: ${message.detail}`));
        else if (message.kind === 'absent') {
          reject(refuse('HDF5 files need the package h5wasm, which is not installed: npm install h5wasm'));
        }
      });
      worker.on('error', (error: NodeJS.ErrnoException) => {
        reject(refuse(`cannot be read as HDF5: ${error.message}`, error));
      });
      worker.on('exit', (code) => reject(refuse(`the HDF5 library ended with code ${code}`)));
      worker.once('exit', () => clearInterval(timer));
    });
    return { format: 'hdf5', tensors, metadata: Object.assign(Object.create(null), metadata) };
  } finally {
    await worker.terminate();
  }
}
