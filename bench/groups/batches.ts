import { ours, oursSync, race } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import type { BatchRow } from '../results';
import { ratios } from '../statistics';
import { milliseconds, short, Table } from '../table';

const batches = [1, 8, 32];
const networks = [
  { scale: 1, groups: 3 },
  { scale: 0.5, groups: 3 },
] as const;

/** All batches and contestants of a network take turns in the same rounds. */
async function run({ files, effort, peer, row }: Context): Promise<object> {
  const rows: BatchRow[] = [];
  const table = new Table(['ms: median (fastest)', 'batch', 'time', 'images/s', 'over n x batch 1'], 16, 36);
  for (const options of networks) {
    const label = networkName(options);
    if (!row(label)) continue;
    const names = [oursSync, ours, ...['onnxruntime-node', 'XNNPACK'].filter(peer)];
    const entrants = [];
    for (const batch of batches) {
      const job = await files.job(options, { batch, height: 224, width: 224 }, 1);
      for (const contestant of names) entrants.push({ name: `${contestant} x${batch}`, contestant, batch, job });
    }
    const raced = await race(entrants, effort);
    const { times } = raced;
    for (const { name, contestant, batch } of entrants) {
      const time = times[name];
      const cost = time && ratios(time.rounds, times[`${contestant} x1`]!.rounds).median / batch;
      const rate = time && (1000 * batch) / time.summary.median;
      rows.push({ label, contestant, batch, imagesPerSecond: rate ?? null, cost: cost ?? null, time: time ?? null });
      const who = `${label} ${contestant}${contestant === ours ? ', all cores' : ''}`;
      if (time) table.row(who, String(batch), milliseconds(time), short(rate!), short(cost!));
      else table.row(who, String(batch), 'absent');
    }
  }
  return { threads: 1, height: 224, width: 224, unit: 'ms', rows };
}

export const group: Group = {
  name: 'batches',
  about:
    'batches of 1, 8 and 32 images at 224x224, one thread; run() spreads a batch over all cores, runSync() does not',
  run,
};
