import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { library, root, runScript } from './files';

const weights = path.join(root, 'weights/shufflenet-1x-g3-tiny-imagenet.safetensors');
const linux = process.platform === 'linux';

/** Megabytes of the process after the garbage is gone, read in a process of its own. */
const prelude = `
  const { setTimeout: sleep } = require('node:timers/promises');
  const { readFileSync } = require('node:fs');
  const megabytes = async () => {
    for (let i = 0; i < 4; i++) { gc(); await sleep(10); }
    return Number(/RssAnon:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
  };
  require('node:v8').setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
  const image = noise(1, 3, 32, 32);`;

/** `grown`: megabytes for ten more models; `each`: of weights, folded and packed, in one. */
function measure(load: string): { grown: number; each: number } {
  const { stdout, stderr, status } = runScript(`${prelude}
    const load = async (i) => { const model = ${load}; await model.run(image); return model; };
    const first = await load(0);
    const warm = await load(1);
    const before = await megabytes();
    const models = [];
    for (let i = 2; i < 12; i++) models.push(await load(i));
    console.log(JSON.stringify({ grown: await megabytes() - before, each: first.memory().weights / 2 ** 20 }));
    for (const model of [first, ...models, warm]) model.close();`);
  assert.deepEqual([stderr, status], ['', 0]);
  return JSON.parse(stdout) as { grown: number; each: number };
}

describe('models of the same file and network', { skip: !linux }, () => {
  it('share packed weights', () => {
    const { grown, each } = measure('await ShuffleNet.load()');
    assert.ok(each > 4, `${each} MB of weights`);
    assert.ok(grown < 0.4 * 10 * each, `ten models: ${grown} MB, of ${each} MB each`);
    const bytes = measure(`await ShuffleNet.load(readFileSync(${JSON.stringify(weights)}), { threads: 1 + i % 2 })`);
    assert.ok(bytes.grown < 0.4 * 10 * each, `ten models from bytes: ${bytes.grown} MB`);
  });

  it('and others do not, which shows that this is seen', () => {
    const { grown, each } = measure(
      'await ShuffleNet.load(undefined, { network: { variant: { batchNormEpsilon: 1e-5 + i * 1e-7 } } })',
    );
    assert.ok(grown > 0.6 * 10 * each, `ten models: ${grown} MB, of ${each} MB each`);
  });

  it('share them across worker threads', () => {
    const worker = `
      const { parentPort } = require('node:worker_threads');
      const { ShuffleNet } = require(${JSON.stringify(library)});
      const { digest, noise } = require(${JSON.stringify(path.join(__dirname, 'files.js'))});
      (async () => {
        let model;
        require('node:v8').setFlagsFromString('--expose-gc');
        const gc = require('node:vm').runInNewContext('gc');
        const kept = [];
        parentPort.on('message', async (what) => {
          if (what === 'load') kept.push(model = await ShuffleNet.load());
          gc();
          if (what === 'close') { for (const each of kept) each.close(); return parentPort.close(); }
          parentPort.postMessage(digest((await model.run(noise(1, 3, 32, 32))).data));
        });
        parentPort.postMessage('ready');
      })();`;
    // Workers and their modules cost megabytes themselves: the growth counts from their second model.
    const { stdout, stderr, status } = runScript(`${prelude}
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const model = await ShuffleNet.load();
      const expected = digest((await model.run(image)).data);
      const workers = Array.from({ length: 6 }, () => new Worker(${JSON.stringify(worker)}, { eval: true }));
      await Promise.all(workers.map((each) => once(each, 'message')));
      const ask = async (each, what) => { each.postMessage(what); return (await once(each, 'message'))[0]; };
      const answers = await Promise.all(workers.map((each) => ask(each, 'load')));
      const before = await megabytes();
      for (let i = 0; i < 3; i++) answers.push(...await Promise.all(workers.map((each) => ask(each, 'load'))));
      const grown = await megabytes() - before;
      const weights = model.memory().weights / 2 ** 20;
      // The first to load goes first, then the others one by one: who is left must still be right.
      model.close();
      while (workers.length > 0) {
        const [gone] = workers.splice(workers.length % 2 && workers.length - 1, 1);
        if (workers.length % 3 === 0) { await gone.terminate(); }
        else { gone.postMessage('close'); await once(gone, 'exit'); }
        for (const each of workers) answers.push(await ask(each, 'run'));
      }
      const again = digest((await (await ShuffleNet.load()).run(image)).data);
      const wrong = [...answers, again].filter((each) => each !== expected).length;
      console.log(JSON.stringify({ grown, weights, wrong }));`);
    assert.deepEqual([stderr, status], ['', 0]);
    const { grown, weights, wrong } = JSON.parse(stdout) as Record<'grown' | 'weights' | 'wrong', number>;
    assert.equal(wrong, 0);
    assert.ok(grown < 0.3 * 18 * weights, `18 models in six workers: ${grown} MB, of ${weights} MB each`);
  });

  it('may be closed in any order', () => {
    const { stdout, stderr, status } = runScript(`${prelude}
      const answers = new Set();
      for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]]) {
        const models = await Promise.all([1, 1, 2, 3].map((threads) => ShuffleNet.load(undefined, { threads })));
        for (const index of order) {
          for (const model of models) if (model) answers.add(digest((await model.run(image)).data));
          const running = models[index].run(image);
          models[index].close();
          delete models[index];
          answers.add(digest((await running).data));
        }
      }
      console.log(answers.size);`);
    assert.deepEqual([stderr, status, stdout], ['', 0, '1\n']);
  });
});
