import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ShuffleNet } from '../../lib';
import { failure, smallOptions, smallTensors, writeSafetensors } from '../weights/files';
import { digest, example, library, noise, root, runScript } from './files';

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-model-'));
after(() => rmSync(folder, { recursive: true }));

const weights = path.join(root, 'weights/shufflenet-1x-g3-tiny-imagenet.safetensors');

describe('load', () => {
  it('takes the default weights, a path, a URL or bytes to the same network', async () => {
    const expected = digest((await (await ShuffleNet.load()).run(noise(1, 3, 32, 32))).data);
    const bytes = readFileSync(weights);
    for (const source of [weights, pathToFileURL(weights), bytes, new Uint8Array(bytes)]) {
      const model = await ShuffleNet.load(source);
      assert.equal(digest((await model.run(noise(1, 3, 32, 32))).data), expected);
    }
  });

  it('says what was loaded and what will run it', async () => {
    const model = await ShuffleNet.load(undefined, { threads: 2 });
    const { groups, scale, classes, stages } = model.network;
    assert.deepEqual([groups, scale, classes, stages[2].units[0]!.out], [3, 1, 200, 960]);
    assert.deepEqual([model.labels!.length, model.labels![32]], [200, 'Egyptian cat']);
    assert.deepEqual(model.preprocess.crop, { width: 64, height: 64 });
    assert.equal(model.backend.threads, Math.min(2, model.backend.processors));
    assert.ok(model.backend.available.includes(model.backend.isa));
    assert.equal(model.backend.available.at(-1), 'scalar');
    assert.equal((await ShuffleNet.load()).backend.threads, 1);
  });

  it('lets options win over the file', async () => {
    const labels = Array.from({ length: 200 }, (_, i) => `name ${i}`);
    const preprocess = { resize: { shorterSide: 96, kernel: 'linear' }, crop: { width: 80, height: 64 } } as const;
    const model = await ShuffleNet.load(weights, { labels, preprocess });
    assert.deepEqual(model.preprocess.crop, { width: 80, height: 64 });
    assert.match((await model.classify(example('coffee.jpg')))[0]!.label, /^name \d+$/);
  });

  it('refuses wrong options', async () => {
    for (const threads of [0, 1.5, -1, 1025, '2', null]) {
      await assert.rejects(
        ShuffleNet.load(undefined, { threads } as never),
        failure('ERR_OPTION', 'threads: expected an integer from 1 to 1024'),
      );
    }
    await assert.rejects(ShuffleNet.load(undefined, { limitPixels: 0 }), failure('ERR_OPTION', 'limitPixels'));
    await assert.rejects(ShuffleNet.load(undefined, { thread: 1 } as never), failure('ERR_OPTION', 'thread: no such'));
    await assert.rejects(ShuffleNet.load(undefined, null as never), failure('ERR_OPTION', 'options'));
    await assert.rejects(ShuffleNet.load(5 as never), failure('ERR_OPTION', 'weights must be a path'));
    await assert.rejects(ShuffleNet.load(undefined, { labels: ['a'] }), failure('ERR_OPTION', '1 names for 200'));
    const network = { ...smallOptions, scale: 0.001, stemChannels: 3 };
    await assert.rejects(
      ShuffleNet.load(writeSafetensors(smallTensors()), { network }),
      failure('ERR_NETWORK', 'stage 2, unit 0: gconv2 would make'),
    );
  });

  it('refuses wrong files', async () => {
    await assert.rejects(ShuffleNet.load('missing.safetensors'), failure('ERR_FILE', 'missing.safetensors'));
    await assert.rejects(ShuffleNet.load(example('coffee.jpg')), failure('ERR_WEIGHTS_FORMAT', 'header'));
    const tensors = smallTensors();
    tensors.delete('stage2.0.gconv1.bn.bias');
    await assert.rejects(
      ShuffleNet.load(writeSafetensors(tensors), { network: smallOptions }),
      failure('ERR_WEIGHTS_TENSOR', '"stage2.0.gconv1.bn.bias" is missing'),
    );
    const broken = smallTensors();
    broken.get('fc.bias')!.bytes = new Uint8Array(new Float32Array([0, NaN, 0]).buffer);
    await assert.rejects(
      ShuffleNet.load(writeSafetensors(broken), { network: smallOptions }),
      failure('ERR_WEIGHTS_VALUE', "<bytes>: tensor 'fc.bias' holds NaN at index 1"),
    );
  });

  it('names the instruction sets there are when SHUFFLENET_ISA names none, with the stack of the call', () => {
    const { status, stdout, stderr } = runScript(
      `const loadHere = async () => { await ShuffleNet.load(); };
      await loadHere().catch((error) => {
        console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message, stack: error.stack,
          cause: error.cause.message }));
      });`,
      { SHUFFLENET_ISA: 'nonsense' },
    );
    assert.equal(status, 0, stderr);
    const error = JSON.parse(stdout) as Record<'name' | 'code' | 'message' | 'stack' | 'cause', string>;
    assert.deepEqual([error.name, error.code], ['ShuffleNetError', 'ERR_ISA']);
    assert.match(error.message, /^SHUFFLENET_ISA is 'nonsense', but this CPU and build have: .*scalar$/);
    assert.equal(error.cause, error.message);
    assert.match(error.stack, /at async loadHere/);
  });

  it('says how to get the addon where it is missing', () => {
    cpSync(path.join(root, 'dist/lib'), path.join(folder, 'dist/lib'), { recursive: true });
    cpSync(path.join(root, 'weights'), path.join(folder, 'weights'), { recursive: true });
    const { stdout, stderr } = runScript(
      'await ShuffleNet.load().catch(({ code, message }) => console.log(code, message));',
      {},
      path.join(folder, 'dist/lib/index.js'),
    );
    assert.equal(stderr, '');
    assert.match(stdout, /^ERR_NATIVE no native addon of .* loads on .*shufflenet\.node: not built here; .*Remedy: /);
  });
});

describe('close', () => {
  it('lets calls under way finish, refuses later ones, and may come twice', async () => {
    const model = await ShuffleNet.load();
    const image = noise(1, 3, 256, 256);
    const expected = await model.run(image);
    const best = (await model.classify(example('chelsea.jpg')))[0];
    assert.ok(model.memory().weights > 1_000_000 && model.memory().arenas > 0);

    const runs = [model.run(image), model.run(image), model.run(image), model.run(image), model.run(image)];
    const photos = model.classify([example('chelsea.jpg'), example('coffee.jpg'), example('chelsea.jpg')]);
    model.close();
    model.close();
    await assert.rejects(model.run(image), failure('ERR_CLOSED', 'the model is closed'));
    await assert.rejects(model.classify(example('chelsea.jpg')), failure('ERR_CLOSED'));
    for (const run of runs) assert.deepEqual(await run, expected);
    assert.deepEqual((await photos)[2]![0], best);

    model.close();
    assert.deepEqual(model.memory(), { weights: 0, arenas: 0 });
    assert.equal(model.network.classes, 200);
  });

  it('gives memory back at once when nothing runs', async () => {
    const model = await ShuffleNet.load();
    await model.run(noise(1, 3, 32, 32));
    model.close();
    assert.deepEqual(model.memory(), { weights: 0, arenas: 0 });
  });
});

describe('memory', () => {
  const skip = process.platform !== 'linux';
  it('is reported as an error when there is too little, and the model still works', { skip }, () => {
    // The limit leaves room for V8, but not for the 100 MB of activations of 2048x2048. Those of smaller images may fit
    // into the 64 MB of addresses that malloc has reserved for the thread, which count already.
    const { status, stdout, stderr } = runScript(`
      const { execFileSync } = require('node:child_process');
      const { readFileSync } = require('node:fs');
      const model = await ShuffleNet.load();
      const image = noise(1, 3, 2048, 2048);
      const small = noise(1, 3, 32, 32);
      await model.run(small);
      const kilobytes = /VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
      execFileSync('prlimit', ['--pid', process.pid, '--as=' + (kilobytes * 1024 + 2 ** 25)]);
      const runHere = async () => { await model.run(image); };
      await runHere().catch(({ code, message, stack }) => console.log(code, message, /async runHere/.test(stack)));
      console.log((await model.run(small)).shape.join());`);
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal(stdout, 'ERR_MEMORY out of memory for weights or activations true\n1,200\n');
  });
});

describe('worker threads', () => {
  const prelude = `
    const { parentPort } = require('node:worker_threads');
    const { ShuffleNet } = require(${JSON.stringify(library)});
    const { digest, noise } = require(${JSON.stringify(path.join(__dirname, 'files.js'))});`;

  it('several at once, each with a model of its own, agree', async () => {
    const model = await ShuffleNet.load();
    const expected = digest((await model.run(noise(2, 3, 64, 96))).data);
    const workers = Array.from(
      { length: 4 },
      (_, i) =>
        new Worker(
          `${prelude}
      (async () => {
        const model = await ShuffleNet.load(undefined, { threads: ${1 + (i % 2)} });
        for (let i = 0; i < 3; i++) parentPort.postMessage(digest((await model.run(noise(2, 3, 64, 96))).data));
      })();`,
          { eval: true },
        ),
    );
    await Promise.all(
      workers.map(async (worker) => {
        const received: string[] = [];
        worker.on('message', (value: string) => received.push(value));
        assert.deepEqual(await once(worker, 'exit'), [0]);
        assert.deepEqual(received, [expected, expected, expected]);
      }),
    );
  });

  it('may be terminated in the middle of runs', async () => {
    for (const threads of [1, 2, 1, 2]) {
      const worker = new Worker(
        `${prelude}
        (async () => {
          const model = await ShuffleNet.load(undefined, { threads: ${threads} });
          const image = noise(1, 3, 512, 512);
          for (;;) {
            const runs = [model.run(image), model.run(image), model.run(image)];
            parentPort.postMessage('running');
            await Promise.all(runs);
          }
        })();`,
        { eval: true },
      );
      await once(worker, 'message');
      assert.equal(await worker.terminate(), 1);
    }
    const model = await ShuffleNet.load();
    assert.equal((await model.classify(example('coffee.jpg')))[0]!.label, 'espresso');
  });

  it('and processes may exit in the middle of runs', () => {
    for (const threads of [1, 2]) {
      const { status, signal, stderr } = runScript(`
        const model = await ShuffleNet.load(undefined, { threads: ${threads} });
        for (let i = 0; i < 6; i++) model.run(noise(1, 3, 512, 512));
        setTimeout(() => process.exit(7), 5);`);
      assert.deepEqual([status, signal, stderr], [7, null, '']);
    }
  });
});
