import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { ShuffleNetError } from '../errors';

/** What decides which addon fits. */
export interface Host {
  /** process.platform */
  platform: string;
  /** process.arch */
  arch: string;
  /** Linux without glibc: Alpine. */
  musl: boolean;
  /** '6', '7' or '8' where `arch` is 'arm'. */
  armVersion?: string | undefined;
}

/** This process. No command is run for it. */
export function thisHost(): Host {
  const { platform, arch, config } = process;
  const { arm_version } = config.variables as { arm_version?: unknown };
  const armVersion = arm_version === undefined ? undefined : String(arm_version);
  return { platform, arch, musl: platform === 'linux' && isMusl(), armVersion };
}

/** By the loader that Node.js names at its beginning, else by the diagnostic report, which takes some 15 ms. */
function isMusl(): boolean {
  const start = Buffer.alloc(4096);
  try {
    const file = openSync(process.execPath, 'r');
    try {
      readSync(file, start);
    } finally {
      closeSync(file);
    }
  } catch {
    // The report knows.
  }
  const loader = /\/ld-(linux|musl)-/.exec(start.toString('latin1'))?.[1];
  if (loader !== undefined) return loader === 'musl';
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined;
}

/** The folder of prebuilds/ that is for this host. */
export function targetOf({ platform, arch, musl }: Host): string {
  return `${platform}-${arch}${musl ? '-musl' : ''}`;
}

/**
 * Loads the addon of the package at `root`: the one that was built there, which somebody did on purpose, else the one
 * that came with the package for this host. Throws ERR_NATIVE that lists why neither would do, and the remedy; its
 * `cause` is an AggregateError of what Node.js said.
 *
 * @param open What loads a file: require().
 */
export function loadAddon(root: string, findHost: () => Host, open: (file: string) => unknown): unknown {
  const causes: unknown[] = [];
  const tried: string[] = [];
  const attempt = (file: string, missing: string) => {
    if (!existsSync(path.join(root, file))) {
      tried.push(`${file}: ${missing}`);
      return undefined;
    }
    try {
      return open(path.join(root, file));
    } catch (cause) {
      causes.push(cause);
      tried.push(`${file}: ${(cause as Error).message.replace(/\.?(\n.*)?$/s, '')}`);
      return undefined;
    }
  };

  const built = attempt('build/Release/shufflenet.node', 'not built here');
  if (built !== undefined) return built;
  const host = findHost();
  const target = targetOf(host);
  const file = `prebuilds/${target}/shufflenet.node`;
  if (host.arch === 'arm' && Number(host.armVersion) < 7) {
    tried.push(`${file}: is for ARMv7, and this Node.js for ARMv${host.armVersion}`);
  } else {
    const prebuilt = attempt(file, `not in this package, which has ${prebuiltTargets(root).join(', ') || 'none'}`);
    if (prebuilt !== undefined) return prebuilt;
  }

  const disabled = causes.some((cause) => (cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED');
  throw new ShuffleNetError(
    'ERR_NATIVE',
    `no native addon of ${root} loads on ${target} with Node.js ${process.versions.node}. Tried ${tried.join('; ')}. ` +
      (disabled
        ? 'Remedy: let Node.js load addons (no --no-addons; with --permission also --allow-addons).'
        : `Remedy: build it here, for which python3, make and a C++17 compiler are needed: ` +
          `cd ${root} && npx node-gyp rebuild`),
    { cause: new AggregateError(causes) },
  );
}

function prebuiltTargets(root: string): string[] {
  const folder = path.join(root, 'prebuilds');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}
