/** Every example of README.md and the guides is compiled and run as it stands, by a user of the package. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { blocks, compile, execute, makeFolder, read, root, type Block } from './examples';

const guides = readdirSync(path.join(root, 'docs')).filter((file) => /^guide-.*\.md$/.test(file));

for (const file of ['README.md', ...guides.map((guide) => `docs/${guide}`)]) {
  describe(file, () => {
    const all = blocks(read(file), file);
    const code = all.filter(({ language }) => language === 'ts' || language === 'js');
    const commands = all.filter(({ language }) => language === 'sh');
    const nameOf = (block: Block) => {
      const [named] = block.words.filter((word) => /\.[cm]?[jt]s$/.test(word));
      if (named) return named;
      const name = `line-${block.place.split(':')[1]}`;
      if (block.language === 'ts') return `${name}.ts`;
      return /\brequire\(/.test(block.text) ? `${name}.cjs` : `${name}.mjs`;
    };
    let folder: string;
    before(() => {
      folder = makeFolder();
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('has examples, and runs nearly all of them', () => {
      assert.ok(code.length > 0);
      assert.ok(all.filter(({ words }) => words.includes('no-run')).length <= 1);
      const named = code.filter((block) => !nameOf(block).startsWith('line-'));
      for (const block of named) {
        const name = nameOf(block).replace(/\.ts$/, '.js');
        assert.ok(
          code.some(({ text }) => text.includes(`'./${name}'`)),
          `${block.place}: nothing imports ${name}`,
        );
      }
    });

    it('compiles, strictly', () => {
      const sources = code.filter(({ words }) => !words.includes('no-run')).map((block) => [nameOf(block), block.text]);
      assert.deepEqual(compile(folder, Object.fromEntries(sources)), []);
    });

    for (const block of code) {
      const name = nameOf(block);
      if (!name.startsWith('line-')) continue;
      it(`runs ${block.place}`, { skip: block.words.includes('no-run') }, async () => {
        const { ended, stderr } = await execute(folder, process.execPath, [name.replace(/\.ts$/, '.js')]);
        assert.equal(ended, 0, stderr);
        assert.equal(stderr, '');
      });
    }

    for (const { place, text, output, words } of commands) {
      // Setting up is not repeated here; the rest of the line is.
      const lines = text.split('\n').map((line) => line.replace(/^.*npm (ci|install)\b.*? && /, ''));
      for (const line of lines.filter((line) => /^[^#]*\bnpx shufflenet/.test(line))) {
        it(`runs ${place}: ${line}`, { skip: words.includes('no-run') }, async () => {
          const { ended, stdout, stderr } = await execute(folder, 'sh', ['-c', line]);
          assert.equal(ended, 0, stderr);
          if (output !== undefined && lines.length === 2) assertSimilar(stdout, output);
        });
      }
    }
  });
}

describe('the examples test', () => {
  const folder = makeFolder();
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('sees blocks, their words and what commands print', () => {
    const found = blocks('a\n```ts x.ts\nlet a;\n```\n\n```sh\nnpx shufflenet\n```\n```\nyes\n```\n', 'F');
    assert.deepEqual(
      found.map(({ place, language, words, output }) => [place, language, words, output]),
      [
        ['F:2', 'ts', ['x.ts'], undefined],
        ['F:6', 'sh', [], 'yes\n'],
        ['F:9', '', [], undefined],
      ],
    );
  });

  it('fails for a name that the package does not have', () => {
    const text = "import { ShuffleNet } from 'shufflenet-native';\nawait ShuffleNet.open();\n";
    assert.match(compile(folder, { 'wrong.ts': text }).join(), /^wrong.ts:2: Property 'open' does not exist/);
  });

  it('fails for an example that throws', async () => {
    const text = "import { ShuffleNet } from 'shufflenet-native';\nawait ShuffleNet.load('nowhere.safetensors');\n";
    assert.deepEqual(compile(folder, { 'throws.ts': text }), []);
    const { ended, stderr } = await execute(folder, process.execPath, ['throws.js']);
    assert.equal(ended, 1);
    assert.match(stderr, /ERR_FILE/);
  });

  it('fails for other output', () => {
    assert.throws(() => assertSimilar('0.325  cat', '0.325  dog'));
    assert.throws(() => assertSimilar('0.325  cat', '0.425  cat'));
    assertSimilar('0.325  cat\n', '0.326  cat');
  });
});

/** The same words, and numbers within what instruction sets and decoders differ by. */
function assertSimilar(actual: string, expected: string): void {
  const number = /\d+\.\d+/g;
  assert.equal(actual.replace(number, '#').trimEnd(), expected.replace(number, '#').trimEnd());
  const numbers = (text: string) => (text.match(number) ?? []).map(Number);
  numbers(expected).forEach((value, index) => {
    assert.ok(Math.abs(value - numbers(actual)[index]!) <= 0.005, `${numbers(actual)[index]}, expected ${value}`);
  });
}
