import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ShuffleNetError } from '../../lib';
import { loadAddon, targetOf, thisHost, type Host } from '../../lib/native/load';

const local = 'build/Release/shufflenet.node';
const prebuilt = (target: string) => `prebuilds/${target}/shufflenet.node`;
const pi: Host = { platform: 'linux', arch: 'arm64', musl: false };

describe('the loader of the addon', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'shufflenet-load-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** Files whose text is what loading them throws, or 'fine'. */
  function lay(files: Record<string, string>) {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    }
    const opened: string[] = [];
    const load = (host: Host) =>
      loadAddon(
        root,
        () => host,
        (file) => {
          const name = path.relative(root, file).split(path.sep).join('/');
          opened.push(name);
          const text = files[name]!;
          if (text === 'fine') return name;
          throw Object.assign(new Error(text), { code: /disabled/.test(text) ? 'ERR_DLOPEN_DISABLED' : undefined });
        },
      );
    return { opened, load };
  }

  function failure(load: () => unknown): ShuffleNetError {
    try {
      load();
    } catch (error) {
      assert.ok(error instanceof ShuffleNetError);
      assert.equal(error.code, 'ERR_NATIVE');
      return error;
    }
    assert.fail('loaded');
  }

  it('takes what was built here before what came with the package, without asking what the host is', () => {
    const { opened } = lay({ [local]: 'fine', [prebuilt('linux-arm64')]: 'fine' });
    const addon = loadAddon(
      root,
      () => assert.fail('asked'),
      (file) => path.relative(root, file),
    );
    assert.equal(addon, path.normalize(local));
    assert.deepEqual(opened, []);
  });

  it('goes on to the prebuilt one where the local one does not load', () => {
    const { opened, load } = lay({ [local]: 'wrong ELF class', [prebuilt('linux-arm64')]: 'fine' });
    assert.equal(load(pi), prebuilt('linux-arm64'));
    assert.deepEqual(opened, [local, prebuilt('linux-arm64')]);
  });

  it('picks by platform, architecture and C library', () => {
    const hosts: Record<string, Host> = {
      'linux-x64': { platform: 'linux', arch: 'x64', musl: false },
      'linux-x64-musl': { platform: 'linux', arch: 'x64', musl: true },
      'linux-arm64': pi,
      'linux-arm64-musl': { ...pi, musl: true },
      'linux-arm': { platform: 'linux', arch: 'arm', musl: false, armVersion: '7' },
      'darwin-arm64': { platform: 'darwin', arch: 'arm64', musl: false },
      'win32-x64': { platform: 'win32', arch: 'x64', musl: false },
    };
    const { load } = lay(Object.fromEntries(Object.keys(hosts).map((target) => [prebuilt(target), 'fine'])));
    for (const [target, host] of Object.entries(hosts)) assert.equal(load(host), prebuilt(target));
  });

  it('names everything it tried, every cause and the remedy, in one error on one line', () => {
    const { load } = lay({
      [local]: 'invalid ELF header.\nmore',
      [prebuilt('linux-arm64')]: "libc.so.6: version `GLIBC_2.28' not found",
    });
    const { message, cause } = failure(() => load(pi));
    assert.equal(
      message,
      `no native addon of ${root} loads on linux-arm64 with Node.js ${process.versions.node}. ` +
        `Tried build/Release/shufflenet.node: invalid ELF header; ` +
        "prebuilds/linux-arm64/shufflenet.node: libc.so.6: version `GLIBC_2.28' not found. " +
        `Remedy: build it here, for which python3, make and a C++17 compiler are needed: ` +
        `cd ${root} && npx node-gyp rebuild`,
    );
    assert.ok(cause instanceof AggregateError);
    assert.equal(cause.errors.length, 2);
  });

  it('tells which platforms the package has where this one is missing', () => {
    const { opened, load } = lay({ [prebuilt('linux-x64')]: 'fine', [prebuilt('darwin-arm64')]: 'fine' });
    const { message } = failure(() => load({ ...pi, musl: true }));
    assert.match(message, /build\/Release\/shufflenet\.node: not built here; /);
    assert.match(
      message,
      /linux-arm64-musl\/shufflenet\.node: not in this package, which has darwin-arm64, linux-x64\./,
    );
    assert.deepEqual(opened, []);
    rmSync(path.join(root, 'prebuilds'), { recursive: true });
    assert.match(failure(() => load(pi)).message, /which has none\./);
  });

  it('does not let ARMv6 run code for ARMv7', () => {
    const { opened, load } = lay({ [prebuilt('linux-arm')]: 'fine' });
    const zero = { platform: 'linux', arch: 'arm', musl: false, armVersion: '6' };
    assert.match(failure(() => load(zero)).message, /linux-arm\/shufflenet\.node: is for ARMv7, .* for ARMv6\./);
    assert.deepEqual(opened, []);
    assert.equal(load({ ...zero, armVersion: '8' }), prebuilt('linux-arm'));
  });

  it('has another remedy where Node.js was told to load no addons', () => {
    const { load } = lay({ [prebuilt('linux-arm64')]: 'loading addons is disabled' });
    const { message } = failure(() => load(pi));
    assert.match(message, /Remedy: let Node\.js load addons/);
    assert.doesNotMatch(message, /node-gyp/);
  });

  it('knows this host', () => {
    const host = thisHost();
    assert.deepEqual([host.platform, host.arch], [process.platform, process.arch]);
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    assert.equal(host.musl, process.platform === 'linux' && header.glibcVersionRuntime === undefined);
    assert.match(targetOf(host), /^(linux-(x64|arm64|arm)(-musl)?|darwin-(x64|arm64)|win32-(x64|arm64))$/);
  });
});
