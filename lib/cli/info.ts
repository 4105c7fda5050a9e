import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import { fromNative } from '../model/native-error';
import { binding } from '../native/binding';
import { complexity } from '../network/complexity';
import { defaultVariant } from '../network/table';
import { checkChecksum } from '../weights/convert';
import { loadWeights } from '../weights/load';
import { millions, print, printable, toJson } from './output';

export interface InfoCommandOptions {
  family?: string;
  json?: boolean;
}

/** Prints what a weights file holds and what would run it. Without `file`: the package's own. */
export async function infoCommand(
  given: string | undefined,
  { family: wanted, json = false }: InfoCommandOptions,
): Promise<void> {
  const weights = await loadWeights(given, { family: wanted });
  const { file, format, family, network, preprocess, labels, source, license, accuracy } = weights;
  const { variant, stages, ...architecture } = network;
  const changed = Object.entries(variant).filter(
    ([key, value]) => !isDeepStrictEqual(value, defaultVariant[key as keyof typeof defaultVariant]),
  );
  const { multiplyAdds, parameters } = complexity(network, preprocess.crop);
  const contents = await readFile(file);
  const bytes = contents.length;
  const sha256 = createHash('sha256').update(contents).digest('hex');
  checkChecksum(contents, weights);
  if (json) {
    const units = stages.map(({ stage, units }) => ({ stage, units: units.length, channels: units[0]!.out }));
    print(
      toJson({
        file,
        bytes,
        sha256,
        format,
        family,
        network: { ...architecture, stages: units, variant: Object.fromEntries(changed) },
        labels: labels !== undefined,
        preprocess,
        parameters,
        multiplyAdds,
        backend: backend(),
        accuracy,
        source,
        license,
      }),
    );
    return;
  }

  const { groups, scale, classes, stemChannels, bottleneckRatio, shuffle, shallow, squeezeExcitation } = network;
  const { resize, crop, channelOrder, scale: pixelScale, mean, std } = preprocess;
  const { isa, available } = backend();
  const extras = [
    !shuffle && 'no shuffle',
    shallow && 'shallow',
    squeezeExcitation && `squeeze-and-excitation, reduction ${squeezeExcitation.reduction}`,
    bottleneckRatio !== 1 / 4 && `bottleneck ratio ${bottleneckRatio}`,
  ];
  const short = (value: unknown) => inspect(value, { breakLength: Infinity });
  const numbers = (values: number[]) => values.map((value) => Number(value.toPrecision(4))).join(' ');
  const widths = [stemChannels, ...stages.map(({ units }) => units[0]!.out)];
  const facts: [string, string | undefined][] = [
    ['weights', file],
    ['size', `${(bytes / 1e6).toFixed(1)} MB`],
    ['sha256', sha256],
    ['format', format],
    ['family', family],
    ['network', [`ShuffleNet ${scale}x, g = ${groups}`, ...extras.filter(Boolean)].join(', ')],
    ['variant', changed.map(([key, value]) => `${key} ${short(value)}`).join(', ') || undefined],
    ['channels', widths.join(', ')],
    ['classes', `${classes}, ${labels ? 'with labels' : 'without labels'}`],
    ['image', `shorter side to ${resize.shorterSide} (${resize.kernel}), crop ${crop.height}x${crop.width}`],
    ['pixels', `${channelOrder} x ${numbers([pixelScale])}, mean ${numbers(mean)}, std ${numbers(std)}`],
    ['parameters', parameters.toLocaleString('en')],
    ['multiply-adds', `${millions(multiplyAdds)} at ${crop.height}x${crop.width}`],
    ['backend', `${isa} (available: ${available.join(', ')})`],
    ['accuracy', accuracy],
    ['source', source],
    ['license', license],
  ];
  for (const [name, text] of facts) if (text !== undefined) print(`${name.padEnd(15)}${printable(text)}`);
}

function backend(): { isa: string; available: string[] } {
  try {
    return binding().backend();
  } catch (error) {
    throw fromNative(error);
  }
}
