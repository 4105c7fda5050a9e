import path from 'node:path';
import { closeField, ours, oursSync, startField } from '../field';
import type { Context, Group } from '../group';
import { firstLine, residentBytes, root } from '../processes';
import { summarize } from '../statistics';
import { Table } from '../table';

const library = JSON.stringify(path.join(root, 'dist/lib'));
const bare = 'console.log(process.memoryUsage.rss())';
const loaded = `require(${library}).ShuffleNet.load().then(() => console.log(process.memoryUsage.rss()))`;
const labelled = `require(${library}).ShuffleNet.load()
  .then((model) => model.classify(${JSON.stringify(path.join(root, 'examples/chelsea.jpg'))}))
  .then(() => console.log(process.memoryUsage.rss()))`;

async function run({ files, effort, peer }: Context): Promise<object> {
  const job = await files.job({ scale: 1, groups: 3 }, { batch: 1, height: 224, width: 224 }, 1);
  const peers = ['onnxruntime-node', 'onnxruntime-web', 'tfjs wasm', 'XNNPACK'].filter(peer);
  const rounds: Record<string, number[]> = {};
  let absent: Record<string, string> = {};
  const add = (name: string, bytes: number) => (rounds[name] ??= []).push(bytes / 1e6);
  for (let round = 0; round < Math.min(effort.rounds, 5); round++) {
    const node = Number((await firstLine(bare)).line);
    add('bare Node', node);
    add('load(), over bare Node', Number((await firstLine(loaded)).line) - node);
    add('first label, over bare Node', Number((await firstLine(labelled)).line) - node);
    const field = await startField([ours, oursSync, ...peers].map((name) => ({ name, contestant: name, job })));
    for (const contestant of field.present) {
      await contestant.turn(effort.turn);
      add(`after runs: ${contestant.name}`, residentBytes(contestant.pid));
    }
    absent = field.absent;
    closeField(field);
  }
  const table = new Table(['MB', 'median', 'least'], 8, 36);
  const rows = Object.entries(rounds).map(([label, values]) => ({ label, summary: summarize(values), rounds: values }));
  for (const { label, summary } of rows) table.row(label, summary.median.toFixed(1), summary.minimum.toFixed(1));
  return { unit: 'MB', absent, rows };
}

export const group: Group = {
  name: 'memory',
  about: 'resident memory: with the default weights, and after runs of 1x-g3 at 224x224 (the whole process)',
  run,
};
