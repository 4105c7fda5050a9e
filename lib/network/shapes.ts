import { ShuffleNetError } from '../errors';
import type { Graph, Layer, Padding } from './layers';

interface Plane {
  height: number;
  width: number;
}

/** Of a layer's value for one image: NCHW without the N. */
export interface Shape extends Plane {
  channels: number;
}

/** Channels that each layer makes; they do not depend on the image size. */
export function layerChannels({ layers }: Graph): number[] {
  const channels: number[] = [];
  for (const layer of layers) {
    switch (layer.op) {
      case 'input':
        channels.push(layer.channels);
        break;
      case 'conv':
        channels.push(layer.outChannels);
        break;
      case 'fullyConnected':
        channels.push(layer.outFeatures);
        break;
      case 'concat':
        channels.push(channels[layer.inputs[0]]! + channels[layer.inputs[1]]!);
        break;
      default:
        channels.push(channels[firstInput(layer)]!);
    }
  }
  return channels;
}

function firstInput(layer: Exclude<Layer, { op: 'input' }>): number {
  return 'inputs' in layer ? layer.inputs[0] : layer.input;
}

/**
 * The shape of every layer's value for an image of height x width pixels.
 *
 * @throws ShuffleNetError ERR_INPUT when a plane is too small for a window or to be reflected, or when the paddings of
 * shortcut and branch make planes of different size (Caffe's pools on odd planes), naming the layer.
 */
export function layerShapes(graph: Graph, image: Plane): Shape[] {
  const channels = layerChannels(graph);
  const shapes: Shape[] = [];
  graph.layers.forEach((layer, index) => {
    shapes.push({ channels: channels[index]!, ...layerPlane(layer, shapes, image) });
  });
  return shapes;
}

function layerPlane(layer: Layer, shapes: readonly Shape[], image: Plane): Plane {
  const fail = (words: string): never => {
    throw new ShuffleNetError('ERR_INPUT', `image of ${sides(image)} (height x width): ${layer.name} ${words}`);
  };
  switch (layer.op) {
    case 'input':
      return plane(image);
    case 'globalPool':
    case 'fullyConnected':
      return { height: 1, width: 1 };
    case 'conv':
    case 'maxPool':
    case 'avgPool': {
      const { kernel, stride, padding } = layer;
      const from = shapes[layer.input]!;
      const height = windowCount(from.height, kernel, stride, padding);
      const width = windowCount(from.width, kernel, stride, padding);
      if (height < 1 || width < 1) fail(`cannot place a ${kernel}x${kernel} window on ${sides(from)}`);
      const mirrored = padding !== 'same' && padding.reflect ? Math.max(padding.begin, padding.end) : 0;
      if (Math.min(from.height, from.width) <= mirrored) fail(`has nothing to reflect on ${sides(from)}`);
      return { height, width };
    }
    case 'add':
    case 'concat': {
      const [a, b] = [shapes[layer.inputs[0]]!, shapes[layer.inputs[1]]!];
      if (a.height !== b.height || a.width !== b.width) fail(`cannot join planes of ${sides(a)} and ${sides(b)}`);
      return plane(a);
    }
    default:
      return plane(shapes[firstInput(layer)]!);
  }
}

function plane({ height, width }: Plane): Plane {
  return { height, width };
}

function sides({ height, width }: Plane): string {
  return `${height}x${width}`;
}

/** Windows along one axis of `size` cells, by the rules of Padding; below 1 when none fits. */
export function windowCount(size: number, kernel: number, stride: number, padding: Padding): number {
  if (padding === 'same') return Math.ceil(size / stride);
  const { begin, end, ceil = false } = padding;
  const steps = (size + begin + end - kernel) / stride;
  if (!ceil) return Math.floor(steps) + 1;
  const last = Math.ceil(steps);
  return last * stride >= size + begin ? last : last + 1;
}
