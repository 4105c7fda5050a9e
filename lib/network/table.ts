import { isDeepStrictEqual } from 'node:util';
import { ShuffleNetError } from '../errors';
import type { Padding } from './layers';
import type { Groups, NetworkOptions, Variant } from './options';
import {
  check,
  checkFields,
  either,
  flag,
  integer,
  isRecord,
  oneOf,
  padding,
  positive,
  three,
  type Check,
} from './validate';

/** Output channels of stages 2, 3 and 4 at 1x (paper, Table 1). */
export const stageWidths: Readonly<Record<Groups, readonly [number, number, number]>> = {
  1: [144, 288, 576],
  2: [200, 400, 800],
  3: [240, 480, 960],
  4: [272, 544, 1088],
  8: [384, 768, 1536],
};

/** Units of stages 2, 3 and 4, the first one included (paper, Table 1: 1 + 3, 1 + 7, 1 + 3). */
export const stageUnits = [4, 8, 4] as const;

/** Channels after conv1 at 1x (paper, Table 1). */
export const stemWidth = 24;

/** Channels of an image. */
export const imageChannels = 3;

/** The paper's network. */
export const defaultVariant: Readonly<Variant> = {
  shuffleOrder: 'standard',
  shufflePlace: 'beforeDepthwise',
  shuffleFirstUnit: true,
  firstUnitGconv1: 'one',
  firstUnitGconv2: 'groups',
  concatOrder: 'shortcutBranch',
  concatRelu: 'afterConcat',
  bottleneck: 'out',
  stemStride: 2,
  stemPadding: { begin: 1, end: 1 },
  stemBatchNorm: true,
  stemRelu: true,
  maxPool: true,
  maxPoolPadding: { begin: 1, end: 1 },
  stage2Stride: 2,
  avgPoolKernel: 3,
  avgPoolPadding: { begin: 1, end: 1 },
  avgPoolCountPadding: true,
  depthwisePadding: { begin: 1, end: 1 },
  globalPool: 'avg',
  batchNormEpsilon: 1e-5,
  batchNormGamma: true,
  stemBias: false,
  convBias: false,
  batchNorm: true,
  fcBias: true,
};

/** A ShuffleNet unit (paper, Figure 2 b and c). Widths in channels. */
export interface Unit {
  /** Input. */
  readonly in: number;
  /** Bottleneck: what gconv1 makes and the depthwise convolution keeps. */
  readonly mid: number;
  /** What gconv2 makes: out - in where the unit concatenates, else out. */
  readonly branch: number;
  /** Output. */
  readonly out: number;
  /** Of the depthwise convolution, in pixels. */
  readonly stride: 1 | 2;
  /** How shortcut and branch meet. */
  readonly combine: 'concat' | 'add';
  /** Of the 1x1 convolution before the depthwise one. */
  readonly gconv1Groups: number;
  /** Of the 1x1 convolution after it. */
  readonly gconv2Groups: number;
  /** Shuffles `mid` channels in the network's groups. */
  readonly shuffle: boolean;
}

/** Units at one resolution. */
export interface Stage {
  /** Its number in Table 1. */
  readonly stage: 2 | 3 | 4;
  /** In order of execution. */
  readonly units: readonly Unit[];
}

/** Options with every default filled in, and the widths that follow (stageChannels: those of `stages`). Plain data. */
export interface Network {
  /** Of the grouped convolutions. */
  readonly groups: Groups;
  /** Width multiplier. */
  readonly scale: number;
  /** Logits. */
  readonly classes: number;
  /** After conv1. */
  readonly stemChannels: number;
  /** Bottleneck width over unit width. */
  readonly bottleneckRatio: number;
  /** Whether channels are shuffled. */
  readonly shuffle: boolean;
  /** Whether each stage has half its units. */
  readonly shallow: boolean;
  /** null: none. */
  readonly squeezeExcitation: { readonly reduction: number } | null;
  /** Conventions in which published networks differ. */
  readonly variant: Readonly<Variant>;
  /** Stages 2, 3 and 4. */
  readonly stages: readonly [Stage, Stage, Stage];
}

const reductionCheck = integer(1, 4096);
const convPaddingCheck = padding(3);

const optionChecks: Readonly<Record<keyof NetworkOptions, Check>> = {
  groups: oneOf(1, 2, 3, 4, 8),
  scale: positive(16),
  stageChannels: three(integer(1, 65536), 'three integers from 1 to 65536'),
  classes: integer(1, 1_000_000),
  stemChannels: integer(1, 4096),
  bottleneckRatio: positive(1),
  shuffle: flag,
  shallow: flag,
  squeezeExcitation: { expected: 'true, false or { reduction }', accepts: (v) => flag.accepts(v) || isRecord(v) },
  variant: { expected: 'an object', accepts: isRecord },
};

const variantChecks: Readonly<Record<keyof Variant, Check>> = {
  shuffleOrder: oneOf('standard', 'inverse'),
  shufflePlace: oneOf('beforeDepthwise', 'afterDepthwise'),
  shuffleFirstUnit: flag,
  firstUnitGconv1: oneOf('one', 'groups'),
  firstUnitGconv2: oneOf('one', 'groups'),
  concatOrder: oneOf('shortcutBranch', 'branchShortcut'),
  concatRelu: oneOf('afterConcat', 'branch', 'none'),
  bottleneck: oneOf('out', 'branch', 'none'),
  stemStride: oneOf(1, 2),
  stemPadding: convPaddingCheck,
  stemBatchNorm: flag,
  stemRelu: flag,
  maxPool: flag,
  maxPoolPadding: padding(3, 'ceil'),
  stage2Stride: oneOf(1, 2),
  avgPoolKernel: oneOf(2, 3),
  avgPoolPadding: padding(3, 'ceil', 'reflect'),
  avgPoolCountPadding: flag,
  depthwisePadding: either(convPaddingCheck, three(convPaddingCheck, 'three of them, for stages 2, 3 and 4')),
  globalPool: oneOf('avg', 'max'),
  batchNormEpsilon: positive(1),
  batchNormGamma: flag,
  stemBias: flag,
  convBias: flag,
  batchNorm: flag,
  fcBias: flag,
};

/**
 * Fills in the defaults and works out every width.
 *
 * @throws ShuffleNetError ERR_OPTION for an unknown option or a value of the wrong type or range; ERR_NETWORK when the
 * widths cannot be built, naming the stage, the unit and the division that fails.
 */
export function resolveNetwork(options: NetworkOptions = {}): Network {
  checkFields('network options', '', options, optionChecks);
  const { groups = 3, scale = 1, classes = 1000, bottleneckRatio = 1 / 4, shuffle = true, shallow = false } = options;
  const network = {
    groups,
    scale,
    classes,
    stemChannels: options.stemChannels ?? roundToMultiple(stemWidth * scale, groups),
    bottleneckRatio,
    shuffle,
    shallow,
    squeezeExcitation: resolveSqueezeExcitation(options.squeezeExcitation),
    variant: resolveVariant(options.variant),
  };
  return { ...network, stages: resolveStages(network, options.stageChannels ?? stageChannels(groups, scale)) };
}

/** Options that make this network: what `shufflenet.config` says. */
export function networkOptions({ stages, squeezeExcitation, ...options }: Network): NetworkOptions {
  const [stage2, stage3, stage4] = stages.map(({ units }) => units[0]!.out) as [number, number, number];
  const regular = stageChannels(options.groups, options.scale);
  return {
    ...options,
    ...(!isDeepStrictEqual(regular, [stage2, stage3, stage4]) && { stageChannels: [stage2, stage3, stage4] }),
    squeezeExcitation: squeezeExcitation ?? false,
  };
}

/** Output channels of stages 2, 3 and 4 by the rounding rule. */
export function stageChannels(groups: Groups, scale: number): [number, number, number] {
  const [stage2, stage3, stage4] = stageWidths[groups];
  const rounded = (width: number) => roundToMultiple(width * scale, groups);
  return [rounded(stage2), rounded(stage3), rounded(stage4)];
}

function resolveSqueezeExcitation(option: NetworkOptions['squeezeExcitation'] = false): Network['squeezeExcitation'] {
  if (typeof option === 'boolean') return option ? { reduction: 16 } : null;
  checkFields('squeezeExcitation', 'squeezeExcitation.', option, { reduction: reductionCheck });
  check('squeezeExcitation.reduction', option.reduction, reductionCheck);
  return { reduction: option.reduction };
}

function resolveVariant(option: Partial<Variant> = {}): Variant {
  checkFields('variant', 'variant.', option, variantChecks);
  const given = Object.fromEntries(Object.entries(option).filter(([, value]) => value !== undefined));
  const variant: Variant = { ...defaultVariant, ...given };
  if (variant.avgPoolKernel === 2) {
    if (option.avgPoolPadding === undefined) variant.avgPoolPadding = { begin: 0, end: 0 };
    check('variant.avgPoolPadding', variant.avgPoolPadding, padding(2, 'ceil'));
  }
  const { avgPoolPadding, avgPoolCountPadding } = variant;
  if (avgPoolPadding !== 'same' && avgPoolPadding.reflect) {
    check('variant.avgPoolCountPadding', avgPoolCountPadding, {
      expected: 'true, as avgPoolPadding reflects',
      accepts: (value) => value === true,
    });
  }
  // Copies: the network must not change with the caller's objects.
  for (const key of ['stemPadding', 'maxPoolPadding', 'avgPoolPadding'] as const) {
    variant[key] = copyPadding(variant[key]);
  }
  const { depthwisePadding: strided } = variant;
  variant.depthwisePadding = Array.isArray(strided)
    ? [copyPadding(strided[0]), copyPadding(strided[1]), copyPadding(strided[2])]
    : copyPadding(strided);
  return variant;
}

function copyPadding(value: Padding): Padding {
  return typeof value === 'string' ? value : { ...value };
}

function resolveStages(network: Omit<Network, 'stages'>, widths: readonly number[]): Network['stages'] {
  let channels = network.stemChannels;
  const build = (stage: 2 | 3 | 4): Stage => {
    const out = widths[stage - 2]!;
    const count = stageUnits[stage - 2]! / (network.shallow ? 2 : 1);
    const units = Array.from({ length: count }, (_, index) => {
      const unit = resolveUnit(network, stage, index, channels, out);
      channels = out;
      return unit;
    });
    return { stage, units };
  };
  return [build(2), build(3), build(4)];
}

function resolveUnit(
  { groups, bottleneckRatio, shuffle, variant }: Omit<Network, 'stages'>,
  stage: 2 | 3 | 4,
  index: number,
  inChannels: number,
  out: number,
): Unit {
  const first = stage === 2 && index === 0;
  const concat = index === 0;
  const branch = concat ? out - inChannels : out;
  const branchWords = concat ? `${out} - ${inChannels} = ${branch}` : `${branch}`;
  const fail = (words: string): never => {
    throw new ShuffleNetError('ERR_NETWORK', `stage ${stage}, unit ${index}: ${words}`);
  };
  if (branch <= 0) fail(`gconv2 would make ${branchWords} channels, the stage must be wider than its input`);

  const bottlenecks = {
    out: () => roundToMultiple(bottleneckRatio * out, groups),
    branch: () => roundToMultiple(bottleneckRatio * branch, groups),
    none: () => (concat && !first ? inChannels : branch),
  };
  const unit: Unit = {
    in: inChannels,
    mid: bottlenecks[variant.bottleneck](),
    branch,
    out,
    stride: concat ? (first ? variant.stage2Stride : 2) : 1,
    combine: concat ? 'concat' : 'add',
    gconv1Groups: first && variant.firstUnitGconv1 === 'one' ? 1 : groups,
    gconv2Groups: first && variant.firstUnitGconv2 === 'one' ? 1 : groups,
    // A shuffle of one group is the identity.
    shuffle: shuffle && groups > 1 && (!first || variant.shuffleFirstUnit),
  };

  const divide = (words: string, channels: number, by: number) => {
    if (channels % by !== 0) fail(`${words} channels, which ${by} groups do not divide`);
  };
  divide(`gconv1 reads ${unit.in}`, unit.in, unit.gconv1Groups);
  divide(`gconv1 makes ${unit.mid}`, unit.mid, unit.gconv1Groups);
  if (unit.shuffle) divide(`the shuffle permutes ${unit.mid}`, unit.mid, groups);
  divide(`gconv2 reads ${unit.mid}`, unit.mid, unit.gconv2Groups);
  divide(`gconv2 makes ${branchWords}`, branch, unit.gconv2Groups);
  return unit;
}

/** The rounding rule of NetworkOptions. */
export function roundToMultiple(width: number, groups: number): number {
  // The small term keeps ties ties: 0.145 * 100 is a little below 14.5.
  return Math.max(1, Math.floor(width / groups + 0.5 + 1e-9)) * groups;
}
