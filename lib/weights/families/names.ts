import { ShuffleNetError } from '../../errors';
import type { Preprocess } from '../../image/preprocess';
import type { Variant } from '../../network/options';
import { formatShape, quote } from '../json';
import type { StoredFile, StoredTensor } from '../stored';
import type { Family, PlacedTensor, Recognised } from './family';
import { inferNetwork, telling } from './infer';

/** A family that is told, and whose tensors are found, by names alone. */
export interface NamedLayout {
  name: string;
  about: string;
  license?: string;
  /** A file is this family's if each of them is found in some name, without wrappers such as 'module.'. */
  signs: readonly RegExp[];
  /** And this one in none. */
  foreign?: RegExp;
  /** Layers outside of units: the file's name to the canonical one, as 'fc' or 'conv1.bn'. */
  outside: Readonly<Record<string, string>>;
  /**
   * Layers of units. Named groups: `layer`, a key of `inside`; `unit`, counted from `firstUnit` on; `stage`, counted
   * from `firstStage` on. Without `stage`, units are numbered through all stages, 4, 8 and 4.
   */
  unit: RegExp;
  firstStage?: number;
  firstUnit?: number;
  /** The file's name of a layer within a unit to the canonical one, as 'gconv1' or 'gconv1.bn'. */
  inside: Readonly<Record<string, string>>;
  /** Where names do not end in '.' or '/' and a known leaf: the layer and the leaf, in parentheses. */
  leaf?: RegExp;
  /** What the name of one group's convolution has more than the layer's: the parenthesis is the group's number. */
  split?: RegExp;
  /**
   * Of weights. 'tensorflow': [kh, kw, in, out], depthwise [kh, kw, channels, 1], fully connected [in, out]. 'keras': as
   * TensorFlow's, or where MXNet was behind it convolutions as PyTorch's.
   */
  order: 'pytorch' | 'tensorflow' | 'keras';
  /** Where it differs from the paper's network; widths and groups are told by the shapes. */
  variant: Partial<Variant>;
  /** Where files may say otherwise: what the texts of one say. */
  said?: (metadata: Readonly<Record<string, string>>) => Partial<Variant>;
  preprocess?: Preprocess;
}

/** Last parts of tensor names in every framework; PyTorch's are the canonical ones. */
const leaves: Readonly<Record<string, string>> = {
  weight: 'weight',
  W: 'weight',
  w: 'weight',
  kernel: 'weight',
  depthwise_kernel: 'weight',
  dw_kernel: 'weight',
  gamma: 'weight',
  bias: 'bias',
  b: 'bias',
  beta: 'bias',
  running_mean: 'running_mean',
  moving_mean: 'running_mean',
  'mean/EMA': 'running_mean',
  running_var: 'running_var',
  moving_variance: 'running_var',
  'variance/EMA': 'running_var',
};
const leaf = new RegExp(`^(.+)[./](${Object.keys(leaves).join('|')})(?::0)?$`);

/** What training scripts wrap networks in: DataParallel, Lightning, checkpoints that were saved as a whole. */
const wrappers =
  /^(?:(?:state_dict|model_state_dict|model|module|net|network|_orig_mod|_forward_module|_fsdp_wrapped_module)[./])+/;

/** Running averages of weights. */
const averages = /^(?:model_ema|ema_model|ema|averaged_model|swa_model)[._]/;

/** What is in a checkpoint but no network's: counters, losses, and what optimizers keep of MindSpore and TensorFlow. */
const beside = [
  /^(?:criterion|loss|loss_fn)\./,
  /(?:^|[./])(?:num_batches_tracked|n_averaged|global_step|learning_rate(?:\/lr)?|beta[12]_power|momentum|(?:epoch|step)_num)(?::0)?$/,
  /(?:^|\.)moment(?:s|1|2)\./,
  /^optimizer[./_]|\/(?:Momentum|Adam|Adam_1)(?::0)?$/,
];

/** The file's tensors that could be weights, without the wrappers in their names; averages only where they are alone. */
export function unwrapped(file: StoredFile): Map<string, { from: string; tensor: StoredTensor }> {
  const found = new Map<string, { from: string; tensor: StoredTensor }>();
  const all = [...file.tensors].filter(([from]) => !beside.some((kind) => kind.test(from)));
  const own = all.filter(([from]) => !averages.test(from));
  for (const [from, tensor] of own.length > 0 ? own : all) {
    const name = from.replace(averages, '').replace(wrappers, '');
    // Of 'net.x' beside 'model.x' and the like, both stay what they are.
    if (found.has(name)) found.set(from, { from, tensor });
    else found.set(name, { from, tensor });
  }
  return found;
}

/** The family of a layout. Files that say how their tensors are used are not told by names. */
export function namedFamily(layout: NamedLayout): Family {
  const { name, about, license } = layout;
  const place = (file: StoredFile, of: string) => placeTensors(layout, file, of);
  return {
    name,
    about,
    ...(license !== undefined && { license }),
    matches(file) {
      const names = [...unwrapped(file).keys()];
      return (
        file.graph === undefined &&
        layout.signs.every((sign) => names.some((tensor) => sign.test(tensor))) &&
        !(layout.foreign && names.some((tensor) => layout.foreign!.test(tensor)))
      );
    },
    compare(file) {
      const placed = new Set<string>();
      const unknown: string[] = [];
      for (const [tensor, { from }] of unwrapped(file)) {
        const found = canonicalName(layout, tensor);
        if (found) placed.add(found.name);
        else unknown.push(from);
      }
      const missing = [...telling.keys()].filter((canonical) => !placed.has(canonical));
      return { fitting: placed.size, missing, unknown };
    },
    read(file, of): Recognised {
      const { tensors, unplaced } = place(file, of);
      const network = inferNetwork(tensors, { ...layout.variant, ...layout.said?.(file.metadata) }, of);
      return { network, tensors, unplaced, preprocess: layout.preprocess };
    },
  };
}

/** Puts a file's tensors where the layout says. Throws ERR_WEIGHTS_TENSOR for two in one place, and absent groups. */
export function placeTensors(
  layout: NamedLayout,
  file: StoredFile,
  of: string,
): { tensors: Map<string, PlacedTensor>; unplaced: Map<string, StoredTensor> } {
  const refuse = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_TENSOR', `${of}: ${detail}`);
  const unplaced = new Map<string, StoredTensor>();
  const found = new Map<string, { from: string; tensor: StoredTensor; group: number }[]>();
  for (const [name, { from, tensor }] of unwrapped(file)) {
    const place = canonicalName(layout, name);
    if (!place) {
      unplaced.set(from, tensor);
      continue;
    }
    const parts = found.get(place.name) ?? [];
    const same = parts.find(({ group }) => group === place.group || group < 0 || place.group < 0);
    if (same) throw refuse(`tensors ${quote(same.from)} and ${quote(from)} are both ${quote(place.name)}`);
    parts.push({ from, tensor, group: place.group });
    found.set(place.name, parts);
  }

  const tensors = new Map<string, PlacedTensor>();
  for (const [name, parts] of found) {
    parts.sort((a, b) => a.group - b.group);
    const first = parts[0]!;
    const gap = parts.findIndex(({ group }, i) => group !== first.group + i);
    if (gap > 0 || first.group > 1) {
      throw refuse(`tensor ${quote(first.from)} and others are ${quote(name)} by groups, of which some are missing`);
    }
    const { shape } = first.tensor;
    const odd = parts.find(({ tensor }) => tensor.shape.join() !== shape.join());
    if (odd) {
      const shapes = `shapes ${formatShape(shape)} and ${formatShape(odd.tensor.shape)}`;
      throw refuse(`tensors ${quote(first.from)} and ${quote(odd.from)} are groups of ${quote(name)}, of ${shapes}`);
    }
    tensors.set(
      name,
      inPyTorchOrder(
        name,
        first.from,
        parts.map(({ tensor }) => tensor),
        layout.order,
      ),
    );
  }
  return { tensors, unplaced };
}

/** `group` is -1 for a whole. */
function canonicalName(layout: NamedLayout, name: string): { name: string; group: number } | undefined {
  const [, path, last] = (layout.leaf ?? leaf).exec(name) ?? [];
  if (path === undefined) return undefined;
  const number = layout.split?.exec(path)?.[1];
  const layer = canonicalLayer(layout, number === undefined ? path : path.replace(layout.split!, ''));
  if (layer === undefined) return undefined;
  return { name: `${layer}.${leaves[last!]}`, group: number === undefined ? -1 : Number(number) };
}

function canonicalLayer(layout: NamedLayout, path: string): string | undefined {
  if (Object.hasOwn(layout.outside, path)) return layout.outside[path];
  const { stage, unit, layer } = layout.unit.exec(path)?.groups ?? {};
  if (layer === undefined || !Object.hasOwn(layout.inside, layer)) return undefined;
  const index = Number(unit) - (layout.firstUnit ?? 0);
  if (stage !== undefined)
    return `stage${Number(stage) - (layout.firstStage ?? 2) + 2}.${index}.${layout.inside[layer]}`;
  const [place, start] = index < 4 ? [2, 0] : index < 12 ? [3, 4] : [4, 12];
  return `stage${place}.${index - start}.${layout.inside[layer]}`;
}

/**
 * A canonical tensor from the file's parts of it, which are all of one shape. Fully connected weights may be those of a
 * 1x1 convolution.
 */
export function inPyTorchOrder(
  name: string,
  from: string,
  parts: StoredTensor[],
  order: NamedLayout['order'],
): PlacedTensor {
  const given = parts[0]!.shape;
  const rank = given.length;
  const side = name.includes('.gconv') ? 1 : 3;
  const square = (at: number) => given[at] === side && given[at + 1] === side;
  const kept = order === 'pytorch' || (order === 'keras' && square(2) && !square(0));
  let axes: number[] | undefined;
  if (rank === 4 && !kept) axes = name.endsWith('.dwconv.weight') ? [2, 3, 0, 1] : [3, 2, 0, 1];
  if (rank === 2 && order !== 'pytorch') axes = [1, 0];
  const shape = axes ? axes.map((axis) => given[axis]!) : [...given];
  if (parts.length > 1) shape[0] = (shape[0] ?? 1) * parts.length;
  if (name === 'fc.weight' && rank === 4 && shape[2] === 1 && shape[3] === 1) {
    shape.length = 2;
    if (axes) parts = parts.map((part) => ({ ...part, shape: part.shape.slice(2) }));
    return { from, shape, parts, ...(axes && { axes: [1, 0] }) };
  }
  return { from, shape, parts, ...(axes && { axes }) };
}
