// Builds addons into prebuilds/, stripped and checked: for this machine, as `npm run build:native` does, or for the targets
// named. Those for other processors are cross-built with Debian's compilers and CMake, against node-api-headers.
//   node scripts/prebuild.cjs
//   node scripts/prebuild.cjs linux-arm64 linux-arm
'use strict';
const { spawnSync } = require('node:child_process');
const { copyFileSync, mkdirSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const crosses = {
  'linux-arm64': { toolchain: 'aarch64', compiler: 'aarch64-linux-gnu-g++' },
  'linux-arm': { toolchain: 'armv7', compiler: 'arm-linux-gnueabihf-g++' },
};

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
}

// As lib/native/load.ts names it.
function hostTarget() {
  const { platform, arch, report } = process;
  const musl = platform === 'linux' && report.getReport().header.glibcVersionRuntime === undefined;
  return `${platform}-${arch}${musl ? '-musl' : ''}`;
}

function build(target) {
  const folder = path.join('prebuilds', target);
  const file = path.join(folder, 'shufflenet.node');
  mkdirSync(path.join(root, folder), { recursive: true });
  if (target === host) {
    run(process.execPath, path.join(__dirname, 'build-native.cjs'));
    copyFileSync(path.join(root, 'build/Release/shufflenet.node'), path.join(root, file));
    if (process.platform === 'linux') run('strip', '--strip-unneeded', file);
    if (process.platform === 'darwin') run('strip', '-x', file);
    return;
  }
  const cross = crosses[target];
  if (!cross) {
    const built = [host, ...Object.keys(crosses)].join(', ');
    throw new Error(`${target} cannot be built on ${host}, where these can: ${built}`);
  }
  if (spawnSync(cross.compiler, ['--version']).error) {
    throw new Error(
      `${target} needs cmake and ${cross.compiler}: apt-get install cmake g++-${cross.compiler.slice(0, -4)}`,
    );
  }
  const directory = `build-${target}`;
  const headers = path.dirname(require.resolve('node-api-headers'));
  run(
    'cmake',
    ...['-S', '.', '-B', directory],
    `-DCMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake', `${cross.toolchain}.cmake`)}`,
    `-DCMAKE_JS_INC=${path.join(headers, 'include')}`,
    '-DCMAKE_SHARED_LINKER_FLAGS=-s',
  );
  run('cmake', '--build', directory, '--parallel', '2', '--target', 'shufflenet');
  copyFileSync(path.join(root, directory, 'shufflenet.node'), path.join(root, file));
}

const host = hostTarget();
const targets = process.argv.length > 2 ? process.argv.slice(2) : [host];
try {
  for (const target of targets) build(target);
  const built = targets.filter((target) => target.startsWith('linux-'));
  if (built.length > 0) {
    run(
      process.execPath,
      path.join(__dirname, 'check-addon.cjs'),
      ...built.map((target) => `prebuilds/${target}/shufflenet.node`),
    );
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
