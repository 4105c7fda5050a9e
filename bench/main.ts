/**
 * npm run bench -- [GROUP ...] [options]: measures, prints tables and writes JSON. docs/benchmarks.md tells what the
 * numbers mean.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { peerNames } from './field';
import type { Group } from './group';
import { group as batches } from './groups/batches';
import { group as calls } from './groups/calls';
import { group as isa } from './groups/isa';
import { group as kernels } from './groups/kernels';
import { group as layers } from './groups/layers';
import { group as memory } from './groups/memory';
import { group as networks } from './groups/networks';
import { group as shapes } from './groups/shapes';
import { group as size } from './groups/size';
import { group as start } from './groups/start';
import { group as threads } from './groups/threads';
import { commit, machine, noise, type Machine } from './machine';
import { NetworkFiles } from './network-files';
import { parseOptions, usage } from './options';
import { root } from './processes';
import type { Results } from './results';

const groups: readonly Group[] = [networks, shapes, layers, kernels, batches, threads, isa, calls, start, memory, size];

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), groups, peerNames);
  if (options === 'help') {
    console.log(usage(groups));
    return;
  }
  const { chosen, effort, everything, json } = options;
  const context = { files: new NetworkFiles(), effort, peer: options.peer, row: options.row };

  const revision = commit();
  const where = machine();
  console.log(`${where.cpu}, ${where.cores} cores, ${where.isa}, Node ${where.node}, commit ${revision}`);
  const results: Record<string, object> = {};
  for (const group of groups.filter(({ name }) => chosen.includes(name))) {
    console.log(`\n${group.name}: ${group.about}`);
    const before = noise();
    const result = await group.run(context);
    results[group.name] = {
      date: new Date().toISOString(),
      commit: revision,
      ...effort,
      noise: [before, noise()],
      ...result,
    };
  }

  const name = `${new Date().toISOString().slice(0, 10)}-${where.cpu}-${where.isa}`.toLowerCase();
  const standard = path.join(root, 'bench/results', `${name.replace(/[^a-z0-9]+/g, '-')}.json`);
  const file = json ?? (everything ? standard : undefined);
  if (file === undefined) return;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ machine: where, groups: { ...earlier(file, where), ...results } }, null, 1)}\n`,
  );
  console.log(`\nwritten: ${file}`);
}

/** Groups that a results file has already, so that a long run can be made in parts. */
function earlier(file: string, where: Machine): object {
  if (!existsSync(file)) return {};
  const { machine, groups } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  if (JSON.stringify(machine) !== JSON.stringify(where)) throw new RangeError(`${file} is of another machine`);
  return groups;
}

main().catch((error: unknown) => {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = 1;
});
