import { imageSides, type ImageSize } from '../network/complexity';
import { buildGraph } from '../network/graph';
import { networkOptions } from '../network/table';
import { anything, check, checkFields, integer, type Check } from '../network/validate';
import { loadWeights, weightsChecks, type WeightsOptions } from '../weights/load';
import { writeMetadata } from '../weights/metadata';

/** Of exportOnnx(). */
export interface ExportOnnxOptions extends WeightsOptions {
  /**
   * The only image size that the model takes, in pixels, sides of 32 to 4096: for runtimes that want one, and with
   * fewer operators. Default: any size. The batch may have any size in both.
   */
  size?: Required<ImageSize>;
}

const optionChecks: Readonly<Record<keyof ExportOnnxOptions, Check>> = {
  size: anything,
  ...weightsChecks,
};

/**
 * A network as an ONNX model (opset 13), for other runtimes. `input` is float32 [batch, 3, height, width], resized and
 * normalised already; `logits` is [batch, classes]. Batch norm is folded into the convolutions. The model's metadata
 * say how to prepare images and what the classes are: `shufflenet.config` (of the folded network),
 * `shufflenet.preprocess`, `shufflenet.labels` and so on, as in weights files. Computes on the calling thread, some 40 ms
 * for a million weights.
 *
 * @param weights What ShuffleNet.load() takes. Default: the package's own.
 * @returns The bytes of an .onnx file.
 * @throws ShuffleNetError (rejects) ERR_FILE, ERR_WEIGHTS_FORMAT, ERR_WEIGHTS_TENSOR, ERR_WEIGHTS_VALUE for the file;
 * ERR_OPTION, ERR_NETWORK for the arguments; ERR_INPUT when the network's paddings do not suit `size`.
 */
export async function exportOnnx(
  weights?: string | URL | Uint8Array,
  options: ExportOnnxOptions = {},
): Promise<Uint8Array> {
  checkFields('options', '', options, optionChecks);
  const { size, ...weightsOptions } = options;
  if (size !== undefined) checkSize(size);
  const loaded = await loadWeights(weights, weightsOptions);
  // Who never exports need not wait for these.
  const { foldBatchNorm } = require('./fold') as typeof import('./fold');
  const { onnxGraph } = require('./model') as typeof import('./model');
  const { encodeModel } = require('./encode') as typeof import('./encode');
  const { network, tensors } = foldBatchNorm(loaded);
  const { version } = require('../../../package.json') as { version: string };
  return encodeModel({
    graph: onnxGraph(buildGraph(network), tensors, size),
    version,
    metadata: writeMetadata(loaded, networkOptions(network)),
  });
}

function checkSize(size: Required<ImageSize>): void {
  const side = integer(imageSides.min, imageSides.max);
  checkFields('size', 'size.', size, { height: side, width: side });
  check('size.height', size.height, side);
  check('size.width', size.width, side);
}
