import { networkTable, type NetworkOptions } from '../../lib';
import { oursSync, race, type Entrant } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import { ratios } from '../statistics';
import { milliseconds, short, Table } from '../table';

type Shape = NetworkOptions & { scale: number; groups: 1 | 2 | 3 | 4 | 8; height: number; width: number };

const square = { height: 224, width: 224 };
/** The first of each is what the others are compared with, in the same rounds. */
const comparisons: readonly (readonly Shape[])[] = [
  ([1, 2, 3, 4, 8] as const).map((groups) => ({ scale: 1, groups, ...square })),
  [
    { scale: 1, groups: 3, ...square },
    { scale: 1, groups: 3, height: 480, width: 640 },
    { scale: 1, groups: 3, height: 720, width: 1280 },
  ],
];

async function run({ files, effort, row }: Context): Promise<object> {
  const rows: object[] = [];
  const table = new Table(['ms: median (fastest)', 'time', 'over the first', 'per multiply-add'], 16, 20);
  for (const shapes of comparisons) {
    const entrants: (Entrant & { multiplyAdds: number })[] = [];
    for (const { height, width, ...options } of shapes) {
      const name = `${networkName(options)}@${height}x${width}`;
      if (!row(name)) continue;
      const job = await files.job(options, { batch: 1, height, width }, 1);
      const { multiplyAdds } = networkTable(options, { height, width });
      entrants.push({ name, contestant: oursSync, job, multiplyAdds });
    }
    const { times } = await race(entrants, effort);
    for (const { name, multiplyAdds } of entrants) {
      const first = entrants[0]!;
      const time = times[name]!;
      const ratio = ratios(time.rounds, times[first.name]!.rounds);
      const perMultiplyAdd = (ratio.median * first.multiplyAdds) / multiplyAdds;
      rows.push({ label: name, over: first.name, multiplyAdds, ratio, perMultiplyAdd, time });
      table.row(name, milliseconds(time), short(ratio.median), short(perMultiplyAdd));
    }
  }
  return { threads: 1, batch: 1, unit: 'ms', rows };
}

export const group: Group = {
  name: 'shapes',
  about: 'ours against ours: other groups over g=1, larger images over 224x224, one thread, runSync()',
  run,
};
