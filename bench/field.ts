import { Contestant } from './contestant';
import { start as startXnnpack } from './contestants/xnnpack';
import { Absent, type Job } from './job';
import { median, ratios, summarize, type Summary } from './statistics';

export const ours = 'shufflenet-native';
/** runSync(): without the way to another thread and back. */
export const oursSync = 'runSync';
/** Two calls of run() at once. */
export const oursTwice = 'two at once';

/** Who can run a job. */
const contestants: Readonly<Record<string, (entrant: Entrant) => Promise<Contestant>>> = {
  [ours]: ({ name, job, isa }) => Contestant.startNode(name, 'native', job, force(isa)),
  [oursSync]: ({ name, job, isa }) => Contestant.startNode(name, 'nativeSync', job, force(isa)),
  [oursTwice]: ({ name, job }) => Contestant.startNode(name, 'nativePair', job),
  'onnxruntime-node': ({ name, job }) => Contestant.startNode(name, 'onnxruntimeNode', job),
  'onnxruntime-web': ({ name, job }) => Contestant.startNode(name, 'onnxruntimeWeb', job),
  'tfjs wasm': ({ name, job }) => Contestant.startNode(name, 'tfjsWasm', job),
  'tfjs cpu': ({ name, job }) => Contestant.startNode(name, 'tfjsCpu', job),
  'tfjs-node': ({ name, job }) =>
    Contestant.startNode(name, 'tfjsNode', job, {
      TF_NUM_INTRAOP_THREADS: String(job.threads),
      TF_NUM_INTEROP_THREADS: '1',
    }),
  XNNPACK: ({ name, job }) => startXnnpack(name, job),
};

export const peerNames = Object.keys(contestants).filter((name) => ![ours, oursSync, oursTwice].includes(name));

function force(isa: string | undefined): Record<string, string> {
  return isa === undefined ? {} : { SHUFFLENET_ISA: isa };
}

export interface Entrant {
  /** Unique in its field. */
  name: string;
  /** Key of `contestants`. */
  contestant: string;
  job: Job;
  /** Forces one of ours. */
  isa?: string;
}

/** The contestants that are here, and why the others are not. */
export interface Field {
  present: Contestant[];
  absent: Record<string, string>;
}

/**
 * Starts contestants and checks that those with the same network and image size compute the same logits for the images
 * that their inputs have in common. Rejects where one does not.
 */
export async function startField(entrants: readonly Entrant[]): Promise<Field> {
  const field: Field = { present: [], absent: {} };
  try {
    const ofJob = new Map<string, Contestant[]>();
    for (const entrant of entrants) {
      const { network, height, width } = entrant.job;
      const job = `${network} ${height}x${width}`;
      try {
        const contestant = await contestants[entrant.contestant]!(entrant);
        field.present.push(contestant);
        ofJob.set(job, [...(ofJob.get(job) ?? []), contestant]);
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        field.absent[entrant.name] = error.message;
      }
    }
    for (const same of ofJob.values()) await checkParity(same);
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
  for (const other of others) {
    const problem = parityProblem(expected, await other.logits());
    if (problem !== undefined) throw new Error(`${other.name} computes something else than ${first.name}: ${problem}`);
  }
}

/** Why these are not the same logits, as far as both go; undefined where they are. */
export function parityProblem(expected: readonly number[], logits: readonly number[]): string | undefined {
  const common = Math.min(expected.length, logits.length);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < common; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    difference = Math.max(difference, Math.abs(expected[i]! - logits[i]!));
  }
  if (!(largest > 0 && largest < 1e6)) return `the largest logit is ${largest}`;
  if (difference <= tolerance * largest) return undefined;
  return `logits differ by ${difference}, the largest is ${largest}`;
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

export interface Race {
  /** By the names of entrants. */
  times: Record<string, Times>;
  versions: Record<string, string>;
  absent: Record<string, string>;
}

/** All entrants in turn, round after round, the first round not counted. Rejects where they do not compute the same. */
export async function race(entrants: readonly Entrant[], { rounds, turn }: Effort): Promise<Race> {
  const field = await startField(entrants);
  const { present, absent } = field;
  try {
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
    const times = (_: Contestant, i: number): Times => ({
      summary: summarize(medians[i]!),
      fastest: fastest[i]!,
      rounds: medians[i]!,
    });
    return {
      times: Object.fromEntries(present.map((contestant, i) => [contestant.name, times(contestant, i)])),
      versions: Object.fromEntries(present.map(({ name, version }) => [name, version])),
      absent,
    };
  } finally {
    closeField(field);
  }
}

/** How many times as long as `base` each other takes, within a round. */
export function ratiosTo(base: string, times: Readonly<Record<string, Times>>): Record<string, Summary> {
  const others = Object.entries(times).filter(([name]) => name !== base);
  return Object.fromEntries(others.map(([name, { rounds }]) => [name, ratios(rounds, times[base]!.rounds)]));
}
