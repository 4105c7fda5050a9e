// Builds and runs the C++ tests.
//   node scripts/test-native.cjs                       with node-gyp and the addon's flags: no CMake needed
//   node scripts/test-native.cjs --sanitize[=thread]   with CMake under ASan and UBSan, or TSan
//   node scripts/test-native.cjs --arch=arm64|arm      cross-built with CMake, a tenth of the cases, run by QEMU as the
//                                                      CPU that QEMU_CPU names
// --only=NAME runs NAME_test alone; --verbose prints every promise, not only those that were broken.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const root = path.resolve(__dirname, '..');
const arches = {
  arm64: { toolchain: 'aarch64', run: 'qemu-aarch64', cpu: 'cortex-a72' },
  arm: { toolchain: 'armv7', run: 'qemu-arm', cpu: 'cortex-a7' },
};

// Runs a program that must succeed; what it prints is shown only if it doesn't.
function must(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${command} ${args.join(' ')}: ${error?.message ?? 'failed'}\n`);
  process.exit(1);
}

// With node-gyp, against the headers that came with this Node where there are any. Returns the programs' directory.
function buildWithGyp() {
  const args = [
    require.resolve('node-gyp/bin/node-gyp.js'),
    'configure',
    'build',
    '--directory=test/native',
    '--jobs=2',
  ];
  const prefix = path.resolve(process.execPath, '..', '..');
  if (existsSync(path.join(prefix, 'include', 'node', 'common.gypi'))) args.push('--nodedir', prefix);
  must(process.execPath, args);
  return path.join(root, 'test/native/build/Release');
}

function buildWithCMake(name, settings) {
  const directory = path.join(root, `build-native-${name}`);
  must('cmake', ['-S', root, '-B', directory, ...settings]);
  must('cmake', ['--build', directory, '--parallel', '2']);
  return directory;
}

// Every source belongs to a list of native.gypi, or one of the builds lacks it.
function unlisted() {
  const listed = readFileSync(path.join(root, 'native/native.gypi'), 'utf8');
  return readdirSync(path.join(root, 'native'), { recursive: true })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.endsWith('.cc') && !listed.includes(`'${file}'`));
}

const { values } = parseArgs({
  options: {
    arch: { type: 'string' },
    sanitize: { type: 'string' },
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
  args: process.argv.slice(2).map((arg) => (arg === '--sanitize' ? '--sanitize=address,undefined' : arg)),
});
const total = { passed: 0, failed: 0, skipped: 0 };

const missing = unlisted();
if (missing.length > 0) console.log(`FAILED native/native.gypi lists every source: not ${missing.join(', ')}`);
total[missing.length > 0 ? 'failed' : 'passed']++;

const env = { ...process.env };
let directory;
let prefix = [];
const args = [];
if (values.arch !== undefined) {
  const arch = arches[values.arch];
  if (!arch) throw new Error(`--arch is ${Object.keys(arches).join(' or ')}, not '${values.arch}'`);
  env.QEMU_CPU ??= arch.cpu;
  console.log(`${values.arch} as ${env.QEMU_CPU}`);
  directory = buildWithCMake(values.arch, [
    `-DCMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake', `${arch.toolchain}.cmake`)}`,
    '-DSHUFFLENET_STATIC=ON',
  ]);
  prefix = [arch.run];
  args.push('--one-in=10');
} else if (values.sanitize !== undefined) {
  directory = buildWithCMake(`sanitize-${values.sanitize.replace(',', '-')}`, [
    `-DSHUFFLENET_SANITIZE=${values.sanitize}`,
  ]);
} else {
  directory = buildWithGyp();
}

for (const file of readdirSync(path.join(root, 'test/native')).filter((file) =>
  file.endsWith(`${values.only ?? ''}_test.cc`),
)) {
  const name = file.slice(0, -'.cc'.length);
  const [command, ...rest] = [...prefix, path.join(directory, name), ...args];
  const start = process.hrtime.bigint();
  const { stdout, stderr, signal, error } = spawnSync(command, rest, { env, encoding: 'utf8', maxBuffer: 1 << 26 });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const lines = (stdout ?? '').trimEnd().split('\n');
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lines.at(-1));
  if (!counts || Number(counts[2]) > 0 || values.verbose) console.log(`${stdout ?? ''}${stderr ?? ''}`.trimEnd());
  if (counts) {
    total.passed += Number(counts[1]);
    total.failed += Number(counts[2]);
    total.skipped += Number(counts[3]);
    console.log(`${name}: ${lines.at(-1)} (${seconds.toFixed(1)} s); ${lines.at(-2)}`);
  } else {
    total.failed++;
    console.log(`FAILED ${name} ended early: ${error?.message ?? signal ?? 'no totals'}`);
  }
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
