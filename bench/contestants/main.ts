/** A JavaScript contestant's process: see contestant.ts. `node main.js KIND JOB` */
import { createInterface } from 'node:readline';
import { Absent, type Job, type Runner } from '../job';
import { turn } from '../turn';
import * as native from './native';
import * as onnxruntime from './onnxruntime';

const kinds: Readonly<Record<string, (job: Job) => Promise<Runner>>> = {
  native: native.load,
  nativeSync: native.loadSync,
  onnxruntimeNode: onnxruntime.loadNode,
  onnxruntimeWeb: onnxruntime.loadWeb,
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
