import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Context, Group } from '../group';
import { peerFolder } from '../peers';
import { root } from '../processes';
import { Table } from '../table';

/** Bytes of the files in a folder, without its node_modules. */
function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder)) {
    if (entry === 'node_modules') continue;
    const file = path.join(folder, entry);
    const stats = lstatSync(file);
    bytes += stats.isDirectory() ? folderBytes(file) : stats.size;
  }
  return bytes;
}

/** The folders of all packages that come with a package, itself not included. */
function dependencies(folder: string, found = new Set<string>()): Set<string> {
  const { dependencies: needed = {}, optionalDependencies: optional = {} } = JSON.parse(
    readFileSync(path.join(folder, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>;
  for (const name of Object.keys({ ...needed, ...optional })) {
    const installed = find(name, folder);
    if (installed === undefined || found.has(installed)) continue;
    found.add(installed);
    dependencies(installed, found);
  }
  return found;
}

/** As Node.js looks for packages: in node_modules here and above. */
function find(name: string, from: string): string | undefined {
  const folder = path.join(from, 'node_modules', name);
  if (existsSync(path.join(folder, 'package.json'))) return folder;
  const above = path.dirname(from);
  return above === from ? undefined : find(name, above);
}

interface Packed {
  size: number;
  unpackedSize: number;
}

async function run({ peer }: Context): Promise<object> {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [{ size: packed, unpackedSize }] = JSON.parse(stdout) as [Packed];
  const table = new Table(['MB on disk', 'itself', 'with all', 'packages'], 8, 36);
  const rows: object[] = [];
  const add = (label: string, itself: number, folders: Set<string>) => {
    const all = [...folders].reduce((sum, folder) => sum + folderBytes(folder), itself);
    rows.push({ label, itself, all, packages: folders.size + 1 });
    table.row(label, (itself / 1e6).toFixed(1), (all / 1e6).toFixed(1), String(folders.size + 1));
  };
  add('shufflenet-native', unpackedSize, dependencies(root));
  const absent: string[] = [];
  for (const name of [
    'onnxruntime-node',
    'onnxruntime-web',
    '@tensorflow/tfjs-backend-wasm',
    '@tensorflow/tfjs-node',
  ]) {
    if (!peer(name)) continue;
    const folder = peerFolder(name);
    if (folder === undefined) {
      absent.push(name);
      table.row(name, 'absent');
      continue;
    }
    const folders = dependencies(folder);
    // A backend alone does nothing.
    const core = name.endsWith('wasm') ? peerFolder('@tensorflow/tfjs') : undefined;
    if (core !== undefined) for (const more of dependencies(core, new Set([core]))) folders.add(more);
    folders.delete(folder);
    add(core === undefined ? name : `${name} with tfjs`, folderBytes(folder), folders);
  }
  console.log(`shufflenet-native's own package: ${(packed / 1e6).toFixed(1)} MB packed`);
  return { unit: 'bytes', packed, absent, rows };
}

export const group: Group = {
  name: 'size',
  about: 'what an installation takes on disk: the package itself, and with all that it depends on',
  run,
};
