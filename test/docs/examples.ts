import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

/** Compiled tests lie three levels below the package. */
export const root = path.join(__dirname, '../../..');

export interface Block {
  /** 'README.md:41', the line of the fence. */
  place: string;
  language: string;
  /**
   * The words after the language: a file name for what later blocks import instead of being run by itself, or `no-run`.
   */
  words: string[];
  text: string;
  /** The block that follows, if it has no language: what a command prints. */
  output?: string;
}

export function blocks(markdown: string, file: string): Block[] {
  const found: Block[] = [];
  for (const match of markdown.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)) {
    const [language = '', ...words] = match[1]!.trim().split(/\s+/);
    const line = markdown.slice(0, match.index).split('\n').length;
    const last = found.at(-1);
    if (language === '' && last) last.output = match[2]!;
    found.push({ place: `${file}:${line}`, language, words, text: match[2]! });
  }
  return found;
}

/** What an example may use: the package by its name, examples/, and the files that the command's examples name. */
export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'shufflenet-docs-'));
  mkdirSync(path.join(folder, 'node_modules'));
  for (const name of ['@types', 'undici-types']) {
    symlinkSync(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name));
  }
  symlinkSync(root, path.join(folder, 'node_modules/shufflenet-native'));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  cpSync(path.join(root, 'examples'), path.join(folder, 'examples'), { recursive: true });
  cpSync(path.join(root, 'examples'), path.join(folder, 'photos'), { recursive: true });
  cpSync(path.join(root, 'examples/chelsea.jpg'), path.join(folder, 'classes/n02124075/chelsea.jpg'));
  const weights = path.join(root, 'weights/shufflenet-1x-g3-tiny-imagenet.safetensors');
  cpSync(weights, path.join(folder, 'weights.safetensors'));
  const checkpoint = path.join(root, 'test/fixtures/checkpoints/families/megvii.pth.tar');
  cpSync(checkpoint, path.join(folder, '1.0x.pth.tar'));
  cpSync(path.join(root, 'test/fixtures/weights/val8.input.npy'), path.join(folder, 'x.npy'));
  mkdirSync(path.join(folder, 'bin'));
  const npx = `#!/bin/sh\n[ "$1" = shufflenet ] && shift && exec "${process.execPath}" "${root}/dist/lib/cli/main.js" "$@"\nexit 1\n`;
  writeFileSync(path.join(folder, 'bin/npx'), npx, { mode: 0o755 });
  return folder;
}

/** Puts sources into the folder and compiles the TypeScript among them, strictly; returns what the compiler says. */
export function compile(folder: string, sources: Record<string, string>): string[] {
  for (const [name, text] of Object.entries(sources)) writeFileSync(path.join(folder, name), text);
  const files = Object.keys(sources)
    .filter((name) => /\.[cm]?ts$/.test(name))
    .map((name) => path.join(folder, name));
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules/@types')],
    strict: true,
    skipLibCheck: true,
  });
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file ? path.basename(file.fileName) : ''}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

/** Runs a program in the folder; what it printed, and how it ended: 0, another code or a signal. */
export function execute(folder: string, command: string, args: string[]) {
  const env = {
    ...process.env,
    PATH: `${path.join(folder, 'bin')}:${process.env['PATH']}`,
    // Children that believe they are tests print something else.
    NODE_TEST_CONTEXT: undefined,
  };
  const child = spawn(command, args, { cwd: folder, env, timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  return new Promise<{ stdout: string; stderr: string; ended: number | string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ ...printed, ended: code ?? signal }));
  });
}

export function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}
