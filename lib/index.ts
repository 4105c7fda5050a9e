export { ShuffleNetError, type ShuffleNetErrorCode } from './errors';
export type { Image, ImageOptions, Pixels } from './image/decode';
export type { Preprocess, ResizeKernel } from './image/preprocess';
export type { Prediction } from './model/prediction';
export type { Profile, ProfileOptions, ProfileStep, Timing } from './model/profile';
export {
  ShuffleNet,
  type Backend,
  type CallOptions,
  type Classified,
  type ClassifyAllOptions,
  type ClassifyOptions,
  type LoadOptions,
  type Precision,
  type OutputOptions,
  type RunOptions,
  type WeightsOrigin,
} from './model/shufflenet';
export type { Features, Logits, Tensor } from './model/tensor';
export { networkTable, type ImageSize, type NetworkTable, type TableRow } from './network/complexity';
export type { Padding } from './network/layers';
export type { Groups, NetworkOptions, Variant } from './network/options';
export type { Network, Stage, Unit } from './network/table';
export { exportOnnx, type ExportOnnxOptions } from './onnx/export';
export { convertWeights, type ConvertOptions } from './weights/convert';
export type { WeightsOptions } from './weights/load';
