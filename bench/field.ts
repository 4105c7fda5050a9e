import { Contestant } from './contestant';
import { start as startXnnpack } from './contestants/xnnpack';
import { Absent, type Job } from './job';
import { median, ratios, summarize, type Summary } from './statistics';

export const ours = 'shufflenet-native';
/** runSync(): without the way to another thread and back. */
export const oursSync = 'runSync';

/** Who can run a job, by the name it has in tables. */
export const contestants: Readonly<Record<string, (name: string, job: Job) => Promise<Contestant>>> = {
  [ours]: (name, job) => Contestant.startNode(name, 'native', job),
  [oursSync]: (name, job) => Contestant.startNode(name, 'nativeSync', job),
  'onnxruntime-node': (name, job) => Contestant.startNode(name, 'onnxruntimeNode', job),
  'onnxruntime-web': (name, job) => Contestant.startNode(name, 'onnxruntimeWeb', job),
  XNNPACK: (_, job) => startXnnpack(job),
};

/** The contestants of one job that are here, and why the others are not. */
export interface Field {
  present: Contestant[];
  absent: Record<string, string>;
}

/** Starts contestants and checks that they all compute the same. Rejects where one does not. */
export async function startField(names: readonly string[], job: Job): Promise<Field> {
  const field: Field = { present: [], absent: {} };
  try {
    for (const name of names) {
      try {
        field.present.push(await contestants[name]!(name, job));
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        field.absent[name] = error.message;
      }
    }
    await checkParity(field.present);
    return field;
  } catch (error) {
    closeField(field);
    throw error;
  }
}

export function closeField({ present }: Field): void {
  for (const contestant of present) contestant.close();
}

/** Logits of float32 sums in another order: they may differ by this share of the largest. */
const tolerance = 1e-4;

async function checkParity([first, ...others]: readonly Contestant[]): Promise<void> {
  if (first === undefined) return;
  const expected = await first.logits();
  const largest = Math.max(...expected.map(Math.abs));
  if (!(largest > 0 && largest < 1e6)) throw new Error(`${first.name}: logits are not sane, the largest is ${largest}`);
  for (const other of others) {
    const logits = await other.logits();
    if (logits.length !== expected.length) {
      throw new Error(`${other.name} gives ${logits.length} logits, ${first.name} ${expected.length}`);
    }
    const difference = Math.max(...logits.map((value, i) => Math.abs(value - expected[i]!)));
    if (!(difference <= tolerance * largest)) {
      throw new Error(
        `${other.name} computes something else than ${first.name}: logits differ by ${difference}, ` +
          `the largest is ${largest}`,
      );
    }
  }
}

export interface Effort {
  /** Counted rounds. */
  rounds: number;
  /** Milliseconds of one contestant's turn in a round; at least one run. */
  turn: number;
}

/** Milliseconds of one run. */
export interface Times {
  /** Over the rounds: each round's median. */
  rounds: number[];
  summary: Summary;
  /** Of all runs. */
  fastest: number;
}

/** All contestants in turn, round after round, the first round not counted. */
export async function race(present: readonly Contestant[], { rounds, turn }: Effort): Promise<Record<string, Times>> {
  const medians = present.map((): number[] => []);
  const fastest = present.map(() => Infinity);
  for (let round = -1; round < rounds; round++) {
    for (const [i, contestant] of present.entries()) {
      const times = await contestant.turn(turn);
      if (round < 0) continue;
      medians[i]!.push(median(times));
      fastest[i] = Math.min(fastest[i]!, ...times);
    }
  }
  return Object.fromEntries(
    present.map(({ name }, i) => [
      name,
      { rounds: medians[i]!, summary: summarize(medians[i]!), fastest: fastest[i]! },
    ]),
  );
}

/** How many times as long as `base` each other takes, within a round. */
export function ratiosTo(base: string, times: Readonly<Record<string, Times>>): Record<string, Summary> {
  const others = Object.entries(times).filter(([name]) => name !== base);
  return Object.fromEntries(others.map(([name, { rounds }]) => [name, ratios(rounds, times[base]!.rounds)]));
}
