import type { SingleBar } from 'cli-progress';

/** Images done, images per second and time left, on the last line of a terminal that stderr is. */
export class Progress {
  readonly #started = performance.now();
  #bar: SingleBar | undefined;
  #total: number | undefined;
  #done = 0;
  #failed = 0;
  #stopped = false;

  /** Shows it, without time left where the total is not known. */
  start(total?: number): void {
    const { Format, SingleBar } = require('cli-progress') as typeof import('cli-progress');
    if (this.#stopped) return;
    this.#total = total;
    this.#bar = new SingleBar({
      format: (options, { progress, value }) => {
        const rate = value / ((performance.now() - this.#started) / 1000);
        const facts = [`${rate.toFixed(1)} images/s`, ...(this.#failed > 0 ? [`${this.#failed} failed`] : [])];
        if (total === undefined) return [`${value} images`, ...facts].join('  ');
        // From the start, as the library's own estimate begins anew after every line printed.
        if (value > 0) facts.splice(1, 0, `ETA ${Format.TimeFormat(Math.ceil((total - value) / rate), options, 1)}`);
        return [`[${Format.BarFormat(progress, options)}] ${value}/${total}`, ...facts].join('  ');
      },
      barsize: 24,
      clearOnComplete: true,
      linewrap: true,
    });
    this.#show();
    process.once('exit', () => this.stop());
  }

  count(failed: boolean): void {
    this.#done++;
    if (failed) this.#failed++;
    this.#bar?.update(this.#done);
  }

  /** Writes with the bar out of the way, where `stream` may be its terminal. */
  aside<T>(stream: NodeJS.WriteStream, write: () => T): T {
    if (!this.#bar || !stream.isTTY) return write();
    this.#bar.stop();
    try {
      return write();
    } finally {
      this.#show();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #show(): void {
    this.#bar?.start(this.#total ?? 0, this.#done);
  }
}
