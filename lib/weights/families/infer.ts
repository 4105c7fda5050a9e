import { ShuffleNetError } from '../../errors';
import type { Groups, NetworkOptions, Variant } from '../../network/options';
import { roundToMultiple, stageChannels, stageWidths, stemWidth } from '../../network/table';
import { bothNames, firstTen, formatShape, quote } from '../json';

type Shaped = ReadonlyMap<string, { shape: readonly number[]; from?: string }>;

/** A concat unit and the one after it, of one stage. Widths in channels, `*Reads` those of one group. */
interface StageShape {
  out: number;
  units: { in: number; mid: number; branch: number; gconv1Reads: number; gconv2Reads: number; concat: boolean }[];
}

/** The tensors whose shapes tell the network, by canonical name, and how many axes they have. */
export const telling: ReadonlyMap<string, number> = new Map([
  ['conv1.weight', 4],
  ...[2, 3, 4].flatMap((stage) =>
    [0, 1].flatMap((unit) =>
      ['gconv1', 'gconv2'].map((layer): [string, number] => [`stage${stage}.${unit}.${layer}.weight`, 4]),
    ),
  ),
  ['fc.weight', 2],
]);

/**
 * The network that tensors of these shapes, by canonical name and in PyTorch order, belong to. What shapes do not tell
 * is `variant`'s; where they contradict its groups of the first unit or its bottleneck, they win.
 *
 * Throws ERR_WEIGHTS_TENSOR naming the tensors that are missing, or whose shapes no network has.
 */
export function inferNetwork(tensors: Shaped, variant: Partial<Variant>, file: string): NetworkOptions {
  const refuse = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${file}: ${detail}`);
  const wrong: string[] = [];
  for (const [name, rank] of telling) {
    const { shape, from = name } = tensors.get(name) ?? {};
    if (!shape) wrong.push(`${quote(name)} is missing`);
    else if (shape.length !== rank || shape.some((length) => length < 1)) {
      wrong.push(`${bothNames(name, from)} has shape ${formatShape(shape)}, expected ${rank} axes, none of them empty`);
    }
  }
  if (wrong.length > 0) throw refuse(`the network cannot be told: ${firstTen(wrong)}`);
  const size = (name: string, axis: number): number => tensors.get(`${name}.weight`)!.shape[axis]!;

  const stem = size('conv1', 0);
  const stages: StageShape[] = [];
  for (const stage of [2, 3, 4]) {
    const out = size(`stage${stage}.1.gconv2`, 0);
    const units = [0, 1].map((index) => {
      const unit = `stage${stage}.${index}`;
      return {
        in: index === 1 ? out : (stages.at(-1)?.out ?? stem),
        mid: size(`${unit}.gconv1`, 0),
        branch: size(`${unit}.gconv2`, 0),
        gconv1Reads: size(`${unit}.gconv1`, 1),
        gconv2Reads: size(`${unit}.gconv2`, 1),
        concat: index === 0,
      };
    });
    stages.push({ out, units });
  }

  const [first, second] = stages[0]!.units as [StageShape['units'][0], StageShape['units'][0]];
  const groups = second.in / second.gconv1Reads;
  if (!isGroups(groups)) {
    throw refuse(
      `"stage2.1.gconv1.weight" reads ${second.gconv1Reads} of ${second.in} channels, ` +
        `which makes ${groups} groups; expected 1, 2, 3, 4 or 8`,
    );
  }
  const ofGroups = (channels: number, read: number): 'one' | 'groups' => (channels === read ? 'one' : 'groups');
  const widths = stages.map(({ out }) => out) as [number, number, number];
  const scale = regularScale(groups, widths);
  const nearest = scale ?? nearestScale(groups, widths);
  const { kind, ratio } = bottleneck(groups, stages, variant.bottleneck ?? 'out');
  const reduction = squeezeExcitation(tensors, widths);
  return {
    groups,
    scale: nearest,
    classes: tensors.get('fc.weight')!.shape[0]!,
    ...(scale === undefined && { stageChannels: widths }),
    ...(stem !== roundToMultiple(stemWidth * nearest, groups) && { stemChannels: stem }),
    bottleneckRatio: ratio,
    shallow: !tensors.has('stage2.2.gconv1.weight'),
    ...(reduction !== undefined && { squeezeExcitation: { reduction } }),
    variant: {
      ...variant,
      // One group is both.
      ...(groups > 1 && {
        firstUnitGconv1: ofGroups(first.in, first.gconv1Reads),
        firstUnitGconv2: ofGroups(first.mid, first.gconv2Reads),
      }),
      bottleneck: kind,
    },
  };
}

/** Which of the parameters that some variants lack a network has, by canonical names. */
export function presentParameters(names: { has(name: string): boolean }): Partial<Variant> {
  const batchNorm = names.has('stage2.0.gconv1.bn.running_mean');
  return {
    batchNorm,
    ...(batchNorm && {
      stemBatchNorm: names.has('conv1.bn.running_mean'),
      batchNormGamma: names.has('stage2.0.gconv1.bn.weight'),
    }),
    stemBias: names.has('conv1.bias'),
    convBias: names.has('stage2.0.gconv1.bias'),
    fcBias: names.has('fc.bias'),
  };
}

function isGroups(value: number): value is Groups {
  return Object.hasOwn(stageWidths, value);
}

function regularScale(groups: Groups, widths: readonly number[]): number | undefined {
  const fits = (scale: number) => stageChannels(groups, scale).every((width, i) => width === widths[i]);
  const bounds = widths.map((width, i) => halves(width, stageWidths[groups][i]!, groups));
  return simplest([1, 0.5, 0.25, 0.75, 1.5, 2], bounds, (scale) => scale > 0 && scale <= 16 && fits(scale));
}

function nearestScale(groups: Groups, widths: readonly number[]): number {
  const [, median] = widths.map((width, i) => width / stageWidths[groups][i]!).sort((a, b) => a - b);
  return Math.min(16, Math.max(0.01, Number(median!.toFixed(2))));
}

/** The first rule that fits all widths; the family's where none does, for the error about shapes that follows. */
function bottleneck(
  groups: Groups,
  stages: StageShape[],
  usual: Variant['bottleneck'],
): { kind: Variant['bottleneck']; ratio: number } {
  for (const kind of new Set<Variant['bottleneck']>([usual, 'out', 'branch', 'none'])) {
    if (kind === 'none') {
      const width = (stage: number, unit: StageShape['units'][0]) => (unit.concat && stage > 0 ? unit.in : unit.branch);
      if (stages.every(({ units }, stage) => units.every((unit) => unit.mid === width(stage, unit)))) {
        return { kind, ratio: 1 / 4 };
      }
      continue;
    }
    const pairs = stages.flatMap(({ out, units }) =>
      units.map(({ mid, branch }) => ({ mid, of: kind === 'out' ? out : branch })),
    );
    const ratio = simplest(
      [1 / 4, 1 / 2, 1 / 8, 1 / 16, 1 / 3, 1 / 6, 1],
      pairs.map(({ mid, of }) => halves(mid, of, groups)),
      (ratio) => ratio > 0 && ratio <= 1 && pairs.every(({ mid, of }) => roundToMultiple(ratio * of, groups) === mid),
    );
    if (ratio !== undefined) return { kind, ratio };
  }
  return { kind: usual, ratio: 1 / 4 };
}

function squeezeExcitation(tensors: Shaped, widths: readonly number[]): number | undefined {
  const hidden = [2, 3, 4].map((stage) => tensors.get(`stage${stage}.0.se.fc1.weight`)?.shape[0]);
  if (hidden[0] === undefined) return undefined;
  const usual = [16, 8, 4, 2, 32];
  const fits = (reduction: number) =>
    widths.every((width, i) => Math.max(1, Math.round(width / reduction)) === hidden[i]);
  return usual.find(fits) ?? Math.min(4096, Math.max(1, Math.round(widths[2]! / (hidden[2] ?? 1))));
}

/** Between which factors of `of` the rounding rule gives `width`. */
function halves(width: number, of: number, groups: number): [number, number] {
  return [(width - groups / 2) / of, (width + groups / 2) / of];
}

/** The first of `usual` that fits, else the number of fewest decimals within all of `bounds` that does. */
function simplest(usual: number[], bounds: [number, number][], fits: (value: number) => boolean): number | undefined {
  const middle = (Math.max(...bounds.map(([low]) => low)) + Math.min(...bounds.map(([, high]) => high))) / 2;
  const decimals = [1, 2, 3, 4, 5, 6, 7].map((digits) => Number(middle.toFixed(digits)));
  return [...usual, ...decimals, middle].find(fits);
}
