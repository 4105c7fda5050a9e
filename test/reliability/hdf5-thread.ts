import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { ShuffleNetError } from '../../lib';
import { memoryLimit, openLibrary, readContent, reason } from '../../lib/weights/formats/hdf5-worker';
import type { Source, StoredFile, StoredTensor } from '../../lib/weights/stored';

/** What lib/weights/formats/hdf5.ts makes of a file, by a thread that reads many: starting one takes most of the time. */
type Answer = { heap: number } & (
  | { tensors: Map<string, StoredTensor>; metadata: Record<string, string> }
  | { refused: string }
);

/** Bytes of the library's memory at which a thread is replaced: it loses some over every damaged file. */
const mostHeap = 24 * 2 ** 20;
/** As in hdf5.ts, which allows it to each dataset. */
const patience = 600;

let thread: { worker: Worker; heap: number } | undefined;

export async function readByThread({ bytes, file }: Source): Promise<StoredFile> {
  if (!thread || thread.heap > mostHeap) {
    await thread?.worker.terminate();
    const worker = new Worker(__filename, { stdout: true, stderr: true });
    worker.unref();
    thread = { worker, heap: 0 };
    await once(worker, 'message');
  }
  const { worker } = thread;
  const signal = AbortSignal.timeout(patience);
  worker.postMessage(Uint8Array.from(bytes));
  const answer = await once(worker, 'message', { signal }).then(
    ([message]: Answer[]) => message!,
    async (error: unknown): Promise<Answer> => {
      thread = undefined;
      await worker.terminate();
      return { heap: 0, refused: signal.aborted ? 'does not come to an end' : `the thread died: ${String(error)}` };
    },
  );
  if (thread) thread.heap = answer.heap;
  if ('refused' in answer) throw new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${answer.refused}`);
  return { format: 'hdf5', tensors: answer.tensors, metadata: answer.metadata };
}

async function answerAll(port: NonNullable<typeof parentPort>): Promise<void> {
  let limit = Infinity;
  const library = await openLibrary(() => limit);
  const module = await library.ready;
  port.on('message', (bytes: Uint8Array) => {
    limit = bytes.length + memoryLimit;
    const tensors = new Map<string, StoredTensor>();
    const give = (name: string, tensor: StoredTensor) => {
      if (tensors.has(name)) throw new Error('twice');
      tensors.set(name, tensor);
    };
    const answer = (content: Partial<Answer>) => port.postMessage({ heap: module.HEAPU8.length, ...content });
    void readContent(library, bytes, give).then(
      (metadata) => answer({ tensors, metadata }),
      (error: unknown) => answer({ refused: reason(error) }),
    );
  });
  port.postMessage('ready');
}

if (!isMainThread && parentPort) void answerAll(parentPort);
