/**
 * Instruction counts of one inference on ARM: those that are kept, how others compare with them, and their tables in
 * docs/arm-loops.md. They say nothing of time by themselves.
 */
import path from 'node:path';
import { root } from '../processes';

/** Instructions of one inference. `total` is the sum of the others. */
export interface Counts {
  total: number;
  /** Vector multiply-adds. */
  fma: number;
  classes: Record<string, number>;
}

export interface Kept {
  /** Versions by command: the one thing besides the sources that changes the counts. */
  compilers: Record<string, string>;
  /** By `rowOf`. */
  counts: Record<string, Counts>;
}

export const keptFile = path.join(root, 'bench/results/arm-instructions.json');
export const tablesFile = path.join(root, 'docs/arm-loops.md');

/** A count may grow by so much. */
const slack = 0.01;

export const networks = [
  { name: '1x g=3', groups: 3, quarters: 4 },
  { name: '0.5x g=3', groups: 3, quarters: 2 },
  { name: '1x g=8', groups: 8, quarters: 4 },
  { name: '1x g=1', groups: 1, quarters: 4 },
] as const;

export const arches = {
  arm64: { directory: 'build-native-arm64', toolchain: 'aarch64', gcc: 'aarch64-linux-gnu-g++', qemu: 'qemu-aarch64' },
  arm: { directory: 'build-native-arm', toolchain: 'armv7', gcc: 'arm-linux-gnueabihf-g++', qemu: 'qemu-arm' },
} as const;

/** What networks run on. `cpu` is QEMU's name of a core; networks are in float32 where no precision is named. */
export const cores = [
  { name: 'cortex-a53', cpu: 'cortex-a53', precision: 'fp32', arch: 'arm64' },
  { name: 'cortex-a72', cpu: 'cortex-a72', precision: 'fp32', arch: 'arm64' },
  { name: 'cortex-a76', cpu: 'cortex-a76', precision: 'fp32', arch: 'arm64' },
  { name: 'cortex-a76, fp16', cpu: 'cortex-a76', precision: 'fp16', arch: 'arm64' },
  { name: 'cortex-a7', cpu: 'cortex-a7', precision: 'fp32', arch: 'arm' },
] as const;

/** '1x g=3, cortex-a72' */
export function rowOf(network: string, core: string): string {
  return `${network}, ${core}`;
}

/**
 * ncnn of July 2026, one inference of its ShuffleNet V1 1x g=3, which has 127.2 million multiply-adds where the paper's
 * network has 137.5. fma: where it was counted.
 */
export const ncnn: Record<string, { total: number; fma?: number; what: string }> = {
  'cortex-a53': { total: 51.51e6, fma: 31.79e6, what: 'fp32' },
  'cortex-a72': { total: 51.51e6, fma: 31.79e6, what: 'fp32' },
  'cortex-a76': { total: 34.52e6, what: 'fp16' },
  'cortex-a76, fp16': { total: 34.52e6, what: 'fp16' },
  'cortex-a7': { total: 59.09e6, what: 'fp32' },
};
export const ncnnScale = 137.5 / 127.16;

/** Cycles of a Raspberry Pi 4 (Cortex-A72), fitted to ncnn's published times: 11 % too low to 6 % too high. */
export function modelledCycles({ total, fma }: { total: number; fma: number }): number {
  return 1.04 * fma + 2.68 * (total - fma);
}

export const millions = (count: number, digits = 2) => (count / 1e6).toFixed(digits);

export interface Comparison {
  /** Why the counts are not as good as those that are kept. */
  failures: string[];
  /** What else whoever counted should know. */
  notes: string[];
}

/**
 * @param all Whether every row was counted, so that one that is kept and was not counted is a mistake.
 */
export function compare(kept: Kept, now: Kept, all: boolean): Comparison {
  const failures: string[] = [];
  const notes: string[] = [];
  for (const [row, { total }] of Object.entries(now.counts)) {
    const old = kept.counts[row]?.total;
    if (old === undefined) {
      failures.push(`${row}: ${millions(total)} million, but no count is kept: npm run bench:arm -- --update`);
      continue;
    }
    const change = `${millions(total)} million, ${Math.abs(100 * (total / old - 1)).toFixed(2)} %`;
    if (total > old * (1 + slack)) failures.push(`${row}: ${change} more than the ${millions(old)} that are kept`);
    if (total < old * (1 - slack)) notes.push(`${row}: ${change} less than are kept: --update makes that the measure`);
  }
  const gone = all ? Object.keys(kept.counts).filter((row) => !(row in now.counts)) : [];
  failures.push(...gone.map((row) => `${row}: kept, but not counted any more: npm run bench:arm -- --update`));
  const differences = compilerDifferences(kept, now);
  if (differences.length > 0) {
    const advice = 'other compilers alone may change the counts: --update on the commit before shows by how much';
    (failures.length > 0 ? failures : notes).push(`${differences.join(', ')}; ${advice}`);
  }
  return { failures, notes };
}

/** 'aarch64-linux-gnu-g++ is 13.1.0 and was 12.2.0', for each that differs. */
export function compilerDifferences(kept: Kept, now: Kept): string[] {
  return Object.entries(now.compilers)
    .filter(([command, version]) => kept.compilers[command] !== version)
    .map(([command, version]) => `${command} is ${version} and was ${kept.compilers[command]}`);
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** The tables of docs/arm-loops.md, in Markdown. */
export function tables({ counts }: Kept): string {
  const a72 = rowOf('1x g=3', 'cortex-a72');
  const peer = ncnn['cortex-a72']!;
  const peerCycles = modelledCycles({ total: peer.total, fma: peer.fma! });
  const cycles = counts[a72] && modelledCycles(counts[a72]);
  const target = (what: string, theirs: number, most: string, ours: number | undefined) => {
    return [
      what,
      millions(theirs, 1),
      millions(theirs * ncnnScale, 1),
      most,
      ours === undefined ? '' : millions(ours, 1),
    ];
  };
  const instructions = (what: string, core: string, most: string) => {
    return target(`${what}: instructions, M`, ncnn[core]!.total, most, counts[rowOf('1x g=3', core)]?.total);
  };
  const [g8, g1] = ['1x g=8', '1x g=1'].map((network) => counts[rowOf(network, 'cortex-a72')]);
  const ratio = (of: (counts: Counts) => number) => (g8 && g1 ? (of(g8) / of(g1)).toFixed(2) : '');
  const targets = markdown(
    ['1x g=3 at 224x224, emulated', 'ncnn, 127 M multiply-adds', 'ncnn, scaled to 137 M', 'ours at most', 'ours'],
    [
      target('arm64 fp32: A72 cycles by the formula, M', peerCycles, '66', cycles),
      instructions('arm64 fp32', 'cortex-a72', '46'),
      instructions('arm64 fp16 (cortex-a76)', 'cortex-a76, fp16', '25'),
      instructions('armv7 fp32', 'cortex-a7', '53'),
      ['g=8 over g=1, arm64 fp32: A72 cycles by the formula', '', '', '1.1', ratio(modelledCycles)],
      ['g=8 over g=1, arm64 fp32: instructions', '', '', '1.1', ratio(({ total }) => total)],
    ],
  );

  const columns = [...new Set(Object.keys(counts).map((row) => row.slice(row.indexOf(', ') + 2)))];
  const cell = (row: Counts | undefined) => (row ? `${millions(row.total)} (${millions(row.fma)})` : '');
  const everything = markdown(
    ['instructions (of them vector multiply-adds), M', ...columns],
    networks.map(({ name }) => [name, ...columns.map((column) => cell(counts[rowOf(name, column)]))]),
  );
  return `${targets}\n${everything}`;
}

const [begin, end] = ['<!-- npm run bench:arm -- --update writes what follows -->\n', '<!-- to here -->\n'];

/** A document in which `tables` stand between the marks. */
export function withTables(document: string, tables: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${tablesFile} lacks the lines ${begin}${end}`);
  return `${document.slice(0, from + begin.length)}\n${tables}\n${document.slice(to)}`;
}
