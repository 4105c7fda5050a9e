"""Small networks in the layouts of Keras and TensorFlow projects, with their logits by an implementation of its own.

    /usr/bin/python3 test/weights/make-fixtures/keras.py test/fixtures/checkpoints

needs Debian's python3-h5py and python3-torch. Padding, pools and batch norm follow TensorFlow's documents; torch only
multiplies. Widths are made up, names and conventions are the projects'.
"""
import gzip, io, json, os, sys
import h5py
import numpy as np
import torch
import torch.nn.functional as F

out_dir = sys.argv[1]
for folder in ('keras', 'hdf5', 'tfjs'):
    os.makedirs(os.path.join(out_dir, folder), exist_ok=True)
rng = np.random.RandomState(1707)
classes = 10
x = rng.standard_normal((1, 3, 45, 52)).astype('f4')


def split(n, k, s):
    total = max((-(-n // s) - 1) * s + k - n, 0)
    return total // 2, total - total // 2


def same(x, k, s, value=0.0):
    top, bottom = split(x.shape[2], k, s)
    left, right = split(x.shape[3], k, s)
    return F.pad(x, (left, right, top, bottom), value=value)


def max_pool(x):
    return F.max_pool2d(same(x, 3, 2, -1e30), 3, 2)


def avg_pool(x):
    ones = F.avg_pool2d(same(torch.ones_like(x), 3, 2), 3, 2)
    return F.avg_pool2d(same(x, 3, 2), 3, 2) / ones


def shuffle(x, g):
    n, c, h, w = x.shape
    return x.view(n, g, c // g, h, w).transpose(1, 2).reshape(n, c, h, w)


class Net:
    """
    Makes weights as they are asked for, keeps them under their names, and computes with them. Convolutions' are small, for
    the epsilon of batch norm to matter.
    """

    def __init__(self, eps, gamma=True, dtype='f4', zero_padding=False):
        self.weights = {}
        self.eps, self.gamma, self.dtype, self.zero_padding = eps, gamma, dtype, zero_padding

    def weight(self, name, shape, low=None, high=None, fan=1):
        value = rng.uniform(low, high, shape) if low is not None else rng.standard_normal(shape) * fan ** -0.5
        self.weights[name] = value = value.astype(self.dtype)
        return torch.from_numpy(value.astype('f8'))

    def pad(self, x, k, s):
        if self.zero_padding:
            return F.pad(x, [k // 2] * 4)
        return same(x, k, s)

    def conv(self, x, name, out, k=1, s=1, bias=False):
        kernel = self.weight(name + '/kernel', (k, k, x.shape[1], out), fan=30 * k * k * x.shape[1])
        b = self.weight(name + '/bias', (out,), -0.3, 0.3) if bias else None
        return F.conv2d(self.pad(x, k, s), kernel.permute(3, 2, 0, 1), b, s)

    def depthwise(self, x, name, s):
        kernel = self.weight(name + '/depthwise_kernel', (3, 3, x.shape[1], 1), fan=90)
        return F.conv2d(self.pad(x, 3, s), kernel.permute(2, 3, 0, 1), None, s, groups=x.shape[1])

    def norm(self, x, name):
        c = x.shape[1]
        gamma = self.weight(name + '/gamma', (c,), 0.5, 1.5) if self.gamma else torch.ones(c)
        beta = self.weight(name + '/beta', (c,), -0.3, 0.3)
        # About what the values are, or they would grow from unit to unit.
        mean, var = x.mean((0, 2, 3)).numpy(), x.var((0, 2, 3)).numpy()
        var = np.maximum(var, 0.3 * var.mean())
        mean = self.weight(name + '/moving_mean', (c,), mean - 0.1 * var ** 0.5, mean + 0.1 * var ** 0.5)
        var = self.weight(name + '/moving_variance', (c,), 0.7 * var + 1e-4, 1.4 * var + 1e-4)
        v = lambda t: t.view(1, -1, 1, 1)
        return (x - v(mean)) / torch.sqrt(v(var) + self.eps) * v(gamma) + v(beta)

    def dense(self, x, name):
        kernel = self.weight(name + '/kernel', (x.shape[1], classes), fan=x.shape[1])
        return x @ kernel + self.weight(name + '/bias', (classes,), -1, 1)


def scheckmedia(groups=3, widths=(24, 48, 96), stem=12, units=(4, 8, 4)):
    net = Net(1e-3)

    def group_conv(x, name, out, g):
        if g == 1:
            return net.conv(x, name, out)
        parts = torch.split(x, x.shape[1] // g, 1)
        return torch.cat([net.conv(p, f'{name}_/g{i}', out // g) for i, p in enumerate(parts)], 1)

    y = max_pool(torch.relu(net.conv(torch.from_numpy(x).double(), 'conv1', stem, 3, 2)))
    for stage, (width, count) in enumerate(zip(widths, units), 2):
        for block in range(1, count + 1):
            p = f'stage{stage}/block{block}'
            first = block == 1
            out = width - y.shape[1] if first else width
            g = 1 if stage == 2 and first else groups
            z = torch.relu(net.norm(group_conv(y, p + '/1x1_gconv_1', int(out * 0.25), g), p + '/bn_gconv_1'))
            z = net.norm(net.depthwise(shuffle(z, g), p + '/1x1_dwconv_1', 2 if first else 1), p + '/bn_dwconv_1')
            z = net.norm(group_conv(z, p + '/1x1_gconv_2', out, g), p + '/bn_gconv_2')
            y = torch.relu(torch.cat([z, avg_pool(y)], 1) if first else z + y)
    return net, net.dense(y.mean((2, 3)), 'fc')


def reflecting_avg_pool(x):
    """Padded by one on each side, averages of stride 1, every second of them."""
    return F.avg_pool2d(F.pad(x, [1] * 4, mode='reflect'), 3, 1)[:, :, ::2, ::2]


def kerascv(avg_pool, groups=3, widths=(24, 48, 96), stem=12):
    net = Net(1e-5, zero_padding=True)

    def group_conv(x, name, out, g):
        if g == 1:
            return net.conv(x, name, out)
        parts = torch.split(x, x.shape[1] // g, 1)
        return torch.cat([net.conv(p, f'{name}/convgroup{i}', out // g) for i, p in enumerate(parts, 1)], 1)

    y = net.norm(net.conv(torch.from_numpy(x).double(), 'features/init_block/conv', stem, 3, 2), 'features/init_block/bn')
    y = F.max_pool2d(torch.relu(y), 3, 2, 1)
    for stage, (width, count) in enumerate(zip(widths, (4, 8, 4)), 1):
        for unit in range(1, count + 1):
            p = f'features/stage{stage}/unit{unit}'
            first = unit == 1
            out = width - y.shape[1] if first else width
            z = group_conv(y, p + '/compress_conv1', width // 4, 1 if stage == 1 and first else groups)
            z = torch.relu(net.norm(z, p + '/compress_bn1'))
            z = net.norm(net.depthwise(shuffle(z, groups), p + '/dw_conv2', 2 if first else 1), p + '/dw_bn2')
            z = net.norm(group_conv(z, p + '/expand_conv3', out, groups), p + '/expand_bn3')
            y = torch.relu(torch.cat([z, avg_pool(y)], 1) if first else z + y)
    return net, net.dense(y.mean((2, 3)), 'output')


def tropcomplique(groups=3, width=36):
    net = Net(1e-3, gamma=False, dtype='f2')

    def group_conv(x, name, out, g):
        kernel = net.weight(name + '/kernel', (1, 1, x.shape[1] // g, out), fan=30 * x.shape[1] // g)
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), groups=g)

    y = net.conv(torch.from_numpy(x).double(), 'features/stage1/conv1', 24, 3, 1, bias=True)
    y = max_pool(torch.relu(net.norm(y, 'features/stage1/batch_normalization')))
    for stage, count in zip((2, 3, 4), (2, 4, 2)):
        for unit in range(1, count + 1):
            p = f'features/stage{stage}/unit{unit}/'
            first = stage == 2 and unit == 1
            c = width - 24 if first else y.shape[1]
            s = 2 if unit == 1 else 1
            names = ('g_conv_1', 'dw_conv_2', 'g_conv_3') if first else ('g_conv_1', 'dw_conv_3', 'g_conv_4')
            bn = lambda z, name: net.norm(z, p + name + '/batch_normalization')
            z = torch.relu(bn(group_conv(y, p + names[0], c, 1 if first else groups), names[0]))
            z = bn(net.depthwise(z if first else shuffle(z, groups), p + names[1], s), names[1])
            z = bn(group_conv(z, p + names[2], c, groups), names[2])
            y = torch.relu(torch.cat([z, avg_pool(y)], 1) if s == 2 else z + y)
    return net, net.dense(y.mean((2, 3)), 'classifier')


def layers_of(weights):
    layers = {}
    for name in weights:
        layers.setdefault(name.rsplit('/', 1)[0], []).append(name)
    return layers


def in_mxnet_order(weights):
    order = lambda name: (2, 3, 0, 1) if name.endswith('depthwise_kernel') else (3, 2, 0, 1)
    return {name: value.transpose(order(name)) if value.ndim == 4 else value for name, value in weights.items()}


def write_keras(f, weights, chunks=1, backend='tensorflow', end=':0'):
    """As Keras 2's save_weights: a group for each layer, and in it one for each part of its weights' names."""
    layers = layers_of(weights)
    names = [layer.encode() for layer in layers]
    if chunks == 1:
        f.attrs['layer_names'] = names
    else:
        for i, part in enumerate(np.array_split(names, chunks)):
            f.attrs[f'layer_names{i}'] = part
    f.attrs['backend'] = backend.encode()
    f.attrs['keras_version'] = '2.1.2'.encode()
    for layer, names in layers.items():
        g = f.create_group(layer)
        g.attrs['weight_names'] = [(name + end).encode() for name in names]
        for name in names:
            d = g.create_dataset(name + end, weights[name].shape, dtype=weights[name].dtype)
            d[...] = weights[name]


def save(name, data):
    with open(os.path.join(out_dir, name), 'wb') as f:
        f.write(data)


def save_npy(name, value):
    buffer = io.BytesIO()
    np.save(buffer, value)
    save(name, buffer.getvalue())


def save_h5(name, write):
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as f:
        write(f)
    # Mostly zeros between the datasets.
    save(name + '.gz', gzip.compress(buffer.getvalue(), 9, mtime=0))


def save_tfjs(folder, name, weights, groups, quantize=None, shard=20_000):
    """As tensorflowjs_converter: groups of weights, each in shards of some size."""
    os.makedirs(os.path.join(out_dir, folder), exist_ok=True)
    manifest = []
    names = list(weights)
    for group, part in enumerate(np.array_split(np.arange(len(names)), groups), 1):
        data, entries = b'', []
        for weight in (names[i] for i in part):
            value = weights[weight]
            entry = {'name': weight, 'shape': list(value.shape), 'dtype': 'float32'}
            if value.dtype == np.float16:
                entry['quantization'] = {'dtype': 'float16', 'original_dtype': 'float32'}
            elif quantize:
                low, high = value.min(), value.max()
                scale = float((high - low) / np.iinfo(quantize).max) or 1.0
                q = np.round((value - low) / scale).astype(quantize)
                entry['quantization'] = {'dtype': quantize, 'min': float(low), 'scale': scale}
                value = q
            entries.append(entry)
            data += value.tobytes()
        total = -(-len(data) // shard)
        prefix = '' if name == 'model' else name + '-'
        paths = [f'{prefix}group{group}-shard{i + 1}of{total}.bin' for i in range(total)]
        for i, path in enumerate(paths):
            save(f'{folder}/{path}', data[i * shard:(i + 1) * shard])
        manifest.append({'paths': paths, 'weights': entries})
    model = {'format': 'graph-model', 'generatedBy': '1.15.0', 'convertedBy': 'keras.py',
             'modelTopology': {'node': []}, 'weightsManifest': manifest}
    save(f'{folder}/{name}.json', json.dumps(model, separators=(',', ':')).encode())


torch.set_grad_enabled(False)
save_npy('keras/input.npy', x)
net, logits = scheckmedia()
save_h5('keras/scheckmedia.h5', lambda f: write_keras(f, net.weights))
save_npy('keras/scheckmedia.logits.npy', logits.float().numpy())
net, logits = kerascv(reflecting_avg_pool)
# As the whole model, which has its weights in a group, with names in two attributes.
save_h5('keras/kerascv.h5', lambda f: write_keras(f.create_group('model_weights'), net.weights, chunks=2))
save_npy('keras/kerascv.logits.npy', logits.float().numpy())
net, logits = tropcomplique()
save_tfjs('keras/tropcomplique', 'model', net.weights, groups=2)
save_npy('keras/tropcomplique.logits.npy', logits.float().numpy())
# As published, from Keras on MXNet, whose SAME pads by one on each side and counts it.
net, logits = kerascv(lambda x: F.avg_pool2d(x, 3, 2, 1), groups=2, widths=(16, 32, 64), stem=8)
save_h5('keras/kerascv-mxnet.h5', lambda f: write_keras(f, in_mxnet_order(net.weights), backend='mxnet', end='1'))
save_npy('keras/kerascv-mxnet.logits.npy', logits.float().numpy())
# The project's own TensorFlow network, of variables under their names.
net, logits = kerascv(lambda x: F.avg_pool2d(x, 3, 2, 1), groups=2, widths=(16, 32, 64), stem=8)
variables = {name.replace('depthwise_kernel', 'dw_kernel') + ':0': value for name, value in net.weights.items()}
np.savez_compressed(os.path.join(out_dir, 'keras/tensorflowcv.npz'), **variables)
save_npy('keras/tensorflowcv.logits.npy', logits.float().numpy())

# For the readers alone: element i of a tensor is i + its number.
ramp = lambda number, shape, dtype='<f4': (np.arange(np.prod(shape, dtype=int)) + number).reshape(shape).astype(dtype)
small = {'conv1/kernel': ramp(0, (2, 3, 4)), 'conv1/bias': ramp(1, (4,)), 'a/b/fc_/g0/kernel': ramp(2, (5, 2))}


def whole_model(f):
    f.attrs['model_config'] = json.dumps({'class_name': 'Model', 'config': {'name': 'small'}}).encode()
    weights = f.create_group('model_weights')
    write_keras(weights, {**small, 'half/kernel': ramp(3, (3,), '<f2'), 'step/iterations': ramp(4, (), '<i8')})
    empty = weights.create_group('relu')
    empty.attrs['weight_names'] = np.zeros(0)
    weights.attrs['layer_names'] = [layer.encode() for layer in (*layers_of(small), 'half', 'step', 'relu')]
    f.create_group('optimizer_weights').create_dataset('m:0', data=ramp(9, (3,)))


def any_file(f):
    f.create_dataset('x/double', data=ramp(0, (2, 3), '<f8'))
    f.create_dataset('x/deflated', data=ramp(1, (40, 50)), chunks=(16, 16), compression='gzip', shuffle=True)
    f.create_dataset('byte', data=ramp(2, (7,), 'u1'))
    f.create_dataset('text', data='of no use')
    f.create_dataset('empty', data=np.zeros((0, 4), 'f4'))
    f['link'] = h5py.SoftLink('/byte')
    f['elsewhere'] = h5py.ExternalLink('other.h5', '/byte')
    f['nowhere'] = h5py.SoftLink('/nothing')
    f['x/loop'] = h5py.SoftLink('/x')


def write(name, content, **options):
    with h5py.File(os.path.join(out_dir, 'hdf5', name), 'w', **options) as f:
        content(f)


write('weights.h5', lambda f: write_keras(f, small))
write('model.h5', whole_model)
write('model-latest.h5', whole_model, libver='latest')
write('any.h5', any_file)
write('any-latest.h5', any_file, libver='latest')
write('big-endian.h5', lambda f: f.create_dataset('x', data=ramp(0, (3,), '>f4')))
# Ten numbers, in a chunk that takes 64 MB once it is inflated.
save_h5('hdf5/bomb.h5', lambda f: f.create_dataset('x', data=ramp(0, (10,)), maxshape=(None,), chunks=(2**24,), compression=9))

save_tfjs('tfjs', 'plain', {**small, 'half': ramp(3, (3,), '<f2')}, groups=2, shard=50)
save_tfjs('tfjs', 'bytes', {'a': ramp(-3, (4, 64))}, groups=1, quantize='uint8')
save_tfjs('tfjs', 'shorts', {'a': ramp(-3, (4, 64))}, groups=1, quantize='uint16')
