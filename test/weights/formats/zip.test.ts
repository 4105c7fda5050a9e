import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dict, pickle, six, tensor, torchZip } from './pickles';
import { read, refuses } from './stored';
import { makeZip, type ZipMember } from './zips';

const value = dict([['a', tensor()]]);
const member = (name: string, fields: Partial<ZipMember> = {}): ZipMember => ({ name, data: six, ...fields });
const refusesMember = (fields: Partial<ZipMember>, ...parts: string[]) =>
  refuses(makeZip([{ name: 'a/data.pkl', data: pickle(value) }, member('a/data/0', fields)]), ...parts);

describe('a zip file', () => {
  it('may have files that nobody asks for', async () => {
    const others = [
      member('a/version'),
      member('a/.data/serialization_id'),
      member('a/empty/', { data: new Uint8Array() }),
    ];
    assert.equal((await read(torchZip(value, others))).tensors.size, 1);
  });

  it('is refused when it is no weights file', async () => {
    await refuses(makeZip([member('readme.txt')]), "neither PyTorch's data.pkl nor NumPy's .npy files");
    await refuses(makeZip([member('deep/er/data.pkl')]), 'neither');
  });

  it('is refused when names lead out of a folder, repeat, or are too long', async () => {
    for (const name of ['../a', 'a/../../b', '/etc/passwd', 'c:/x', '..\\a', 'a\\b']) {
      await refuses(torchZip(value, [member(name)]), 'a damaged zip file: ', name.replace(/.*\.\..*/, '..'));
    }
    await refuses(torchZip(value, [member('a/data/0')]), 'two files "a/data/0"');
    await refuses(torchZip(value, [member('x'.repeat(301))]), 'is longer than 300');
    await refuses(
      torchZip(
        value,
        Array.from({ length: 4096 }, (_, i) => member(`a/${i}`)),
      ),
      'more than 4096 files',
    );
  });

  it('is refused when files lie on top of each other or beyond the end', async () => {
    await refuses(torchZip(value, [member('b', { offset: 0 })]), '"b" lies on top of "a/data.pkl"');
    await refusesMember({ offset: 0 }, '"a/data/0" lies on top of "a/data.pkl"');
    await refusesMember({ offset: 10 ** 9 }, 'a damaged zip file');
    await refusesMember({ offset: 4 }, 'invalid local file header signature');
    await refusesMember({ size: 2 ** 31, compressedSize: 2 ** 31 }, 'file data overflows file bounds');
    await refusesMember({ compressedSize: 23 }, 'size mismatch for stored file');
  });

  it('is refused when a file is not what its CRC is of, stored or deflated', async () => {
    for (const deflate of [false, true]) {
      await refusesMember({ deflate, crc: 0 }, '"a/data/0" has CRC ', 'expected 0: copy or download it again');
    }
    const sound = torchZip(value);
    const at = sound.indexOf(six);
    for (let bit = 0; bit < 8 * six.length; bit++) {
      const damaged = Buffer.from(sound);
      damaged[at + (bit >> 3)]! ^= 1 << (bit & 7);
      await refuses(damaged, '"a/data/0" has CRC ');
    }
  });

  it('is refused when a file is encrypted, or compressed by another method', async () => {
    await refusesMember({ flags: 1, compressedSize: 36 }, 'is encrypted');
    await refusesMember({ flags: 0x40 }, 'strong encryption is not supported');
    await refusesMember({ method: 12 }, 'compressed by method 12, expected stored or deflated');
  });

  it('is refused when a file inflates to more or less than it says, or than is allowed', async () => {
    await refusesMember({ deflate: true, size: 23 }, 'inflates to another size than 23');
    await refusesMember({ deflate: true, size: 25 }, 'inflates to another size than 25');
    await refusesMember({ deflate: true, size: 2 ** 31 }, 'cannot inflate to 2147483648');
    await refusesMember({ method: 8 }, 'cannot be inflated');
    const zeros = new Uint8Array(50 * 2 ** 20);
    await refusesMember({ data: zeros, deflate: true }, 'inflated, would take more than the 33554432 bytes allowed');
    await refusesMember({ data: zeros, deflate: true, size: 24 * 1024 }, 'cannot be inflated', '24577 bytes');
    const pickles = makeZip([{ name: 'a/data.pkl', data: zeros, deflate: true }]);
    await refuses(pickles, 'would take more than the 33554432 bytes allowed');
    // Many that are small enough each.
    const many = Array.from(
      { length: 5 },
      (_, i) => [`t${i}`, tensor({ key: `${i}`, length: 2.5e6, shape: [2.5e6], strides: [1] })] as const,
    );
    const bombs = many.map((_, i) => member(`a/data/${i}`, { data: zeros.subarray(0, 1e7), deflate: true }));
    const zip = makeZip([{ name: 'a/data.pkl', data: pickle(dict(many)) }, ...bombs]);
    await refuses(zip, '"a/data/3", inflated, would take more than the 33554432 bytes allowed');
  });
});
