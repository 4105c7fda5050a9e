import path from 'node:path';
import { ours, race } from '../field';
import type { Context, Group } from '../group';
import { firstLine, root, untilLine } from '../processes';
import { summarize } from '../statistics';
import { short, Table } from '../table';

const quoted = (file: string) => JSON.stringify(path.join(root, file));
const photo = quoted('examples/chelsea.jpg');

/** Each prints one line, which ends its time. */
const bare = 'console.log(0)';
const decoder = `require(${quoted('node_modules/sharp')})(${photo}).resize(64).raw().toBuffer()
  .then((pixels) => console.log(pixels.length))`;
const label = `require(${quoted('dist/lib')}).ShuffleNet.load().then((model) => model.classify(${photo}, { topK: 1 }))
  .then(([best]) => console.log(best.label))`;
/** Prints what it measures itself: milliseconds of require() and of load() in a fresh process. */
const load = `const start = performance.now();
  const { ShuffleNet } = require(${quoted('dist/lib')});
  const required = performance.now();
  ShuffleNet.load().then(() => console.log(required - start, performance.now() - required))`;

/** Their processes are timed from spawn to the first logits of 1x-g3 at 224x224, the weights' file included. */
const peers: Readonly<Record<string, string>> = {
  [ours]: 'native',
  'onnxruntime-node': 'onnxruntimeNode',
  'onnxruntime-web': 'onnxruntimeWeb',
  'tfjs wasm': 'tfjsWasm',
};

async function run({ files, effort, peer }: Context): Promise<object> {
  const job = await files.job({ scale: 1, groups: 3 }, { batch: 1, height: 224, width: 224 }, 1);
  const names = Object.keys(peers).filter((name) => name === ours || peer(name));
  // Finds out who is here, and that they compute the same.
  const { absent } = await race(
    names.map((name) => ({ name, contestant: name, job })),
    { rounds: 1, turn: 1 },
  );
  const rounds: Record<string, number[]> = {};
  const add = (name: string, value: number) => (rounds[name] ??= []).push(value);
  const script = path.join(__dirname, '../contestants/main.js');
  for (let round = -1; round < effort.rounds; round++) {
    const node = (await firstLine(bare)).time;
    const decoded = (await firstLine(decoder)).time;
    const labelled = (await firstLine(label)).time;
    const [required, loaded] = (await firstLine(load)).line.split(' ').map(Number);
    const first: [name: string, time: number][] = [];
    for (const name of names) {
      if (name in absent) continue;
      const args = [script, peers[name]!, JSON.stringify(job)];
      first.push([name, (await untilLine(process.execPath, args, 2, 'logits\n')).time]);
    }
    // The first round fills the disk cache.
    if (round < 0) continue;
    add('bare Node', node);
    add('decoder alone', decoded);
    add('first label of a photo', labelled);
    add('first label, over the decoder', labelled - decoded);
    add('require()', required!);
    add('load() of the default weights', loaded!);
    for (const [name, time] of first) add(`first logits: ${name}`, time);
  }
  const table = new Table(['ms', 'median', 'fastest'], 8, 36);
  const rows = Object.entries(rounds).map(([label, values]) => ({ label, summary: summarize(values), rounds: values }));
  for (const { label, summary } of rows) table.row(label, short(summary.median), short(summary.minimum));
  return { unit: 'ms', absent, rows };
}

export const group: Group = {
  name: 'start',
  about: 'from process start to the first result; what the default weights take to load',
  run,
};
