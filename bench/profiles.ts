import path from 'node:path';
import { ShuffleNet } from '../lib';
import type { ProfileStep } from '../lib/model/profile';
import type { Effort } from './field';
import type { Context } from './group';
import { networkName } from './network-files';
import { networks } from './networks';
import { median } from './statistics';

/** Medians over rounds, in each of which the peak is measured anew. */
export type Step = Pick<
  ProfileStep,
  'name' | 'kind' | 'form' | 'groups' | 'inputChannels' | 'outputChannels' | 'height' | 'width' | 'kernel' | 'stride'
> &
  Pick<ProfileStep, 'multiplyAdds' | 'bytes' | 'milliseconds' | 'gflops' | 'shareOfPeak'>;

export interface NetworkProfile {
  label: string;
  /** GFLOP/s of one thread. */
  peak: number;
  milliseconds: number;
  shareOfPeak: number;
  steps: Step[];
}

const size = { height: 224, width: 224 };

/** Profiles of the wanted networks, which take turns. */
export async function profileNetworks({ files, effort, row }: Context): Promise<NetworkProfile[]> {
  const models: { label: string; model: ShuffleNet }[] = [];
  for (const options of networks) {
    const label = networkName(options);
    if (!row(label)) continue;
    const job = await files.job(options, { batch: 1, ...size }, 1);
    models.push({ label, model: await ShuffleNet.load(path.join(job.directory, `${job.network}.safetensors`)) });
  }
  const profiles = models.map((): NetworkProfile[] => []);
  for (let round = -1; round < effort.rounds; round++) {
    for (const [i, { label, model }] of models.entries()) {
      const { peak, milliseconds, shareOfPeak, steps } = await model.profile({ ...size, runs: runs(effort) });
      if (round >= 0) profiles[i]!.push({ label, peak, milliseconds, shareOfPeak, steps });
    }
  }
  for (const { model } of models) model.close();
  return profiles.map(merge);
}

/** About as long as a turn: a run takes some milliseconds. */
function runs({ turn }: Effort): number {
  return Math.max(5, Math.round(turn / 5));
}

function merge(rounds: readonly NetworkProfile[]): NetworkProfile {
  const first = rounds[0]!;
  const middle = (value: (profile: NetworkProfile) => number) => median(rounds.map(value));
  return {
    label: first.label,
    peak: middle(({ peak }) => peak),
    milliseconds: middle(({ milliseconds }) => milliseconds),
    shareOfPeak: middle(({ shareOfPeak }) => shareOfPeak),
    steps: first.steps.map((step, i) => ({
      ...step,
      milliseconds: middle(({ steps }) => steps[i]!.milliseconds),
      gflops: middle(({ steps }) => steps[i]!.gflops),
      shareOfPeak: middle(({ steps }) => steps[i]!.shareOfPeak),
    })),
  };
}
