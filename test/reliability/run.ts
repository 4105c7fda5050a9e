/**
 * Measures what docs/reliability.md promises and prints a line of figures for each promise.
 *
 *   node dist/test/reliability/run.js all | NAME... [--short]
 *
 * Exits with 1 when a promise is broken. Every measurement has a process of its own, so that a crash is a figure too.
 */
import { spawnSync } from 'node:child_process';
import type { Measure } from './measure';

export const names = [
  'memory',
  'exits',
  'event-loop',
  'abort',
  'allocations',
  'weights',
  'readers',
  'images',
  'pool',
] as const;

export interface Line {
  name: string;
  seconds: number;
  broken: string[];
  figures?: Record<string, unknown>;
}

/** The measurement in a new process, which is killed when it takes too long. */
export function measureApart(name: string, short: boolean): Line {
  const start = performance.now();
  const args = ['--expose-gc', __filename, '--here', name, ...(short ? ['--short'] : [])];
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: short ? 60_000 : 1_200_000,
    killSignal: 'SIGKILL',
    // Of a parent that is a test itself: a child that believes it is one prints something else.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  const last = stdout.trimEnd().split('\n').at(-1)!;
  if (status === 0 || (status === 1 && last.startsWith('{')))
    return { name, seconds, ...(JSON.parse(last) as object) } as Line;
  return { name, seconds, broken: [`the process ended with ${signal ?? status}: ${stderr.trim().slice(-2000)}`] };
}

async function measureHere(name: string, short: boolean): Promise<void> {
  const { measure } = require(`./${name}`) as { measure: Measure };
  const outcome = await measure(short);
  // What still runs after a broken promise must not keep the process.
  process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(outcome.broken.length > 0 ? 1 : 0));
}

function main(args: readonly string[]): void {
  const short = args.includes('--short');
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const known = wanted.flatMap((name) => (name === 'all' ? names : names.filter((other) => other === name)));
  if (args.length > 0 && known.length === 0) {
    console.error(`usage: run.js all | NAME... [--short], with names of ${names.join(', ')}`);
    process.exitCode = 2;
  }
  if (args.includes('--here') && known.length > 0) {
    void measureHere(known[0]!, short);
    return;
  }
  for (const name of known) {
    const line = measureApart(name, short);
    console.log(JSON.stringify(line));
    if (line.broken.length > 0) process.exitCode = 1;
  }
}

if (require.main === module) main(process.argv.slice(2));
