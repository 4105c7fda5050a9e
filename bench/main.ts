/**
 * npm run bench -- [GROUP ...] [options]: measures, prints tables and writes JSON. docs/benchmarks.md tells what the
 * numbers mean.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Context, Group } from './group';
import { group as batches } from './groups/batches';
import { group as calls } from './groups/calls';
import { group as isa } from './groups/isa';
import { group as kernels } from './groups/kernels';
import { group as layers } from './groups/layers';
import { group as memory } from './groups/memory';
import { group as networks } from './groups/networks';
import { group as size } from './groups/size';
import { group as start } from './groups/start';
import { group as threads } from './groups/threads';
import { commit, machine, noise } from './machine';
import { NetworkFiles } from './network-files';

const groups: readonly Group[] = [networks, layers, kernels, batches, threads, isa, calls, start, memory, size];

const usage = `npm run bench -- [GROUP ...] [options]

Groups (default: all):
${groups.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}

Options:
  --rounds N      rounds in which all contestants take their turn (default 25)
  --turn MS       a contestant's turn (default 100)
  --quick         5 rounds of 30 ms
  --only LIST     only these rows: --only 1x-g3@224x224,2x-g3
  --peers LIST    only these peers: --peers XNNPACK,onnxruntime-node, or --peers none
  --json FILE     results go there; without it, a run of everything writes bench/results/<date>-<cpu>-<isa>.json
`;

function list(text: string | undefined): string[] | undefined {
  return text?.split(',').map((word) => word.trim());
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new RangeError(`--${name} takes a whole number above 0, not ${text}`);
  return Number(text);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      turn: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const unknown = positionals.find((name) => !groups.some((group) => group.name === name));
  if (unknown !== undefined) throw new RangeError(`no group is named ${unknown}\n\n${usage}`);
  const only = list(values.only);
  const peers = list(values.peers);
  const context: Context = {
    files: new NetworkFiles(),
    effort: {
      rounds: wholeNumber('rounds', values.rounds ?? (values.quick ? '5' : '25')),
      turn: wholeNumber('turn', values.turn ?? (values.quick ? '30' : '100')),
    },
    peer: (name) => peers === undefined || peers.includes(name),
    row: (label) => {
      const parts = label.split('@');
      return only === undefined || only.some((word) => word.split('@').every((part) => parts.includes(part)));
    },
  };

  const date = new Date().toISOString();
  const where = machine();
  console.log(`${where.cpu}, ${where.cores} cores, ${where.isa}, Node ${where.node}, commit ${commit()}`);
  const results: Record<string, object> = {};
  for (const group of groups) {
    if (positionals.length > 0 && !positionals.includes(group.name)) continue;
    console.log(`\n${group.name}: ${group.about}`);
    const before = noise();
    const result = await group.run(context);
    results[group.name] = { ...context.effort, noise: [before, noise()], ...result };
  }

  const everything = positionals.length === 0 && !values.quick && only === undefined && peers === undefined;
  const name = `${date.slice(0, 10)}-${where.cpu}-${where.isa}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const file = values.json ?? (everything ? path.join(__dirname, '../../bench/results', `${name}.json`) : undefined);
  if (file === undefined) return;
  mkdirSync(path.dirname(file), { recursive: true });
  const json = { date, commit: commit(), machine: where, groups: results };
  writeFileSync(file, `${JSON.stringify(json, null, 1)}\n`);
  console.log(`\nwritten: ${file}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = 1;
});
