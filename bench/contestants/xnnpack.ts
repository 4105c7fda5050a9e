import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Contestant } from '../contestant';
import { Absent, type Job } from '../job';
import { inputFile } from '../files';

const source = path.join(__dirname, '../../../bench/xnnpack/xnnpack.cc');
const program = path.join(__dirname, '../../bench-xnnpack/xnnpack');

/** Builds the program where it is older than its source. */
function build(): void {
  if (!existsSync('/usr/include/xnnpack.h')) throw new Absent('libxnnpack-dev is not installed');
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return;
  mkdirSync(path.dirname(program), { recursive: true });
  const args = ['-std=c++17', '-O2', '-Wall', '-o', program, source, '-lXNNPACK', '-lpthreadpool'];
  const { status, error, stderr } = spawnSync('g++', args, { encoding: 'utf8' });
  if (status !== 0) throw new Absent(`bench/xnnpack/xnnpack.cc does not build: ${error?.message ?? stderr}`);
}

function version(): string {
  const { stdout } = spawnSync('dpkg-query', ['--show', 'libxnnpack-dev'], { encoding: 'utf8' });
  return stdout?.trim().split('\t')[1] ?? 'of unknown version';
}

export async function start(name: string, job: Job): Promise<Contestant> {
  build();
  const file = (name: string) => path.join(job.directory, name);
  const files = [file(`${job.network}.plan`), file(`${job.network}.f32`), file(inputFile(job))];
  const numbers = [job.batch, job.height, job.width, job.threads].map(String);
  const contestant = await Contestant.start(name, program, [...files, ...numbers]);
  contestant.version = version();
  return contestant;
}
