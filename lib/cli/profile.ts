import { timing, type Profile, type ProfileStep, type Timing } from '../model/profile';
import { ShuffleNet, type Precision } from '../model/shufflenet';
import type { ImageSize } from '../network/complexity';
import { columns, millions, print, printable, toJson } from './output';

export interface ProfileCommandOptions {
  weights?: string;
  family?: string;
  threads?: number;
  precision?: Precision;
  size?: Required<ImageSize>;
  runs?: number;
  json?: boolean;
}

/** Prints where the time of a run goes, step by step. */
export async function profileCommand(options: ProfileCommandOptions): Promise<void> {
  const { weights, family, threads = 1, precision = 'fp32', size, runs, json = false } = options;
  const model = await ShuffleNet.load(weights, { family, threads, precision });
  const profile = await model.profile({ ...size, ...(runs !== undefined && { runs }) });
  print(json ? toJson(profile) : format(profile));
}

function format({ isa, threads, peak, height, width, runs, steps, ...whole }: Profile): string {
  const add = (summed: ProfileStep[], value: (step: ProfileStep) => number) =>
    summed.reduce((sum, step) => sum + value(step), 0);
  const total = add(steps, ({ milliseconds }) => milliseconds);
  const costNames = ['ms', 'min ms', 'of time', 'mult-adds', 'GFLOP/s', 'of peak', 'moved'];
  const costs = ({ milliseconds, minMilliseconds, multiplyAdds, gflops, shareOfPeak }: Timing, bytes: number) => [
    milliseconds.toFixed(3),
    minMilliseconds.toFixed(3),
    percent(milliseconds / total),
    ...(multiplyAdds > 0 ? [millions(multiplyAdds), gflops.toFixed(1), percent(shareOfPeak)] : ['', '', '']),
    `${(bytes / 1e6).toFixed(2)} MB`,
  ];

  const rows = steps.map((step) => [
    printable(step.name),
    step.kind,
    step.form,
    String(step.groups),
    `${step.inputChannels} > ${step.outputChannels}`,
    `${step.height}x${step.width}`,
    `${step.kernel}/${step.stride}`,
    ...costs(step, step.bytes),
  ]);
  const sum = (name: string, summed: ProfileStep[]) => {
    const times = timing(
      add(summed, ({ milliseconds }) => milliseconds),
      add(summed, ({ minMilliseconds }) => minMilliseconds),
      add(summed, ({ multiplyAdds }) => multiplyAdds),
      threads * peak,
    );
    return [
      name,
      String(summed.length),
      ...costs(
        times,
        add(summed, ({ bytes }) => bytes),
      ),
    ];
  };
  const kinds = [...new Set(steps.map(({ kind }) => kind))];

  return [
    `${height}x${width}, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${runs} runs`,
    `whole run: median ${whole.milliseconds.toFixed(3)} ms, least ${whole.minMilliseconds.toFixed(3)} ms, ` +
      `${whole.gflops.toFixed(1)} GFLOP/s, ${percent(whole.shareOfPeak)} of peak`,
    `peak: ${peak.toFixed(1)} GFLOP/s a thread`,
    '',
    columns([['Step', 'kind', 'layout', 'groups', 'channels', 'output', 'window', ...costNames], ...rows]),
    '',
    columns([
      ['Kind', 'steps', ...costNames],
      ...kinds.map((kind) =>
        sum(
          kind,
          steps.filter((step) => step.kind === kind),
        ),
      ),
      sum('all', steps),
    ]),
  ].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
