import type { Context, Group } from '../group';
import { profileNetworks, type Step } from '../profiles';
import { percent, short, Table } from '../table';

/** 'pwconv planes 240>60 g3 14x14 1/1' */
function shape(step: Step): string {
  const { kind, form, inputChannels, outputChannels, groups, height, width, kernel, stride } = step;
  return `${kind} ${form} ${inputChannels}>${outputChannels} g${groups} ${height}x${width} ${kernel}/${stride}`;
}

/** Every shape that occurs in the networks, once: kind, layout, channels, groups, output, window/stride. */
async function run(context: Context): Promise<object> {
  const found = new Map<string, Step>();
  for (const { steps } of await profileNetworks(context)) {
    for (const step of steps) if (!found.has(shape(step))) found.set(shape(step), step);
  }
  const rows = [...found]
    .filter(([, { multiplyAdds }]) => multiplyAdds > 0)
    .map(([label, step]) => ({ label, ...step }))
    .sort((a, b) => a.kind.localeCompare(b.kind) || b.height - a.height || a.shareOfPeak - b.shareOfPeak);
  const table = new Table(['kernel, shape', 'µs', 'GFLOP/s', 'of peak', 'MB'], 8, 44);
  for (const { label, milliseconds, gflops, shareOfPeak, bytes } of rows) {
    const megabytes = (bytes / 1e6).toFixed(2);
    table.row(label, short(1000 * milliseconds), short(gflops), percent(shareOfPeak), megabytes);
  }
  return { threads: 1, unit: 'ms', rows };
}

export const group: Group = {
  name: 'kernels',
  about: 'every shape of convolution in the networks, against the FMA peak measured in the same round',
  run,
};
