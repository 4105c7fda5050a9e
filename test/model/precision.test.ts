import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShuffleNet } from '../../lib';
import { binding } from '../../lib/native/binding';
import { failure } from '../weights/files';
import { digest, noise, runScript } from './files';

const { available } = binding().backend();
const halves = available.find((isa) => isa.endsWith('fp16'));

describe('precision', () => {
  it('is float32 where nothing else is asked for', async () => {
    const { isa, precision } = (await ShuffleNet.load()).backend;
    const best = process.env['SHUFFLENET_ISA'] || available.find((isa) => !isa.endsWith('fp16'));
    assert.deepEqual([precision, isa], ['fp32', best]);
  });

  it('is what the CPU can, and the backend tells', async () => {
    const [single, half] = [await ShuffleNet.load(), await ShuffleNet.load(undefined, { precision: 'fp16' })];
    const expected = halves === undefined ? ['fp32', single.backend.isa] : ['fp16', halves];
    assert.deepEqual([half.backend.precision, half.backend.isa], expected);
    const image = noise(1, 3, 64, 64);
    const same = digest((await half.run(image)).data) === digest((await single.run(image)).data);
    assert.equal(same, halves === undefined);
  });

  it('gives way to a lesser instruction set that is forced', () => {
    const { stdout, stderr } = runScript(
      `const { backend } = await ShuffleNet.load(undefined, { precision: 'fp16' });
      console.log(backend.isa, backend.precision);`,
      { SHUFFLENET_ISA: 'scalar' },
    );
    assert.deepEqual([stderr, stdout], ['', 'scalar fp32\n']);
  });

  it('is refused where it is neither', async () => {
    for (const precision of ['fp64', 'FP16', 16, null, true]) {
      await assert.rejects(
        ShuffleNet.load(undefined, { precision } as never),
        failure('ERR_OPTION', "precision: expected 'fp32' or 'fp16', got"),
      );
    }
  });
});
