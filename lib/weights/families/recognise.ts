import { ShuffleNetError } from '../../errors';
import { quote } from '../json';
import type { StoredFile } from '../stored';
import { familiesByNames } from './by-names';
import { canonical } from './canonical';
import type { Family, Recognised, Resemblance } from './family';
import { caffe, onnx } from './graphs';
import { unwrapped } from './names';

/** In the order in which they are tried. */
export const families: readonly Family[] = [canonical, ...familiesByNames, onnx, caffe];

/** A network by groups with its optimizer's state comes to some 2000. Who has more need not be looked at for long. */
const mostTensors = 20_000;

/**
 * What a file is, by its names, shapes and graph; or as `wanted`, a family's name, says. Throws ERR_WEIGHTS_TENSOR for
 * a file that is no known family's, naming the nearest ones and what does not fit; ERR_OPTION for an unknown `wanted`.
 */
export function recognise(file: StoredFile, name: string, wanted?: string): Recognised & { family: Family } {
  const refuse = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${name}: ${detail}`);
  if (file.tensors.size > mostTensors) {
    throw refuse(`does not look like ShuffleNet V1: ${file.tensors.size} tensors, expected at most ${mostTensors}`);
  }
  const family = wanted === undefined ? families.find((family) => family.matches(file)) : familyNamed(wanted);
  if (!family) throw refuse(whyUnknown(file));
  const resemblance = family.compare?.(file);
  if (resemblance && resemblance.missing.length > 0) {
    throw refuse(`not all of what family ${family.name} has: ${misfits(resemblance)}`);
  }
  return { family, ...family.read(file, name) };
}

export function familyNamed(name: unknown): Family {
  const family = families.find((family) => family.name === name);
  if (family) return family;
  const known = families.map((family) => family.name).join(', ');
  const given = typeof name === 'string' ? quote(name) : String(name);
  throw new ShuffleNetError('ERR_OPTION', `options.family: expected one of ${known}, got ${given}`);
}

/** Networks that are taken for ShuffleNet V1. */
const others: [string, RegExp[]][] = [
  ['ShuffleNet V2 of megvii-model/ShuffleNet-Series', [/(?:^|\.)features\.0\.branch_(?:main|proj)\.0\.weight$/]],
  ['ShuffleNet V2 of torchvision', [/(?:^|\.)stage2\.0\.branch1\.0\.weight$/, /(?:^|\.)conv5\.0\.weight$/]],
  ['ShuffleNet V2 of pytorchcv', [/(?:^|\.)features\.stage1\.unit1\.dw_conv4\.weight$/]],
  ['ShuffleNet V2 of mmpretrain', [/(?:^|\.)layers\.0\.0\.branch1\.0\.conv\.weight$/]],
];

function whyUnknown(file: StoredFile): string {
  const names = [...unwrapped(file).values()].map(({ from }) => from);
  const other = others.find(([, signs]) => signs.every((sign) => names.some((name) => sign.test(name))));
  if (other) return `these are the tensors of ${other[0]}, which is another network; expected ShuffleNet V1`;

  const found = `${names.length} tensors${names.length > 0 ? ` such as ${listed(names)}` : ''}`;
  const near = families
    .map((family) => ({ family, ...(family.compare?.(file) ?? { fitting: 0, missing: [], unknown: [] }) }))
    // A few names, such as fc.weight, are anybody's.
    .filter(({ fitting, missing }) => fitting >= 8 && missing.length < 12)
    .sort((a, b) => b.fitting - a.fitting)
    .slice(0, 3)
    .map(({ family, ...found }) => `${family.name} (${found.fitting} names fit; ${misfits(found)})`);
  if (near.length === 0) return `does not look like ShuffleNet V1: ${found}`;
  return `no known layout of ShuffleNet V1: ${found}. Nearest, for the option family: ${near.join(', ')}`;
}

function misfits({ missing, unknown }: Resemblance): string {
  const parts = [
    missing.length > 0 && `nothing for ${listed(missing)}`,
    unknown.length > 0 && `no place for ${listed(unknown)}`,
  ];
  return parts.filter(Boolean).join('; ');
}

function listed(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return names.slice(0, 3).map(quote).join(', ') + more;
}
