import { buildGraph, stageOutput } from './graph';
import type { Layer } from './layers';
import type { Groups, NetworkOptions } from './options';
import { graphParameters } from './parameters';
import { layerShapes, type Shape } from './shapes';
import { resolveNetwork, type Network } from './table';
import { checkFields, integer } from './validate';

/** Smallest and largest image side, in pixels. */
export const imageSides = { min: 32, max: 4096 } as const;

/** In pixels, each from 32 to 4096. Default 224 (paper, Table 1). */
export interface ImageSize {
  /** Default 224. */
  height?: number;
  /** Default 224. */
  width?: number;
}

export interface LayerComplexity {
  name: string;
  op: Layer['op'];
  /** Of the layer's value for one image. */
  output: Shape;
  multiplyAdds: number;
}

/** For one image. Only convolutions and fully connected layers count, as in the paper. */
export interface Complexity {
  layers: LayerComplexity[];
  multiplyAdds: number;
  /** Without the fully connected layers. */
  convMultiplyAdds: number;
  /** Trained values: weights, biases, gammas and betas. */
  parameters: number;
  /** Batch norm's running means and variances. */
  statistics: number;
}

/**
 * Multiply-adds and parameters (paper, Tables 1, 2 and 5).
 *
 * @throws ShuffleNetError ERR_OPTION for a size outside 32 to 4096; ERR_INPUT when this network's paddings do not suit
 * the size.
 */
export function complexity(network: Network, size: ImageSize = {}): Complexity {
  const side = integer(imageSides.min, imageSides.max);
  checkFields('image size', '', size, { height: side, width: side });
  const { height = 224, width = 224 } = size;

  const graph = buildGraph(network);
  const shapes = layerShapes(graph, { height, width });
  const layers = graph.layers.map((layer, index) => ({
    name: layer.name,
    op: layer.op,
    output: shapes[index]!,
    multiplyAdds: layerMultiplyAdds(layer, shapes, shapes[index]!),
  }));
  let [trained, statistics] = [0, 0];
  for (const { shape, kind } of graphParameters(graph).values()) {
    const count = shape.reduce((product, length) => product * length, 1);
    if (kind === 'mean' || kind === 'variance') statistics += count;
    else trained += count;
  }
  const sum = (counted: LayerComplexity[]) => counted.reduce((total, layer) => total + layer.multiplyAdds, 0);
  return {
    layers,
    multiplyAdds: sum(layers),
    convMultiplyAdds: sum(layers.filter(({ op }) => op === 'conv')),
    parameters: trained,
    statistics,
  };
}

function layerMultiplyAdds(layer: Layer, shapes: Shape[], { channels, height, width }: Shape): number {
  switch (layer.op) {
    case 'conv':
      return height * width * channels * (shapes[layer.input]!.channels / layer.groups) * layer.kernel ** 2;
    case 'fullyConnected':
      return channels * shapes[layer.input]!.channels;
    default:
      return 0;
  }
}

/** A line of the paper's Table 1; null where the column is empty. */
export interface TableRow {
  /** Image, Conv1, MaxPool, Stage2, Stage3, Stage4, GlobalPool or FC. */
  layer: string;
  /** In pixels. */
  output: { height: number; width: number };
  /** In pixels. */
  kernel: { height: number; width: number } | null;
  /** Of the first layer or unit; in pixels. */
  stride: number | null;
  /** How many layers or units of this kind follow each other. */
  repeat: number | null;
  /** Of the output. */
  channels: number;
}

/** The paper's Table 1 for one network. */
export interface NetworkTable {
  /** Of the network's grouped convolutions. */
  groups: Groups;
  /** Width multiplier. */
  scale: number;
  /** From the image to the classifier. */
  rows: TableRow[];
  /** For one image, of convolutions and the classifier. */
  multiplyAdds: number;
  /** For one image, without the classifier, as in the paper. */
  convMultiplyAdds: number;
  /** Trained values. */
  parameters: number;
}

/** Table 1 of the paper for these options. JSON-friendly. Throws as resolveNetwork and complexity do. */
export function networkTable(options: NetworkOptions = {}, size: ImageSize = {}): NetworkTable {
  const network = resolveNetwork(options);
  const { groups, scale, variant } = network;
  const { layers, multiplyAdds, convMultiplyAdds, parameters } = complexity(network, size);

  const row = (layer: string, index: number, columns: Partial<TableRow> = {}): TableRow => {
    const { channels, height, width } = layers[index]!.output;
    return { layer, output: { height, width }, kernel: null, stride: null, repeat: null, channels, ...columns };
  };
  const named = (name: string) => layers.findIndex((layer) => layer.name === name);
  const three = { height: 3, width: 3 };
  const rows = [
    row('Image', named('input')),
    row('Conv1', named('conv1'), { kernel: three, stride: variant.stemStride, repeat: 1 }),
  ];
  if (variant.maxPool) rows.push(row('MaxPool', named('maxpool'), { kernel: three, stride: 2 }));
  for (const { stage, units } of network.stages) {
    const output = stageOutput({ layers }, stage);
    rows.push(row(`Stage${stage}`, output, { stride: units[0]!.stride, repeat: 1 }));
    rows.push(row(`Stage${stage}`, output, { stride: 1, repeat: units.length - 1 }));
  }
  const { height, width } = layers[stageOutput({ layers }, 4)]!.output;
  rows.push(row('GlobalPool', named('globalpool'), { kernel: { height, width } }), row('FC', named('fc')));
  return { groups, scale, rows, multiplyAdds, convMultiplyAdds, parameters };
}
