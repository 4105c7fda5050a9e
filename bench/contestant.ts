import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Absent, type Job } from './job';

/**
 * One process that runs one job, so that contestants share neither heap nor threads. Lines on its stdout answer lines on
 * its stdin:
 *
 *     (start)     ready VERSION, or absent REASON
 *     turn MS     milliseconds of single runs, for about MS ms after warming up
 *     logits      of a run
 *
 * It sleeps in between and ends with its stdin.
 */
export class Contestant {
  version = '';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  private constructor(
    readonly name: string,
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: 'pipe' });
    child.stderr.on('data', (text) => (this.#errors = `${this.#errors}${text}`.slice(-4000)));
    // A contestant that died is told by the end of its stdout.
    child.stdin.on('error', () => {});
    child.on('error', (error) => (this.#errors += error.message));
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** Rejects with Absent where the peer is not installed. */
  static async start(
    name: string,
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Contestant> {
    const contestant = new Contestant(name, command, args, environment);
    try {
      const [word, ...rest] = (await contestant.#line()).split(' ');
      if (word === 'absent') throw new Absent(rest.join(' '));
      contestant.version = rest.join(' ');
      return contestant;
    } catch (error) {
      contestant.close();
      throw error;
    }
  }

  /** One of bench/contestants. */
  static startNode(
    name: string,
    kind: string,
    job: Job,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Contestant> {
    const script = path.join(__dirname, 'contestants/main.js');
    return Contestant.start(name, process.execPath, [script, kind, JSON.stringify(job)], environment);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  logits(): Promise<number[]> {
    return this.#ask('logits');
  }

  /** Milliseconds of single runs. */
  turn(budget: number): Promise<number[]> {
    return this.#ask(`turn ${budget}`);
  }

  close(): void {
    this.#child.stdin?.end();
  }

  async #ask(request: string): Promise<number[]> {
    this.#child.stdin?.write(`${request}\n`);
    const numbers = (await this.#line()).split(' ').map(Number);
    if (numbers.some(Number.isNaN)) throw new Error(`${this.name}: answered ${request} with what are not numbers`);
    return numbers;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name}: ended early; ${this.#errors.trim() || 'it said nothing'}`);
    return value;
  }
}
