import { ShuffleNetError } from '../errors';
import { buildGraph } from '../network/graph';
import type { Layer } from '../network/layers';
import { networkOptions, resolveNetwork, type Network } from '../network/table';
import { withFileNames, type Weights } from '../weights/load';
import { floatValues } from '../weights/values';

/** A network that has no batch norm, and its tensors by canonical name. */
export interface FoldedWeights {
  network: Network;
  tensors: Map<string, Float32Array>;
}

/**
 * The same function with every batch norm folded into the convolution before it, in double precision: the network whose
 * variant says `batchNorm: false`, and that network's tensors. Throws ERR_WEIGHTS_VALUE for values that are not finite
 * and variances that are not positive.
 */
export function foldBatchNorm(weights: Weights): FoldedWeights {
  try {
    return fold(weights);
  } catch (error) {
    throw withFileNames(error, weights);
  }
}

function fold({ network, tensors: stored }: Weights): FoldedWeights {
  const { variant } = network;
  const tensors = new Map<string, Float32Array>();
  const read = (name: string) => floatValues(stored[name]!, name);
  const { layers } = buildGraph(network);
  layers.forEach((layer, index) => {
    if (layer.op !== 'conv' && layer.op !== 'fullyConnected') return;
    const weight = read(layer.weight);
    const bias = layer.bias === undefined ? undefined : read(layer.bias);
    const norm = layers[index + 1];
    if (norm?.op !== 'batchNorm') {
      tensors.set(layer.weight, weight);
      if (bias) tensors.set(`${layer.name}.bias`, bias);
      return;
    }
    const channels = batchNorm(norm, read);
    tensors.set(layer.weight, scaleRows(weight, channels));
    tensors.set(
      `${layer.name}.bias`,
      Float32Array.from(channels, ({ factor, mean, beta }, c) => ((bias ? bias[c]! : 0) - mean) * factor + beta),
    );
  });
  return {
    network: resolveNetwork({
      ...networkOptions(network),
      variant: {
        ...variant,
        batchNorm: false,
        stemBias: variant.stemBias || (variant.batchNorm && variant.stemBatchNorm),
        convBias: variant.convBias || variant.batchNorm,
      },
    }),
    tensors,
  };
}

/** y = (x - mean) * factor + beta, for each channel. */
function batchNorm(
  { gamma, beta, mean, variance, epsilon }: Extract<Layer, { op: 'batchNorm' }>,
  read: (name: string) => Float32Array,
): { factor: number; mean: number; beta: number }[] {
  const [means, variances] = [read(mean), read(variance)];
  const gammas = gamma === undefined ? undefined : read(gamma);
  const betas = beta === undefined ? undefined : read(beta);
  return Array.from(variances, (value, c) => {
    if (value <= 0) {
      throw new ShuffleNetError(
        'ERR_WEIGHTS_VALUE',
        `tensor '${variance}' holds ${value} at index ${c}; variances must be positive`,
      );
    }
    return {
      factor: (gammas ? gammas[c]! : 1) / Math.sqrt(value + epsilon),
      mean: means[c]!,
      beta: betas ? betas[c]! : 0,
    };
  });
}

function scaleRows(weights: Float32Array, channels: { factor: number }[]): Float32Array {
  const width = weights.length / channels.length;
  return weights.map((value, i) => value * channels[Math.floor(i / width)]!.factor);
}
