import { closeField, ours, oursSync, race, ratiosTo, startField } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import { networks } from '../networks';
import { milliseconds, short, Table } from '../table';

const sizes = [
  { height: 224, width: 224 },
  { height: 480, width: 640 },
  { height: 720, width: 1280 },
];

/** The target's yardstick: the faster of these two. */
const strongPeers = ['onnxruntime-node', 'XNNPACK'];
/** Many times slower, so only at 224x224. */
const slowPeers = ['onnxruntime-web'];

async function run({ files, effort, peer, row }: Context): Promise<object> {
  const rows: object[] = [];
  const strong = strongPeers.filter(peer);
  const slow = slowPeers.filter(peer);
  const table = new Table(['ms: median (fastest)', ...[ours, oursSync, ...strong, ...slow], 'lead'], 15, 20);
  for (const { height, width } of sizes) {
    for (const options of networks) {
      const label = `${networkName(options)}@${height}x${width}`;
      if (!row(label)) continue;
      const image = { batch: 1, height, width };
      files.input(image);
      const job = { directory: files.directory, network: files.network(options), ...image, threads: 1 };
      const names = [ours, oursSync, ...strong, ...(height === 224 ? slow : [])];
      const field = await startField(names, job);
      try {
        const times = await race(field.present, effort);
        const ratios = ratiosTo(ours, times);
        const lead = Math.min(...strong.map((name) => ratios[name]?.median ?? Infinity));
        const versions = Object.fromEntries(field.present.map(({ name, version }) => [name, version]));
        rows.push({ label, ...options, height, width, lead, ratios, versions, absent: field.absent, times });
        const cells = [ours, oursSync, ...strong, ...slow].map((name) => {
          if (times[name] === undefined) return name in field.absent ? 'absent' : '';
          return milliseconds(times[name]) + (ratios[name] ? ` x${short(ratios[name].median)}` : '');
        });
        table.row(label, ...cells, Number.isFinite(lead) ? short(lead) : '');
      } finally {
        closeField(field);
      }
    }
  }
  return { threads: 1, batch: 1, unit: 'ms', rows };
}

export const group: Group = {
  name: 'networks',
  about: 'whole networks at batch 1, one thread, against the peers',
  run,
};
