/**
 * npm run bench:arm: counts the instructions of one inference on emulated ARM cores and compares them with the counts
 * that are kept. They say nothing of time by themselves: docs/arm-loops.md tells what they are good for.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { commit } from '../machine';
import { root } from '../processes';
import { Table } from '../table';

/** Instructions of one inference. `total` is the sum of the others. */
interface Counts {
  total: number;
  /** Vector multiply-adds. */
  fma: number;
  classes: Record<string, number>;
}

/** By '1x g=3, cortex-a72'. */
interface Kept {
  commit: string;
  compiler: string;
  counts: Record<string, Counts>;
}

const kept = path.join(root, 'bench/results/arm-instructions.json');
/** A count may grow by so much. */
const slack = 0.01;

const networks = [
  { name: '1x g=3', groups: 3, quarters: 4 },
  { name: '0.5x g=3', groups: 3, quarters: 2 },
  { name: '1x g=8', groups: 8, quarters: 4 },
  { name: '1x g=1', groups: 1, quarters: 4 },
] as const;
const arm64 = { directory: 'build-native-arm64', toolchain: 'aarch64', qemu: 'qemu-aarch64' } as const;
const arm = { directory: 'build-native-arm', toolchain: 'armv7', qemu: 'qemu-arm' } as const;
const cores = [
  { name: 'cortex-a53', arch: arm64 },
  { name: 'cortex-a72', arch: arm64 },
  { name: 'cortex-a76', arch: arm64 },
  { name: 'cortex-a7', arch: arm },
] as const;

/**
 * ncnn of July 2026, millions of instructions of one inference of its ShuffleNet V1 1x g=3, which has 127 million
 * multiply-adds where the paper's network has 137. fma: where it was counted.
 */
const ncnn: Record<string, { total: number; fma?: number; what: string }> = {
  'cortex-a53': { total: 51.51, fma: 31.79, what: 'fp32' },
  'cortex-a72': { total: 51.51, fma: 31.79, what: 'fp32' },
  'cortex-a76': { total: 34.52, what: 'fp16' },
  'cortex-a7': { total: 59.09, what: 'fp32' },
};
const ncnnScale = 137 / 127;

/** Cycles of a Raspberry Pi 4 (Cortex-A72), fitted to ncnn's published times: 11 % too low to 6 % too high. */
function modelledCycles({ total, fma }: Counts): number {
  return 1.04 * fma + 2.68 * (total - fma);
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Builds the plugin and, for each architecture, the program that is counted. Returns the plugin. */
function build(): string {
  for (const { directory, toolchain } of [arm64, arm]) {
    const settings = [`-DCMAKE_TOOLCHAIN_FILE=cmake/${toolchain}.cmake`, '-DSHUFFLENET_STATIC=ON'];
    run('cmake', ['-S', root, '-B', directory, ...settings]);
    run('cmake', ['--build', directory, '--parallel', '2', '--target', 'arm_inference']);
  }
  const plugin = path.join(root, arm64.directory, 'count_instructions.so');
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden'];
  run('g++', [...flags, 'bench/arm/count_instructions.cc', '-o', plugin]);
  return plugin;
}

interface Lap {
  step: string;
  counts: Counts;
}

function measure(plugin: string, core: (typeof cores)[number], network: (typeof networks)[number]): Lap[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-arm-'));
  try {
    const file = path.join(folder, 'counts.json');
    const program = path.join(root, core.arch.directory, 'arm_inference');
    const args = ['-plugin', plugin, program, String(network.groups), String(network.quarters)];
    const steps = run(core.arch.qemu, args, { ...process.env, QEMU_CPU: core.name, COUNT_OUT: file }).split('\n');
    const { classes, laps } = JSON.parse(readFileSync(file, 'utf8')) as { classes: string[]; laps: number[][] };
    return laps.map((values, i) => ({
      step: i < laps.length - 1 ? steps[i]! : 'end',
      counts: countsOf(Object.fromEntries(classes.map((name, j) => [name, values[j]!]))),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function countsOf(classes: Record<string, number>): Counts {
  const total = Object.values(classes).reduce((sum, value) => sum + value, 0);
  return { total, fma: classes['fma'] ?? 0, classes };
}

function sum(counts: readonly Counts[]): Counts {
  const classes: Record<string, number> = {};
  for (const { classes: some } of counts) {
    for (const [name, value] of Object.entries(some)) classes[name] = (classes[name] ?? 0) + value;
  }
  return countsOf(classes);
}

const millions = (count: number) => (count / 1e6).toFixed(2);

/** Steps of one shape together, in the order in which they run. */
function printSteps(laps: readonly Lap[]): void {
  const steps = new Map<string, Counts[]>();
  for (const { step, counts } of laps) steps.set(step, [...(steps.get(step) ?? []), counts]);
  const table = new Table(['  step', 'times', 'instructions', 'FMA', 'others per FMA'], 8, 44);
  for (const [step, all] of steps) {
    const { total, fma } = sum(all);
    const share = fma > 0 ? ((total - fma) / fma).toFixed(2) : '';
    table.row(`  ${step}`, String(all.length), millions(total), millions(fma), share);
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      update: { type: 'boolean', default: false },
      steps: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  });
  const plugin = build();
  const before = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Kept) : undefined;
  const compiler = run('aarch64-linux-gnu-g++', ['-dumpfullversion']).trim();
  if (before && before.compiler !== compiler) {
    console.log(`GCC is ${compiler}, the kept counts are of ${before.compiler}: they may differ for that alone`);
  }

  console.log('Emulated instruction counts of one inference at 224x224, one thread, in millions: not time.');
  const table = new Table(
    ['network, core', 'total', 'FMA', 'kept total', 'change', 'A72 cycles', "ncnn's total"],
    8,
    22,
  );
  const counts: Record<string, Counts> = {};
  const grown: string[] = [];
  for (const network of networks) {
    for (const core of cores) {
      const key = `${network.name}, ${core.name}`;
      if (!key.includes(values.only)) continue;
      const laps = measure(plugin, core, network);
      const now = sum(laps.map((lap) => lap.counts));
      counts[key] = now;
      const old = before?.counts[key];
      const change = old ? now.total / old.total - 1 : 0;
      if (change > slack) grown.push(key);
      const cycles = core.arch === arm64 ? millions(modelledCycles(now)) : '';
      const peer = network.name === '1x g=3' ? ncnn[core.name] : undefined;
      table.row(
        key,
        millions(now.total),
        millions(now.fma),
        old ? millions(old.total) : '',
        old ? `${(100 * change).toFixed(2)} %` : '',
        cycles,
        peer ? `${peer.total} ${peer.what}` : '',
      );
      if (values.steps) printSteps(laps);
    }
  }
  console.log(
    `A72 cycles: 1.04 x FMA + 2.68 x others, a fit and no measurement. ncnn's totals are for 127 million multiply-adds; ` +
      `scaled to ours, by ${ncnnScale.toFixed(3)}.`,
  );
  if (values.update) {
    mkdirSync(path.dirname(kept), { recursive: true });
    const all = { ...before?.counts, ...counts };
    writeFileSync(kept, `${JSON.stringify({ commit: commit(), compiler, counts: all } satisfies Kept, null, 2)}\n`);
    console.log(`kept in ${path.relative(root, kept)}`);
  } else if (grown.length > 0) {
    console.log(`more than ${100 * slack} % above the kept counts: ${grown.join('; ')}`);
    process.exitCode = 1;
  }
}

main();
