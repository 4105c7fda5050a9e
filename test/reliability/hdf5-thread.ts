import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { ShuffleNetError } from '../../lib';
import { patience } from '../../lib/weights/formats/hdf5';
import { memoryLimit, openLibrary, readContent, reason } from '../../lib/weights/formats/hdf5-worker';
import type { Source, StoredFile, StoredTensor } from '../../lib/weights/stored';
import { root } from './measure';

/**
 * What lib/weights/formats/hdf5.ts makes of a file, by a thread that reads many: starting one takes most of the time.
 * A damaged file may leave the library unable to read sound ones: that thread is `spoilt`, and replaced.
 */
type Answer = { spoilt: boolean } & (
  | { tensors: Map<string, StoredTensor>; metadata: Record<string, string> }
  | { refused: string }
);

/** Bytes of the library's memory at which a thread is replaced: it loses some over every damaged file. */
const mostHeap = 24 * 2 ** 20;

let thread: Worker | undefined;

export async function readByThread({ bytes, file }: Source): Promise<StoredFile> {
  if (!thread) {
    thread = new Worker(__filename, { stdout: true, stderr: true });
    thread.unref();
    await once(thread, 'message');
  }
  const worker = thread;
  const signal = AbortSignal.timeout(patience.reading);
  worker.postMessage(Uint8Array.from(bytes));
  const answer = await once(worker, 'message', { signal }).then(
    ([message]: Answer[]) => message!,
    (error: unknown): Answer => {
      const refused = signal.aborted ? 'does not come to an end' : `the thread died: ${String(error)}`;
      return { spoilt: true, refused };
    },
  );
  if (answer.spoilt) {
    thread = undefined;
    await worker.terminate();
  }
  if ('refused' in answer) throw new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${answer.refused}`);
  return { format: 'hdf5', tensors: answer.tensors, metadata: answer.metadata };
}

async function answerAll(port: NonNullable<typeof parentPort>): Promise<void> {
  let limit = Infinity;
  const library = await openLibrary(() => limit);
  const module = await library.ready;
  const sound = new Uint8Array(readFileSync(path.join(root, 'test/fixtures/checkpoints/hdf5/any.h5')));
  const read = async (bytes: Uint8Array) => {
    limit = bytes.length + memoryLimit;
    const tensors = new Map<string, StoredTensor>();
    const metadata = await readContent(library, bytes, (name, tensor) => {
      if (tensors.has(name)) throw new Error('twice');
      tensors.set(name, tensor);
    });
    return { tensors, metadata };
  };
  port.on('message', (bytes: Uint8Array) => {
    void read(bytes)
      .then(
        (content) => ({ spoilt: module.HEAPU8.length > mostHeap, ...content }),
        async (error: unknown) => ({
          spoilt: await read(sound.slice()).then(
            () => module.HEAPU8.length > mostHeap,
            () => true,
          ),
          refused: reason(error),
        }),
      )
      .then((answer: Answer) => port.postMessage(answer));
  });
  port.postMessage('ready');
}

if (!isMainThread && parentPort) void answerAll(parentPort);
