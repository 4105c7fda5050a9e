// Builds the addon with node-gyp against the headers that came with this Node, so that nothing is downloaded.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');

const prefix = path.resolve(process.execPath, '..', '..');
const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'configure', 'build', '--jobs', '2', '--loglevel', 'warn'];
if (existsSync(path.join(prefix, 'include', 'node', 'common.gypi'))) args.push('--nodedir', prefix);
const { status } = spawnSync(process.execPath, args, { cwd: path.resolve(__dirname, '..'), stdio: 'inherit' });
process.exitCode = status ?? 1;
