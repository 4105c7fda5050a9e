/** What a file may make its reader allocate beyond the file's own bytes: taken before every allocation. */
export class Allowance {
  #left: number;

  constructor(
    private readonly bytes: number,
    /** The error when there is no more. */
    private readonly exceeded: (detail: string) => Error,
  ) {
    this.#left = bytes;
  }

  take(bytes: number, what: string): void {
    this.#left -= bytes;
    if (!(this.#left >= 0)) throw this.exceeded(`${what} would take more than the ${this.bytes} bytes allowed`);
  }
}

/** Copied or inflated tensors: those of the largest published ShuffleNet, 2x with 8 groups, are 26 MB in float32. */
export const tensorAllowance = 32 * 2 ** 20;
