// Puts the command where npx looks first. Without it the first `npx shufflenet` in a clone would install the clone into
// npm's cache, which builds everything a second time.
'use strict';
const { chmodSync, mkdirSync, rmSync, symlinkSync } = require('node:fs');
const path = require('node:path');

if (process.platform !== 'win32') {
  const root = path.resolve(__dirname, '..');
  const link = path.join(root, 'node_modules/.bin/shufflenet');
  mkdirSync(path.dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync('../../dist/lib/cli/main.js', link);
  chmodSync(path.join(root, 'dist/lib/cli/main.js'), 0o755);
}
