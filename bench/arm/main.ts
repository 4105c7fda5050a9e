/**
 * npm run bench:arm: counts the instructions of one inference on emulated ARM cores and compares them with the counts
 * that are kept. They say nothing of time by themselves: docs/arm-loops.md tells what they are good for.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../processes';
import { Table } from '../table';
import {
  arches,
  compare,
  compilerDifferences,
  cores,
  keptFile,
  millions,
  modelledCycles,
  ncnn,
  ncnnScale,
  networks,
  rowOf,
  tables,
  tablesFile,
  withTables,
  type Counts,
  type Kept,
} from './counts';

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Builds the plugin and, for each architecture, the program that is counted. Returns the plugin. */
function build(): string {
  for (const { directory, toolchain } of Object.values(arches)) {
    const settings = [`-DCMAKE_TOOLCHAIN_FILE=cmake/${toolchain}.cmake`, '-DSHUFFLENET_STATIC=ON'];
    run('cmake', ['-S', root, '-B', directory, ...settings]);
    run('cmake', ['--build', directory, '--parallel', '2', '--target', 'arm_inference']);
  }
  const plugin = path.join(root, arches.arm64.directory, 'count_instructions.so');
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden'];
  run('g++', [...flags, 'bench/arm/count_instructions.cc', '-o', plugin]);
  return plugin;
}

interface Lap {
  step: string;
  counts: Counts;
}

/** By lap, whose names are there only `withSteps`. */
function measure(
  plugin: string,
  core: (typeof cores)[number],
  network: (typeof networks)[number],
  withSteps: boolean,
): Lap[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-arm-'));
  try {
    const file = path.join(folder, 'counts.json');
    const { directory, qemu } = arches[core.arch];
    const program = path.join(root, directory, 'arm_inference');
    const args = ['-plugin', plugin, program, String(network.groups), String(network.quarters), core.precision];
    const env = { ...process.env, QEMU_CPU: core.cpu, COUNT_OUT: file, ...(withSteps && { COUNT_STEPS: '1' }) };
    const steps = run(qemu, args, env).split('\n');
    const { classes, laps } = JSON.parse(readFileSync(file, 'utf8')) as { classes: string[]; laps: number[][] };
    return laps.map((values, i) => ({
      step: i < laps.length - 1 ? (steps[i] ?? '') : 'end',
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
  const kept = JSON.parse(readFileSync(keptFile, 'utf8')) as Kept;
  const compilers = Object.values(arches).map(({ gcc }) => [gcc, run(gcc, ['-dumpfullversion']).trim()] as const);
  const now: Kept = { compilers: Object.fromEntries(compilers), counts: {} };

  console.log('Emulated instruction counts of one inference at 224x224, one thread, in millions: not time.');
  const table = new Table(
    ['network, core', 'total', 'FMA', 'kept total', 'change', 'A72 cycles', "ncnn's total"],
    8,
    22,
  );
  for (const network of networks) {
    for (const core of cores) {
      const row = rowOf(network.name, core.name);
      if (!row.includes(values.only)) continue;
      const laps = measure(plugin, core, network, values.steps);
      const counts = sum(laps.map((lap) => lap.counts));
      now.counts[row] = counts;
      const old = kept.counts[row];
      const peer = network.name === '1x g=3' ? ncnn[core.name] : undefined;
      table.row(
        row,
        millions(counts.total),
        millions(counts.fma),
        old ? millions(old.total) : '',
        old ? `${(100 * (counts.total / old.total - 1)).toFixed(2)} %` : '',
        core.arch === 'arm64' ? millions(modelledCycles(counts)) : '',
        peer ? `${millions(peer.total)} ${peer.what}` : '',
      );
      if (values.steps) printSteps(laps);
    }
  }
  console.log(
    `A72 cycles: 1.04 x FMA + 2.68 x others, a fit and no measurement. ncnn's totals are for 127 million multiply-adds; ` +
      `scaled to ours, by ${ncnnScale.toFixed(3)}.`,
  );

  const all = values.only === '';
  if (values.update) {
    const differences = compilerDifferences(kept, now);
    if (!all && differences.length > 0) throw new Error(`${differences.join(', ')}: --update all rows, without --only`);
    const counts = all ? now.counts : { ...kept.counts, ...now.counts };
    const rows = networks.flatMap(({ name }) => cores.map((core) => rowOf(name, core.name)));
    const sorted = rows.flatMap((row) => (counts[row] ? [[row, counts[row]] as const] : []));
    const made: Kept = { ...now, counts: Object.fromEntries(sorted) };
    writeFileSync(keptFile, `${JSON.stringify(made, null, 2)}\n`);
    writeFileSync(tablesFile, withTables(readFileSync(tablesFile, 'utf8'), tables(made)));
    console.log(`kept in ${path.relative(root, keptFile)}, and in the tables of ${path.relative(root, tablesFile)}`);
    return;
  }
  const { failures, notes } = compare(kept, now, all);
  for (const note of notes) console.log(note);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

main();
