/**
 * No memory for one of the addon's allocations, or for one and all after it, while a network is loaded, run and closed:
 * ERR_MEMORY, and a process that works as before. Each allocation has its turn, those that hand arguments and results
 * between JavaScript and C++ too; those within the core, test/native/model_test.cc counts as well.
 *
 * Linux only: test/native/failing_new.cc is preloaded, which `npm run test:native` builds.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync, readSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ShuffleNet, ShuffleNetError } from '../../lib';
import { ramp, root, smallFile, type Outcome } from './measure';

const library = path.join(root, 'test/native/build/Release/failing_new.node');
/** More than there are. */
const all = 2 ** 40;

/** In a process with the library preloaded. */
async function failEach(control: number, step: number): Promise<Outcome> {
  const bytes = Buffer.alloc(24);
  const fail = (first: number, last: number) => {
    [first, last, 0].forEach((value, i) => bytes.writeBigInt64LE(BigInt(value), 8 * i));
    writeSync(control, bytes, 0, 24, 0);
  };
  const asked = () => {
    readSync(control, bytes, 0, 24, 0);
    return Number(bytes.readBigInt64LE(16));
  };

  const file = smallFile();
  const image = ramp(40);
  const outcomes: Record<string, number> = {};
  const broken: string[] = [];
  const expected = await (async () => {
    const model = await ShuffleNet.load(file);
    const { data } = await model.run(image);
    model.close();
    return data.join();
  })();
  const attempt = async (threads: number, sync: boolean) => {
    const model = await ShuffleNet.load(file, { threads });
    try {
      const { data } = sync ? model.runSync(image) : await model.run(image);
      return data.join() === expected ? 'logits' : 'other logits';
    } finally {
      model.close();
    }
  };
  for (const [threads, sync, last] of [
    [1, false, 1],
    [1, true, 1],
    [2, false, 1],
    [1, false, all],
    [2, true, all],
  ] as const) {
    let done = false;
    for (let first = 0; !done; first += step) {
      fail(first, first + last);
      const outcome = await attempt(threads, sync).catch((error: unknown) =>
        error instanceof ShuffleNetError ? error.code : String(error),
      );
      done = asked() <= first;
      fail(0, 0);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      // A thread that could not be started, or a model freed at once instead of later, is no failure of the call.
      if (outcome !== 'ERR_MEMORY' && outcome !== 'logits') broken.push(`allocation ${first}: ${outcome}`);
      const after = await attempt(threads, sync).catch(String);
      if (after !== 'logits') broken.push(`after allocation ${first}: ${after}`);
      if (broken.length > 20) return { figures: { outcomes }, broken };
    }
  }
  return { figures: { outcomes }, broken };
}

export async function measure(short: boolean): Promise<Outcome> {
  if (!existsSync(library)) return { figures: { skipped: `${library} is not there` }, broken: [] };
  const folder = mkdtempSync(path.join(tmpdir(), 'failing-new-'));
  try {
    const control = path.join(folder, 'control');
    writeFileSync(control, Buffer.alloc(24));
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, [__filename, short ? '5' : '1'], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: library, FAILING_NEW: control },
    });
    if (status === 0) return JSON.parse(stdout) as Outcome;
    return { figures: {}, broken: [`the process ended with ${signal ?? status}: ${stderr.trim().slice(-2000)}`] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// `node --test` runs this file too, as it lies in a folder of tests.
const control = process.env['FAILING_NEW'];
if (require.main === module && control !== undefined) {
  void failEach(openSync(control, 'r+'), Number(process.argv[2])).then((outcome) =>
    process.stdout.write(JSON.stringify(outcome), () => process.exit(0)),
  );
}
