import { buildGraph } from './graph';
import type { Graph } from './layers';
import { layerChannels } from './shapes';
import type { Network } from './table';

/** `mean` and `variance` are the running statistics of batch norm: stored, but not trained. */
export type ParameterKind = 'weight' | 'bias' | 'gamma' | 'beta' | 'mean' | 'variance';

export interface Parameter {
  /** Convolution [out, in / groups, kernel, kernel], fully connected [out, in], the rest [channels]. */
  shape: number[];
  kind: ParameterKind;
}

/** Every tensor of a network by name, in the order of its layers. */
export function parameters(network: Network): Map<string, Parameter> {
  return graphParameters(buildGraph(network));
}

export function graphParameters(graph: Graph): Map<string, Parameter> {
  const channels = layerChannels(graph);
  const found = new Map<string, Parameter>();
  const add = (name: string | undefined, kind: ParameterKind, ...shape: number[]) => {
    if (name !== undefined) found.set(name, { shape, kind });
  };
  for (const layer of graph.layers) {
    if (layer.op === 'conv') {
      const { outChannels, kernel } = layer;
      add(layer.weight, 'weight', outChannels, channels[layer.input]! / layer.groups, kernel, kernel);
      add(layer.bias, 'bias', outChannels);
    } else if (layer.op === 'fullyConnected') {
      add(layer.weight, 'weight', layer.outFeatures, channels[layer.input]!);
      add(layer.bias, 'bias', layer.outFeatures);
    } else if (layer.op === 'batchNorm') {
      for (const kind of ['gamma', 'beta', 'mean', 'variance'] as const) add(layer[kind], kind, channels[layer.input]!);
    }
  }
  return found;
}
