import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ShuffleNetError } from '../../errors';
import { quote } from '../json';
import type { Source, StoredFile, StoredTensor } from '../stored';
import type { Hdf5Message } from './hdf5-worker';

/** Of silence, in milliseconds: the library takes some 0.3 s to load, and a dataset some milliseconds to read. */
const patience = { loading: 30_000, reading: 800 };

/**
 * Reads an HDF5 file: Keras' weights by the names that its `weight_names` have, all datasets of others by their paths.
 * Needs the package h5wasm, the HDF5 library in WebAssembly, which runs in a thread of its own: that is ended when it
 * is silent for most of a second, and has no more memory than the file's size and 40 MB. `bytes` that are all of their
 * ArrayBuffer move there and are gone; others are copied.
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
      let heard = 0;
      let timer: NodeJS.Timeout;
      const wait = (milliseconds: number) => {
        clearTimeout(timer);
        const before = ++heard;
        timer = setTimeout(() => {
          // Messages may be waiting where this thread was busy itself.
          setImmediate(() => {
            if (heard === before) reject(refuse(`the HDF5 library does not come to an end: is the file damaged?`));
          });
        }, milliseconds);
      };
      wait(patience.loading);
      worker.on('message', (message: Hdf5Message) => {
        wait(patience.reading);
        if (message.kind === 'tensor') {
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
      worker.once('exit', () => clearTimeout(timer));
    });
    return { format: 'hdf5', tensors, metadata: Object.assign(Object.create(null), metadata) };
  } finally {
    await worker.terminate();
  }
}
