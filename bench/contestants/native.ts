import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ShuffleNet, type Tensor } from '../../lib';
import type { Job, Runner } from '../job';
import { inputFile, readFloats } from '../files';

async function loaded({ directory, network, batch, height, width, threads }: Job): Promise<[ShuffleNet, Tensor]> {
  const model = await ShuffleNet.load(path.join(directory, `${network}.safetensors`), { threads });
  const data = readFloats(path.join(directory, inputFile({ batch, height, width })));
  return [model, { data, shape: [batch, 3, height, width] }];
}

function version(model: ShuffleNet): string {
  const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../../package.json'), 'utf8'));
  return `${version} ${model.backend.isa}`;
}

/** As users call it: model.run(), which computes on the addon's threads. */
export async function load(job: Job): Promise<Runner> {
  const [model, tensor] = await loaded(job);
  const run = () => model.run(tensor);
  return { version: version(model), run, logits: async () => (await run()).data };
}

/** model.runSync(), on the calling thread. */
export async function loadSync(job: Job): Promise<Runner> {
  const [model, tensor] = await loaded(job);
  const run = () => model.runSync(tensor);
  return { version: version(model), run, logits: async () => run().data };
}

/** Two images at once: two calls of model.run(). */
export async function loadPair(job: Job): Promise<Runner> {
  const [model, tensor] = await loaded(job);
  const run = () => model.run(tensor);
  return { version: version(model), run: () => Promise.all([run(), run()]), logits: async () => (await run()).data };
}
