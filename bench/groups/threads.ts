import { ours, oursTwice, race } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import type { ThreadsRow } from '../results';
import { ratios } from '../statistics';
import { milliseconds, short, Table } from '../table';

const networks = [
  { scale: 1, groups: 3 },
  { scale: 1, groups: 8 },
  { scale: 0.5, groups: 3 },
  { scale: 2, groups: 3 },
] as const;

/** Ours also with more threads than cores, which must not hurt. */
const threadCounts: Readonly<Record<string, readonly number[]>> = {
  [ours]: [1, 2, 4, 8],
  'onnxruntime-node': [1, 2],
  XNNPACK: [1, 2],
};

async function run({ files, effort, peer, row }: Context): Promise<object> {
  const rows: ThreadsRow[] = [];
  const table = new Table(['ms: median (fastest)', 'threads', 'time', 'speed-up'], 16, 36);
  for (const options of networks) {
    const label = networkName(options);
    if (!row(label)) continue;
    const job = await files.job(options, { batch: 1, height: 224, width: 224 }, 1);
    const names = Object.keys(threadCounts).filter((name) => name === ours || peer(name));
    const entrants = names.flatMap((contestant) =>
      threadCounts[contestant]!.map((threads) => ({
        name: `${contestant}, ${threads}`,
        contestant,
        job: { ...job, threads },
        images: 1,
      })),
    );
    entrants.push({ name: `${oursTwice}, 1`, contestant: oursTwice, job, images: 2 });
    const { times } = await race(entrants, effort);
    for (const { name, contestant, job, images } of entrants) {
      const time = times[name];
      const alone = times[`${images === 2 ? ours : contestant}, 1`];
      // Of the throughput, where two images are computed at once.
      const speedUp = time && alone && images * ratios(alone.rounds, time.rounds).median;
      rows.push({ label, contestant, threads: job.threads, images, speedUp: speedUp ?? null, time: time ?? null });
      const cells = time && speedUp ? [milliseconds(time), short(speedUp)] : ['absent'];
      table.row(`${label} ${contestant}`, String(job.threads), ...cells);
    }
  }
  return { height: 224, width: 224, unit: 'ms', rows };
}

export const group: Group = {
  name: 'threads',
  about: 'one image at 224x224 on several threads, more than there are cores included; two images at once',
  run,
};
