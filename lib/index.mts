// Node.js finds the names of a CommonJS module for ES modules only where it can tell them from its text; these it can.
export { ShuffleNet, ShuffleNetError, convertWeights, exportOnnx, networkTable } from './index.js';
export type * from './index.js';
