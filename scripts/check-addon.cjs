// Checks addons for Linux, by default the one built here and all of prebuilds/: which C libraries they load
// with, what else they need, and their size. --complete also wants every file of `targets`.
'use strict';
const { execFileSync } = require('node:child_process');
const { existsSync, readdirSync, statSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

// Node.js 20 itself needs glibc 2.28 and libstdc++ of GCC 8; no addon may need more. CONTRIBUTING.md tells what to do.
const newest = { GLIBC: '2.17', GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '7.0.0' };
const libraries = /^(ld-linux.*|libc|libm|libpthread|libgcc_s|libstdc\+\+|libc\.musl-.*)\.so(\.\d+)?$/;
const mostBytes = 1e6;
const machines = { x64: 'X86-64', arm64: 'AArch64', arm: 'ARM' };

// What a release has.
const targets = [
  ...['linux-x64', 'linux-arm64', 'linux-arm', 'linux-x64-musl', 'linux-arm64-musl'],
  ...['darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'],
];

const later = (a, b) => a.localeCompare(b, 'en', { numeric: true }) > 0;

/** Problems as text, and a line that sums up. */
function check(file) {
  const problems = [];
  const readelf = (...args) => execFileSync('readelf', ['--wide', ...args, file], { encoding: 'utf8' });
  const machine = /Machine: +(.*)/.exec(readelf('--file-header'))[1];
  const dynamic = readelf('--dynamic');
  const versions = {};
  for (const line of readelf('--dyn-syms').split('\n')) {
    const [, , , , , , section, name = ''] = line.trim().split(/\s+/);
    const [, symbol, library, version] = /^(.+)@([A-Z]+)_([\d.]+)$/.exec(name) ?? [];
    if (section !== 'UND' || symbol === undefined) continue;
    if (!versions[library] || later(version, versions[library])) versions[library] = version;
    if (!(library in newest) || later(version, newest[library])) {
      problems.push(`${symbol} is of ${library} ${version}, later than ${newest[library]}`);
    }
  }
  for (const [, library] of dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)) {
    if (!libraries.test(library)) problems.push(`it needs ${library}`);
  }
  if (/\(TEXTREL\)/.test(dynamic)) problems.push('its code is relocated when it is loaded');
  const arch = /prebuilds.linux-(x64|arm64|arm)\b/.exec(file)?.[1];
  if (arch && !machine.includes(machines[arch])) problems.push(`it is for ${machine}`);
  const bytes = statSync(file).size;
  if (bytes >= mostBytes) problems.push(`it has ${bytes} bytes`);
  const needs = Object.entries(versions).map(([library, version]) => `${library} ${version}`);
  return { problems, facts: [`${(bytes / 1000).toFixed(0)} kB`, machine, ...needs.sort()].join(', ') };
}

const root = path.resolve(__dirname, '..');
const { values, positionals } = parseArgs({
  options: { complete: { type: 'boolean', default: false } },
  allowPositionals: true,
});
process.chdir(root);
const prebuilt = (target) => `prebuilds/${target}/shufflenet.node`;
const found = existsSync('prebuilds') ? readdirSync('prebuilds') : [];
const files =
  positionals.length > 0
    ? positionals
    : ['build/Release/shufflenet.node', ...found.filter((target) => target.startsWith('linux-')).map(prebuilt)];
for (const file of files) {
  const { problems, facts } = check(file);
  console.log(`${problems.length === 0 ? 'ok     ' : 'FAILED '}${file}: ${facts}`);
  for (const problem of problems) console.log(`       ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
for (const target of values.complete ? targets.filter((target) => !existsSync(prebuilt(target))) : []) {
  console.log(`FAILED ${prebuilt(target)}: missing`);
  process.exitCode = 1;
}
