/** Seeded (mulberry32): every run of the benchmark computes the same. */
export class Random {
  constructor(private state: number) {}

  /** In [low, high). */
  between(low: number, high: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return low + ((high - low) * ((t ^ (t >>> 14)) >>> 0)) / 2 ** 32;
  }

  floats(length: number, low: number, high: number): Float32Array {
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++) values[i] = this.between(low, high);
    return values;
  }
}
