import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readNpy, writeNpy } from '../../lib/cli/npy';
import { failure } from '../weights/files';
import { fixture } from './command';

/** A file with any header, of `version` 1 (2 bytes of length), 2 or 3 (4 bytes). */
function npy(header: string, data: Uint8Array = new Uint8Array(0), version = 1): Buffer {
  const text = Buffer.from(header);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), length, text, data]);
}

const header = (shape: string, descr = "'<f4'", order = 'False') =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const values = new Uint8Array(new Float32Array([1.5, -2, 3, 4, 5, 6]).buffer);
const refuses = (bytes: Buffer, ...parts: string[]) =>
  assert.throws(() => readNpy(bytes, 'x.npy'), failure('ERR_INPUT', 'x.npy: ', ...parts));

describe('readNpy', () => {
  it("reads what numpy wrote, and writeNpy writes numpy's bytes", () => {
    const bytes = readFileSync(fixture('val8.logits.npy'));
    const { data, shape } = readNpy(bytes, 'val8');
    assert.deepEqual(shape, [8, 200]);
    assert.equal(data[1599], bytes.readFloatLE(bytes.length - 4));
    assert.deepEqual(writeNpy({ data, shape }), bytes);
    const input = readFileSync(fixture('chelsea.input.npy'));
    assert.deepEqual(writeNpy(readNpy(input, 'chelsea')), input);
  });

  it('reads every version, at any alignment, with keys in any order', () => {
    for (const version of [1, 2, 3]) {
      for (const padding of ['', ' ', '  ', '   ']) {
        const { data, shape } = readNpy(npy(header('(2, 3)') + padding, values, version), 'x.npy');
        assert.deepEqual(
          [[...data], shape],
          [
            [1.5, -2, 3, 4, 5, 6],
            [2, 3],
          ],
        );
      }
    }
    const turned = "{'shape': (6,), 'fortran_order': False, 'descr': '<f4'}";
    assert.deepEqual(readNpy(npy(turned, values), 'x.npy').shape, [6]);
    assert.deepEqual(readNpy(npy(header('()'), values.subarray(0, 4)), 'x.npy').shape, []);
    assert.deepEqual(readNpy(npy(header('(0, 3)')), 'x.npy').shape, [0, 3]);
  });

  it('gives back what writeNpy makes, of any shape', () => {
    for (const shape of [[], [6], [1, 6], [2, 3], [1, 1, 3, 2]]) {
      const length = shape.reduce((product, side) => product * side, 1);
      const data = new Float32Array([7, ...Array.from({ length }, (_, i) => i / 7)]).subarray(1);
      const bytes = writeNpy({ data, shape });
      assert.equal((bytes.length - 4 * length) % 64, 0);
      assert.deepEqual(readNpy(bytes, 'x.npy'), { data: data.slice(), shape });
    }
  });

  it('refuses other dtypes and orders, naming what it found', () => {
    const expected = "expected dtype '<f4' (little-endian float32), got ";
    for (const descr of ['<f8', '>f4', '=f4', '|u1', '<f2', '<i4']) {
      refuses(npy(header('(6,)', `'${descr}'`), values), `${expected}"${descr}"`);
    }
    refuses(npy(header('(6,)', "[('a', '<f4')]"), values), expected, '<f4');
    refuses(npy(header('(2, 3)', "'<f4'", 'True'), values), 'expected C order, got Fortran order');
  });

  it('refuses what is no .npy file, or not all of it', () => {
    refuses(Buffer.alloc(0), 'not a .npy file');
    refuses(Buffer.from('PK\x03\x04 a zip of arrays'), 'not a .npy file');
    refuses(npy(header('(6,)'), values, 4), 'expected .npy version 1, 2 or 3, got 4');
    refuses(npy(header('(6,)'), values).subarray(0, 40), 'truncated: the header ends at byte 68, the file at 40');
    refuses(npy(header('(6,)'), values.subarray(0, 20)), 'expected 24 bytes of data for shape [6], got 20');
    refuses(npy(header('(5,)'), values), 'expected 20 bytes of data for shape [5], got 24');
    refuses(npy(header('(99999999999, 99999999999)'), values), 'bytes of data for shape [99999999999, 99999999999]');
  });

  it('refuses a malformed header', () => {
    for (const text of [
      '',
      '{}',
      'x',
      '[]',
      'None',
      header('(6,)').replace('}', ''),
      header('6'),
      header('(-6,)'),
      header('(6.5,)'),
      header("('6',)"),
      header('(6,)', "'<f4'", '0'),
      header('(6,)').replace("'descr'", "'descry'"),
      header('(6,)').replace('{', "{'more': 1, "),
    ]) {
      refuses(npy(text, values), 'malformed header');
    }
  });
});
