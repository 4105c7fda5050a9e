import { binding } from '../../lib/native/binding';
import { oursSync, race, ratiosTo } from '../field';
import type { Context, Group } from '../group';
import { networkName } from '../network-files';
import { networks } from '../networks';
import { milliseconds, short, Table } from '../table';

async function run({ files, effort, row }: Context): Promise<object> {
  const { available } = binding().backend();
  // The scalar core is a reference, not something to wait for.
  const [best, ...others] = available.filter((isa) => isa !== 'scalar' && !isa.endsWith('fp16'));
  if (best === undefined || others.length === 0) {
    console.log(`this CPU has ${available.join(', ')}: nothing to compare`);
    return { available, rows: [] };
  }
  const rows: object[] = [];
  const table = new Table(['ms: median (fastest)', best, ...others], 20);
  for (const options of networks) {
    const label = networkName(options);
    if (!row(label)) continue;
    const job = await files.job(options, { batch: 1, height: 224, width: 224 }, 1);
    const { times } = await race(
      [best, ...others].map((isa) => ({ name: isa, contestant: oursSync, job, isa })),
      effort,
    );
    const ratios = ratiosTo(best, times);
    rows.push({ label, ratios, times });
    const cell = (isa: string) => `${milliseconds(times[isa]!)} x${short(ratios[isa]!.median)}`;
    table.row(label, milliseconds(times[best]!), ...others.map(cell));
  }
  return { threads: 1, batch: 1, height: 224, width: 224, unit: 'ms', available, rows };
}

export const group: Group = {
  name: 'isa',
  about: 'instruction sets forced by SHUFFLENET_ISA, one thread; "x" is times as long as the best one',
  run,
};
