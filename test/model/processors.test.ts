import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const library = path.join(__dirname, '../../lib');
const program = `require(${JSON.stringify(library)}).ShuffleNet.load().then((m) => console.log(m.backend.processors));`;

describe('processors', { skip: process.platform !== 'linux' }, () => {
  it('are those that the process may use, not those that there are', () => {
    const [first] = /(?<=Cpus_allowed_list:\s*)\d+/.exec(readFileSync('/proc/self/status', 'utf8'))!;
    const { stdout, stderr } = spawnSync('taskset', ['-c', first, process.execPath, '-e', program], {
      encoding: 'utf8',
    });
    assert.deepEqual([stdout, stderr], ['1\n', '']);
  });
});
