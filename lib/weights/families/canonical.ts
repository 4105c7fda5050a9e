import type { StoredFile, StoredTensor } from '../stored';
import type { Family, PlacedTensor } from './family';
import { inferNetwork, presentParameters, telling } from './infer';
import { unwrapped } from './names';

/** Files under this package's own names, in PyTorch order: written by it, or by a script for it. */
export const canonical: Family = {
  name: 'canonical',
  about: "this package's own names",
  matches(file) {
    const names = unwrapped(file);
    // CIFAR networks of chenhang98 have some of the names too, but another one for each batch norm.
    return file.graph === undefined && names.has('stage2.0.gconv1.weight') && !names.has('bn1.weight');
  },
  compare(file) {
    const names = [...unwrapped(file)];
    const known = ([name]: [string, unknown]) => ownName.test(name);
    return {
      fitting: names.filter(known).length,
      missing: [...telling.keys()].filter((name) => !names.some(([found]) => found === name)),
      unknown: names.filter((entry) => !known(entry)).map(([, { from }]) => from),
    };
  },
  read(file, name) {
    const { tensors, unplaced } = readCanonical(file);
    return { network: inferNetwork(tensors, presentParameters(tensors), name), tensors, unplaced };
  },
};

const ownName =
  /^(?:conv1|stage[234]\.\d+\.(?:gconv1|dwconv|gconv2))\.(?:weight|bias|bn\.(?:weight|bias|running_mean|running_var))$|^(?:fc|stage[234]\.\d+\.se\.fc[12])\.(?:weight|bias)$/;

/** All tensors under the names that the file has for them, without wrappers. */
export function readCanonical(file: StoredFile): {
  tensors: Map<string, PlacedTensor>;
  unplaced: Map<string, StoredTensor>;
} {
  const tensors = new Map<string, PlacedTensor>();
  for (const [name, { from, tensor }] of unwrapped(file)) {
    tensors.set(name, { from, shape: tensor.shape, parts: [tensor] });
  }
  return { tensors, unplaced: new Map() };
}
