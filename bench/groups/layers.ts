import type { Context, Group } from '../group';
import { profileNetworks, type NetworkProfile } from '../profiles';
import type { KindShare, LayersRow } from '../results';
import { percent, short, Table } from '../table';

/** Where a network's time goes, by the kind of step. */
function byKind({ peak, steps }: NetworkProfile): KindShare[] {
  const total = steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return [...new Set(steps.map(({ kind }) => kind))].map((kind) => {
    const ofKind = steps.filter((step) => step.kind === kind);
    const milliseconds = ofKind.reduce((sum, step) => sum + step.milliseconds, 0);
    const multiplyAdds = ofKind.reduce((sum, step) => sum + step.multiplyAdds, 0);
    const gflops = (2 * multiplyAdds) / milliseconds / 1e6;
    const shareOfTime = milliseconds / total;
    return { kind, steps: ofKind.length, milliseconds, shareOfTime, multiplyAdds, gflops, shareOfPeak: gflops / peak };
  });
}

async function run(context: Context): Promise<object> {
  const rows: LayersRow[] = [];
  const table = new Table(['network', 'kind', 'steps', 'ms', 'of time', 'GFLOP/s', 'of peak'], 10, 10);
  for (const profile of await profileNetworks(context)) {
    const kinds = byKind(profile);
    rows.push({ ...profile, kinds });
    for (const { kind, steps, milliseconds, shareOfTime, multiplyAdds, gflops, shareOfPeak } of kinds) {
      const speed = multiplyAdds > 0 ? [short(gflops), percent(shareOfPeak)] : [];
      table.row(profile.label, kind, String(steps), short(milliseconds), percent(shareOfTime), ...speed);
    }
    const speed = [short(profile.peak * profile.shareOfPeak), percent(profile.shareOfPeak)];
    table.row(profile.label, 'run', '', short(profile.milliseconds), '', ...speed);
  }
  return { threads: 1, batch: 1, height: 224, width: 224, unit: 'ms', rows };
}

export const group: Group = {
  name: 'layers',
  about: 'where the time of each network goes, by kind of layer, against the FMA peak; steps are in the JSON',
  run,
};
