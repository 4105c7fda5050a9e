import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { binding } from '../../lib/native/binding';
import { Impossible } from '../reference/network';
import { assertClose, expected } from './compare';
import { cases, type Report } from './isa-child';

const child = async (isa: string, ...args: string[]): Promise<string> => {
  const env = { ...process.env, SHUFFLENET_ISA: isa };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 2 ** 28 });
  return stdout;
};

describe('every instruction set of this CPU', () => {
  const wanted = [...cases()].map(({ name, graph, tensors, images }) => {
    const values = expected(graph, tensors, images);
    return values instanceof Impossible ? assert.fail(`${name}: ${values.message}`) : { name, values, n: images.n };
  });

  // What halves give is for test/native/model and test/model/reference.
  for (const isa of binding()
    .backend()
    .available.filter((isa) => !isa.endsWith('fp16'))) {
    it(`${isa} equals the reference`, async () => {
      const report = JSON.parse(await child(isa, path.join(__dirname, 'isa-child.js'), 'report')) as Report;
      assert.equal(report.isa, isa);
      assert.equal(report.outputs.length, wanted.length);
      report.outputs.forEach((output, i) => {
        const { name, values, n } = wanted[i]!;
        assertClose(output, values, n, `${isa} ${name}`);
      });
    });
  }

  it('a wrong name is refused with a code', async () => {
    const script = `
      const { binding } = require(${JSON.stringify(path.join(__dirname, '../../lib/native/binding.js'))});
      const code = (f) => { try { f(); return 'none'; } catch (error) { return error.code; } };
      console.log(code(() => binding().backend()), code(() => binding().createModel(0, {}, {}, { threads: 1 })));`;
    assert.equal((await child('no-such-set', '-e', script)).trim(), 'ERR_ISA ERR_ISA');
  });
});
