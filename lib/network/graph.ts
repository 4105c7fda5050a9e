import type { Graph, Layer, Padding } from './layers';
import { imageChannels, type Network, type Stage, type Unit } from './table';

/** A layer still without its name; distributes over the union of layers. */
type Operation<L = Layer> = L extends Layer ? Omit<L, 'name'> : never;

const one: Padding = { begin: 1, end: 1 };
const zero: Padding = { begin: 0, end: 0 };

/**
 * The layers of a network, from the image to the logits. Layers are named after the parameters they own:
 * `conv1`, `stage2.0.gconv1`, `stage2.0.gconv1.bn`, ..., `fc`; the others after their place: `conv1.relu`, `maxpool`,
 * `stage2.0.shuffle`, `stage2.0.avgpool`, `stage2.0.concat`, `stage2.1.add`, `stage2.0.relu`, `globalpool`.
 */
export function buildGraph(network: Network): Graph {
  const { variant } = network;
  const layers: Layer[] = [];
  const push = (name: string, operation: Operation): number => layers.push({ name, ...operation } as Layer) - 1;

  const conv = (
    name: string,
    input: number,
    shape: { outChannels: number; kernel: number; stride: number; groups: number; padding: Padding },
    { bias, batchNorm }: { bias: boolean; batchNorm: boolean },
  ): number => {
    const output = push(name, {
      op: 'conv',
      input,
      ...shape,
      weight: `${name}.weight`,
      ...(bias && { bias: `${name}.bias` }),
    });
    if (!batchNorm) return output;
    const bn = `${name}.bn`;
    return push(bn, {
      op: 'batchNorm',
      input: output,
      epsilon: variant.batchNormEpsilon,
      ...(variant.batchNormGamma && { gamma: `${bn}.weight` }),
      beta: `${bn}.bias`,
      mean: `${bn}.running_mean`,
      variance: `${bn}.running_var`,
    });
  };

  const fullyConnected = (name: string, input: number, outFeatures: number, bias: boolean): number =>
    push(name, {
      op: 'fullyConnected',
      input,
      outFeatures,
      weight: `${name}.weight`,
      ...(bias && { bias: `${name}.bias` }),
    });

  const relu = (name: string, input: number): number => push(name, { op: 'relu', input });

  const avgPool = (name: string, input: number): number =>
    push(name, {
      op: 'avgPool',
      input,
      kernel: variant.avgPoolKernel,
      stride: 2,
      padding: variant.avgPoolPadding,
      countPadding: variant.avgPoolCountPadding,
    });

  const stridedPadding = (stage: Stage['stage']): Padding => {
    const { depthwisePadding: padding } = variant;
    return Array.isArray(padding) ? padding[stage - 2]! : padding;
  };

  /** Squeeze-and-excitation of a unit's branch, before it meets the shortcut (paper, Table 5 "with SE"). */
  const squeezeExcitation = (prefix: string, input: number, { branch, out }: Unit, reduction: number): number => {
    let x = push(`${prefix}.pool`, { op: 'globalPool', input, mode: 'avg' });
    x = fullyConnected(`${prefix}.fc1`, x, Math.max(1, Math.round(out / reduction)), true);
    x = relu(`${prefix}.relu`, x);
    x = fullyConnected(`${prefix}.fc2`, x, branch, true);
    x = push(`${prefix}.sigmoid`, { op: 'sigmoid', input: x });
    return push(`${prefix}.scale`, { op: 'scale', inputs: [input, x] });
  };

  const unitLayers = (stage: Stage['stage'], prefix: string, input: number, unit: Unit): number => {
    const { mid, stride } = unit;
    const parameters = { bias: variant.convBias, batchNorm: variant.batchNorm };
    const pointwise = (name: string, from: number, outChannels: number, groups: number): number =>
      conv(name, from, { outChannels, kernel: 1, stride: 1, groups, padding: zero }, parameters);
    const shuffle = (from: number): number => {
      // Undoing a shuffle of g groups is a shuffle of C/g groups.
      const groups = variant.shuffleOrder === 'standard' ? network.groups : mid / network.groups;
      return push(`${prefix}.shuffle`, { op: 'shuffle', input: from, groups });
    };

    let x = pointwise(`${prefix}.gconv1`, input, mid, unit.gconv1Groups);
    x = relu(`${prefix}.gconv1.relu`, x);
    if (unit.shuffle && variant.shufflePlace === 'beforeDepthwise') x = shuffle(x);
    const padding = stride === 2 ? stridedPadding(stage) : one;
    x = conv(`${prefix}.dwconv`, x, { outChannels: mid, kernel: 3, stride, groups: mid, padding }, parameters);
    if (unit.shuffle && variant.shufflePlace === 'afterDepthwise') x = shuffle(x);
    x = pointwise(`${prefix}.gconv2`, x, unit.branch, unit.gconv2Groups);
    if (network.squeezeExcitation) {
      x = squeezeExcitation(`${prefix}.se`, x, unit, network.squeezeExcitation.reduction);
    }

    if (unit.combine === 'add') {
      return relu(`${prefix}.relu`, push(`${prefix}.add`, { op: 'add', inputs: [input, x] }));
    }
    if (variant.concatRelu === 'branch') x = relu(`${prefix}.gconv2.relu`, x);
    const shortcut = stride === 1 ? input : avgPool(`${prefix}.avgpool`, input);
    x = push(`${prefix}.concat`, {
      op: 'concat',
      inputs: variant.concatOrder === 'shortcutBranch' ? [shortcut, x] : [x, shortcut],
    });
    return variant.concatRelu === 'afterConcat' ? relu(`${prefix}.relu`, x) : x;
  };

  let x = push('input', { op: 'input', channels: imageChannels });
  x = conv(
    'conv1',
    x,
    {
      outChannels: network.stemChannels,
      kernel: 3,
      stride: variant.stemStride,
      groups: 1,
      padding: variant.stemPadding,
    },
    { bias: variant.stemBias, batchNorm: variant.batchNorm && variant.stemBatchNorm },
  );
  if (variant.stemRelu) x = relu('conv1.relu', x);
  if (variant.maxPool) {
    x = push('maxpool', { op: 'maxPool', input: x, kernel: 3, stride: 2, padding: variant.maxPoolPadding });
  }
  for (const { stage, units } of network.stages) {
    units.forEach((unit, index) => (x = unitLayers(stage, `stage${stage}.${index}`, x, unit)));
  }
  x = push('globalpool', { op: 'globalPool', input: x, mode: variant.globalPool });
  return { output: fullyConnected('fc', x, network.classes, variant.fcBias), layers };
}

/** Index of the layer that holds the output of a stage. */
export function stageOutput({ layers }: { layers: readonly { name: string }[] }, stage: Stage['stage']): number {
  return layers.findLastIndex(({ name }) => name.startsWith(`stage${stage}.`));
}

/** The graph, tapped where features() and embed() look: the outputs of stages 2, 3 and 4, and of the global pool. */
export function withTaps(
  graph: Graph,
): Graph & { taps: [stage2: number, stage3: number, stage4: number, pool: number] } {
  const pool = graph.layers.findIndex(({ name }) => name === 'globalpool');
  return { ...graph, taps: [stageOutput(graph, 2), stageOutput(graph, 3), stageOutput(graph, 4), pool] };
}
