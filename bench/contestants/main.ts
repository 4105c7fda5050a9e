/** A JavaScript contestant's process: see contestant.ts. `node main.js KIND JOB` */
import { createInterface } from 'node:readline';
import { Absent, type Job, type Runner } from '../job';
import { turn } from '../turn';

/** Loaded when they are wanted: the time from process start to first result counts. */
const native = () => import('./native.js');
const onnxruntime = () => import('./onnxruntime.js');
const tfjs = () => import('./tfjs.js');

const kinds: Readonly<Record<string, (job: Job) => Promise<Runner>>> = {
  native: async (job) => (await native()).load(job),
  nativeSync: async (job) => (await native()).loadSync(job),
  nativePair: async (job) => (await native()).loadPair(job),
  onnxruntimeNode: async (job) => (await onnxruntime()).loadNode(job),
  onnxruntimeWeb: async (job) => (await onnxruntime()).loadWeb(job),
  tfjsWasm: async (job) => (await tfjs()).loadWasm(job),
  tfjsCpu: async (job) => (await tfjs()).loadCpu(job),
  tfjsNode: async (job) => (await tfjs()).loadNode(job),
};

async function main(): Promise<void> {
  const [kind = '', job = '{}'] = process.argv.slice(2);
  let runner: Runner;
  try {
    runner = await kinds[kind]!(JSON.parse(job) as Job);
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    console.log(`absent ${error.message}`);
    return;
  }
  console.log(`ready ${runner.version}`);
  for await (const line of createInterface(process.stdin)) {
    const [command, budget] = line.split(' ');
    const numbers = command === 'turn' ? await turn(runner.run, Number(budget)) : await runner.logits();
    console.log(Array.from(numbers).join(' '));
  }
}

void main();
