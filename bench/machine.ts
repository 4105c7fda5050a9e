import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binding } from '../lib/native/binding';

/** What the figures depend on. */
export interface Machine {
  cpu: string;
  /** As many as the process may use. */
  cores: number;
  /** Of the first core: 'L1d 32K', 'L2 1024K' ... Empty where the system does not tell. */
  caches: string[];
  os: string;
  node: string;
  isa: string;
}

export function machine(): Machine {
  const { isa, processors } = binding().backend();
  return {
    cpu: os.cpus()[0]?.model.trim() || os.arch(),
    cores: processors,
    caches: caches(),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    isa,
  };
}

function caches(): string[] {
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  const read = (...names: string[]) => readFileSync(path.join(folder, ...names), 'utf8').trim();
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith('index'))
      .sort()
      .map((index) => {
        const type = { Data: 'd', Instruction: 'i' }[read(index, 'type')] ?? '';
        return `L${read(index, 'level')}${type} ${read(index, 'size')}`;
      });
  } catch {
    return [];
  }
}

/** The commit that is measured; '+' after it where files differ from it. */
export function commit(): string {
  const git = (...args: string[]) => {
    const { status, stdout } = spawnSync('git', args, { cwd: __dirname, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const head = git('rev-parse', '--short', 'HEAD');
  if (head === undefined) return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') ? `${head}+` : head;
}

/** How quiet the machine is: processes that want to run, over the last minute, and GFLOP/s of the FMA peak just now. */
export function noise(): { loadAverage: number; peak: number } {
  return { loadAverage: os.loadavg()[0]!, peak: binding().peak() };
}
