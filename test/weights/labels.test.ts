import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imagenetNames, parseLabels, readLabels } from '../../lib/weights/labels';
import { failure } from './files';

const pairs = [
  ['n01440764', 'tench, Tinca tinca'],
  ['n01443537', 'goldfish'],
] as const;
const labels = pairs.map(([, label]) => label);
const synsets = pairs.map(([synset]) => synset);

test("ImageNet's classes are 1000, in the order of their synsets", () => {
  const names = imagenetNames();
  assert.deepEqual([names.labels.length, names.synsets.length, new Set(names.synsets).size], [1000, 1000, 1000]);
  assert.deepEqual(names.synsets, [...names.synsets].sort());
  for (const [index, synset, label] of [
    [0, 'n01440764', 'tench, Tinca tinca'],
    [134, 'n02012849', 'crane'],
    [281, 'n02123045', 'tabby, tabby cat'],
    [285, 'n02124075', 'Egyptian cat'],
    [517, 'n03126707', 'crane'],
    [999, 'n15075141', 'toilet tissue, toilet paper, bathroom tissue'],
  ] as const) {
    assert.deepEqual([names.synsets[index], names.labels[index]], [synset, label]);
  }
});

test('who changes the names that were given does not change those that others are given', () => {
  imagenetNames().labels[0] = 'pike';
  assert.equal(imagenetNames().labels[0], 'tench, Tinca tinca');
});

const sound: [string, string, { labels: readonly string[]; synsets?: readonly string[] }][] = [
  ['a name a line', 'tench, Tinca tinca\ngoldfish\n', { labels }],
  ["a byte order mark, Windows' ends of line, spaces", '\ufefftench, Tinca tinca \r\n  goldfish\r\n\r\n', { labels }],
  ['a synset and a name a line', 'n01440764 tench, Tinca tinca\nn01443537\tgoldfish', { labels, synsets }],
  ['synsets alone', 'n01440764\nn01443537\n', { labels: synsets, synsets }],
  [
    'a name that looks like a synset among others',
    'n01440764 tench\ngoldfish',
    { labels: ['n01440764 tench', 'goldfish'] },
  ],
  ['a JSON array', JSON.stringify(labels), { labels }],
  ['a JSON object from index to name, in any order', '{"1":"goldfish","0":"tench, Tinca tinca"}', { labels }],
  ["Keras' class index", JSON.stringify({ ...pairs }), { labels, synsets }],
  ['a JSON array of pairs', JSON.stringify(pairs), { labels, synsets }],
  ['a name of Object.prototype', '["__proto__","constructor"]', { labels: ['__proto__', 'constructor'] }],
];
for (const [what, text, names] of sound) {
  test(`reads ${what}`, () => assert.deepEqual(parseLabels(text, 'x'), names));
}

const broken: [string, string, ...string[]][] = [
  ['an empty file', '', 'line 1 is empty'],
  ['a blank line', 'tench\n\ngoldfish\n', 'line 2', 'class 1'],
  ['cut JSON', '["tench"', 'JSON'],
  ['no names', '[]', 'no names'],
  ['an object without an index', '{"0":"tench","2":"goldfish"}', '2 names', 'none for class 1', '"0" to "1"'],
  ['an index twice', '{"0":"tench","0":"goldfish"}', '"0" occurs twice'],
  ['a number for a name', '["tench",2]', 'class 0', 'is "tench"'],
  ['a pair without a name', '[["n01440764"]]', 'class 0', '"n01440764"'],
  ['a pair without a synset', '[["tench","n01440764"]]', 'class 0', '["tench", "n01440764"]'],
  ['a synset twice', 'n01440764 tench\nn01440764 pike', '"n01440764" occurs twice'],
];
for (const [what, text, ...parts] of broken) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseLabels(text, 'names.txt'), failure('ERR_OPTION', 'names.txt: ', ...parts));
  });
}

test('a file that is not there is an error of the file', async () => {
  await assert.rejects(readLabels('no/names.txt'), failure('ERR_FILE', 'no/names.txt'));
});
