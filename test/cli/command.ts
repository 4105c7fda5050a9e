import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** Compiled tests lie three levels below the package. */
export const root = path.join(__dirname, '../../..');
export const main = path.join(root, 'dist/lib/cli/main.js');
export const fixture = (name: string) => path.join(root, 'test/fixtures/weights', name);

/** Runs the command in the package's folder. */
export function shufflenet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: root });
  return { status, stdout, stderr };
}
