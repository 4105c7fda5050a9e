import { ours, oursSync, race, ratiosTo } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import { networks } from '../networks';
import type { NetworkRow } from '../results';
import { milliseconds, short, Table } from '../table';

const sizes = [
  { height: 224, width: 224 },
  { height: 480, width: 640 },
  { height: 720, width: 1280 },
];

/** The faster of these two is what the lead is over. */
const strongPeers = ['onnxruntime-node', 'XNNPACK'];
/** Many times slower, so only at 224x224. */
const slowPeers = ['onnxruntime-web', 'tfjs wasm', 'tfjs-node'];
/** Seconds a run. */
const slowestPeer = 'tfjs cpu';

async function run({ files, effort, peer, row }: Context): Promise<object> {
  const strong = strongPeers.filter(peer);
  const slow = slowPeers.filter(peer);
  const columns = [ours, oursSync, ...strong, ...slow];
  const rows: NetworkRow[] = [];
  const table = new Table(['ms: median (fastest)', ...columns, 'lead'], 18);
  for (const size of sizes) {
    for (const options of networks) {
      const label = `${networkName(options)}@${size.height}x${size.width}`;
      if (!row(label)) continue;
      const job = await files.job(options, { batch: 1, ...size }, 1);
      const names = size.height === 224 ? columns : [ours, oursSync, ...strong];
      const raced = await race(
        names.map((name) => ({ name, contestant: name, job })),
        effort,
      );
      const { times, absent } = raced;
      const ratios = ratiosTo(ours, times);
      const here = strong.filter((name) => name in ratios);
      const lead = least(here.map((name) => ratios[name]!.median));
      const leadOfFastest = least(here.map((name) => times[name]!.fastest / times[ours]!.fastest));
      rows.push({ label, ...options, ...size, lead, leadOfFastest, ratios, ...raced });
      const cells = columns.map((name) => {
        if (times[name] === undefined) return name in absent ? 'absent' : '';
        return milliseconds(times[name]) + (ratios[name] ? ` x${short(ratios[name].median)}` : '');
      });
      table.row(label, ...cells, lead === null ? '' : `${short(lead)} (${short(leadOfFastest!)})`);
    }
  }
  return { threads: 1, batch: 1, unit: 'ms', rows, slowest: await slowest(files, effort, peer, row) };
}

function least(values: readonly number[]): number | null {
  return values.length > 0 ? Math.min(...values) : null;
}

/** Few rounds: nothing here hangs on a percent. */
async function slowest(
  files: Context['files'],
  { rounds, turn }: Context['effort'],
  peer: Context['peer'],
  row: Context['row'],
): Promise<object | null> {
  const options = { scale: 1, groups: 3 } as const;
  const label = `${networkName(options)}@224x224`;
  if (!peer(slowestPeer) || !row(label)) return null;
  const job = await files.job(options, { batch: 1, height: 224, width: 224 }, 1);
  const raced = await race(
    [ours, slowestPeer].map((name) => ({ name, contestant: name, job })),
    { rounds: Math.min(rounds, 5), turn },
  );
  const ratios = ratiosTo(ours, raced.times);
  const time = raced.times[slowestPeer];
  if (time) console.log(`${label}, ${slowestPeer}: ${milliseconds(time)} x${short(ratios[slowestPeer]!.median)}`);
  return { label, ratios, ...raced };
}

export const group: Group = {
  name: 'networks',
  about: 'whole networks at batch 1, one thread, against the peers; "x" is times as long as ours, round by round',
  run,
};
