import type { NetworkOptions } from '../lib/network/options';

/** Of the paper's Table 1 and Table 2, in the order of the reports. */
export const networks = [
  { scale: 1, groups: 1 },
  { scale: 1, groups: 2 },
  { scale: 1, groups: 3 },
  { scale: 1, groups: 4 },
  { scale: 1, groups: 8 },
  { scale: 0.5, groups: 3 },
  // The paper's 0.5x (g = 8) cannot be rounded to a stem of 12: public weights have 24.
  { scale: 0.5, groups: 8, stemChannels: 24 },
  { scale: 1.5, groups: 3 },
  { scale: 2, groups: 3 },
] as const satisfies readonly NetworkOptions[];
