import { ShuffleNet, type NetworkOptions } from '../../lib';
import { buildGraph } from '../../lib/network/graph';
import { resolveNetwork } from '../../lib/network/table';
import type { Context, Group } from '../group';
import { median, summarize } from '../statistics';
import { short, Table } from '../table';
import { syncTurn, turn } from '../turn';
import { randomTensors, safetensors } from '../weights';

/** As small as it gets: beside a network of milliseconds, microseconds of a call would drown in noise. */
const options: NetworkOptions = { groups: 1, scale: 1 / 64, classes: 10 };
const size = { height: 32, width: 32 };

/** More images in one call take more of the plan's own time, and nothing else. */
const manyImages = 17;

/** What a call takes beyond the plan's own time. */
async function run({ effort }: Context): Promise<object> {
  const graph = buildGraph(resolveNetwork(options));
  const model = await ShuffleNet.load(safetensors(graph, randomTensors(graph, 1), options));
  const images = (n: number) => ({
    data: new Float32Array(n * 3 * size.height * size.width).fill(0.5),
    shape: [n, 3, size.height, size.width] as const,
  });
  const [one, many] = [images(1), images(manyImages)];
  const own: number[] = [];
  const run: number[] = [];
  const runSync: number[] = [];
  for (let round = -1; round < effort.rounds; round++) {
    const synchronous = median(syncTurn(() => model.runSync(one), effort.turn));
    const manySynchronous = median(syncTurn(() => model.runSync(many), effort.turn));
    const asynchronous = median(await turn(() => model.run(one), effort.turn));
    const milliseconds = (manySynchronous - synchronous) / (manyImages - 1);
    if (round < 0) continue;
    own.push(1000 * milliseconds);
    runSync.push(1000 * (synchronous - milliseconds));
    run.push(1000 * (asynchronous - milliseconds));
  }
  model.close();
  const table = new Table(['µs', 'median', 'fastest'], 8, 36);
  const rows = Object.entries({
    "the plan's own time": own,
    'runSync() beyond it': runSync,
    'run() beyond it': run,
  }).map(([label, rounds]) => ({ label, summary: summarize(rounds), rounds }));
  for (const { label, summary } of rows) table.row(label, short(summary.median), short(summary.minimum));
  return { unit: 'µs', options, ...size, rows };
}

export const group: Group = {
  name: 'calls',
  about: 'what run() and runSync() take beyond the time of the plan itself, on the smallest network',
  run,
};
