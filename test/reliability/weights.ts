/**
 * Weights files that are cut off or changed: an error of this package's, or a network that gives what the sound file
 * gives (other finite values where only values of tensors changed). Never a crash, never another error.
 */
import { ShuffleNet, ShuffleNetError } from '../../lib';
import { ramp, round, seeded, smallFile, within, type Outcome } from './measure';

const codes = [
  'ERR_WEIGHTS_FORMAT',
  'ERR_WEIGHTS_TENSOR',
  'ERR_WEIGHTS_VALUE',
  'ERR_NETWORK',
  'ERR_FILE',
  'ERR_OPTION',
];
const mostMegabytes = 64;

export async function measure(short: boolean): Promise<Outcome> {
  const flips = short ? 1500 : 100_000;
  const sound = smallFile();
  const header = 8 + Number(sound.readBigUInt64LE(0));
  const image = ramp(32);
  const broken: string[] = [];
  const outcomes: Record<string, number> = {};
  const count = (outcome: string) => (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1);
  let slowest = 0;

  const logits = async (bytes: Uint8Array) => {
    const model = await ShuffleNet.load(bytes);
    const { data } = await model.run(image);
    model.close();
    return data;
  };
  const expected = (await logits(sound)).join();
  const attempt = async (bytes: Uint8Array, what: string, values: boolean) => {
    const from = performance.now();
    try {
      const data = await within(5000, what, logits(bytes));
      // Values of tensors may be anything, and so may sums of theirs.
      if (data.join() === expected) count('identical');
      else if (values) count('other values');
      else if (data.every(Number.isFinite)) count('another network');
      else broken.push(`${what}: not finite`);
    } catch (error) {
      if (!(error instanceof ShuffleNetError) || !codes.includes(error.code)) broken.push(`${what}: ${error}`);
      else count(error.code);
    }
    slowest = Math.max(slowest, performance.now() - from);
    return broken.length < 20;
  };

  for (let i = 0; i < 200; i++) await attempt(sound, 'the sound file', false);
  for (const key of Object.keys(outcomes)) delete outcomes[key];
  gc!();
  const before = process.memoryUsage.rss();

  const cuts: number[] = [];
  for (let length = 0; length <= header; length += short ? 7 : 1) cuts.push(length);
  for (let i = 0; i < 200; i++) cuts.push(header + Math.floor((i * (sound.length - header)) / 200));
  for (const length of cuts) if (!(await attempt(sound.subarray(0, length), `cut to ${length} bytes`, false))) break;
  if (outcomes['identical']) broken.push(`${outcomes['identical']} files that were cut off are taken for sound`);

  const random = seeded(2);
  for (let i = 0; i < flips; i++) {
    const bytes = Buffer.from(sound);
    // The header is where a byte decides most; every other flip is anywhere. A few are several at once.
    const end = i % 2 ? header : bytes.length;
    let values = true;
    for (let n = i % 10 === 0 ? 4 : 1; n > 0; n--) {
      const at = Math.floor(random() * end);
      bytes[at]! ^= 1 + Math.floor(random() * 255);
      values &&= at >= header;
    }
    if (!(await attempt(bytes, `flip ${i} of seed 2`, values))) break;
  }
  gc!();
  const grownMB = (process.memoryUsage.rss() - before) / 1e6;
  if (!(grownMB <= mostMegabytes)) broken.push(`${round(grownMB)} MB more resident memory`);
  const bytes = { header, all: sound.length };
  return {
    figures: { bytes, cuts: cuts.length, flips, outcomes, slowestMs: round(slowest), grownMB: round(grownMB) },
    broken,
  };
}
