// Lints and checks the format of TypeScript (biome) and C++ (clang-format 14, clang-tidy); --fix formats instead.
// C++ tools that are not installed are skipped with a message: apt-get install clang-format clang-tidy.
'use strict';
const { spawn, spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const fix = process.argv.includes('--fix');
let failed = false;

function files(folder, pattern) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .map((file) => path.join(folder, file))
    .filter((file) => pattern.test(file) && !file.includes(`${path.sep}build${path.sep}`))
    .sort();
}

// Whether the tool is there in a version that will do; if not, says so.
function has(tool, version) {
  const { stdout } = spawnSync(tool, ['--version'], { encoding: 'utf8' });
  const found = /version (\d+)/.exec(stdout ?? '')?.[1];
  if (found !== undefined && (version === undefined || found === version)) return true;
  console.log(`skipped ${tool}: ${found ? `version ${version} needed, got ${found}` : 'not installed'}`);
  return false;
}

function report(name, passed, output, start) {
  if (!passed) failed = true;
  console.log(`${passed ? 'ok     ' : 'FAILED '}${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  if (!passed) console.log(output.trim());
}

function step(name, command, args) {
  const start = Date.now();
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  report(name, status === 0, `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`, start);
}

// One process a file, as many at once as there are processors. Headers are checked in the files that include them, tiles
// in those of the scalar set; the addon needs Node's headers and is left out.
async function tidy() {
  const sources = files('native', /\.cc$/).filter(
    (file) => !/[/\\]addon[/\\]|_(neon|neonfp16|avx2|avx512)\.cc$/.test(file),
  );
  const count = sources.length;
  const start = Date.now();
  let output = '';
  const check = async () => {
    for (let file = sources.shift(); file !== undefined; file = sources.shift()) {
      const args = ['--quiet', file, '--', '-std=c++17', '-Inative'];
      const process = spawn('clang-tidy', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
      process.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
      const status = await new Promise((resolve) => process.on('close', resolve));
      if (status !== 0) output += `${file}: clang-tidy ended with ${status}\n`;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, check));
  report(`clang-tidy: bugs and needless copies, ${count} C++ files`, output === '', output, start);
}

async function main() {
  const biome = [require.resolve('@biomejs/biome/bin/biome'), 'check', '--max-diagnostics=50', '--error-on-warnings'];
  step('biome: rules and format of TypeScript', process.execPath, fix ? [...biome, '--write'] : biome);
  if (has('clang-format', '14')) {
    const sources = ['native', 'test/native', 'bench/xnnpack', 'bench/arm'].flatMap((folder) =>
      files(folder, /\.(cc|h|inl)$/),
    );
    step('clang-format: format of C++', 'clang-format', [...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...sources]);
  }
  if (!fix && has('clang-tidy')) await tidy();
  process.exitCode = failed ? 1 : 0;
}

void main();
