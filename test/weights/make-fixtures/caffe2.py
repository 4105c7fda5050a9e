"""A small network as MLPerf's of Caffe2, with its logits, and a smaller net of every field that the reader knows.

Operators are run here by Caffe2's rules, in the order of MLPerf's model.pbtxt, as PyTorch comes without Caffe2 by now.

Makes caffe2.* in test/fixtures/checkpoints/families/ and .../readers/small.init_net.pb. PyTorch 1.13 (Debian 12: apt
install python3-torch python3-protobuf), from the root:
    /usr/bin/python3 test/weights/make-fixtures/caffe2.py
"""

from pathlib import Path

import families
import numpy as np
import torch
import torch.nn.functional as F
from families import GROUPS, STEM, WIDTHS, conv, image, prepare, shuffle, units
from messages import classes
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

FOLDER = Path('test/fixtures/checkpoints')
# Of caffe2.proto, in whose proto2 repeated numbers are not packed.
MESSAGES = {
    'Argument': [('name', 1, 'STRING'), ('f', 2, 'FLOAT'), ('i', 3, 'INT64'), ('s', 4, 'BYTES'), ('floats', 5, '*FLOAT'),
                 ('ints', 6, '*INT64')],
    'DeviceOption': [('device_type', 1, 'INT32')],
    'OperatorDef': [('input', 1, '*STRING'), ('output', 2, '*STRING'), ('name', 3, 'STRING'), ('type', 4, 'STRING'),
                    ('arg', 5, '*Argument'), ('device_option', 6, 'DeviceOption'), ('engine', 7, 'STRING')],
    'NetDef': [('name', 1, 'STRING'), ('op', 2, '*OperatorDef'), ('type', 3, 'STRING'), ('external_output', 8, '*STRING')],
}  # fmt: skip


net_def = classes('caffe2', MESSAGES)['NetDef']


def fill(net, name, array):
    op = net.op.add(type='GivenTensorFill', name='', output=[name])
    op.arg.add(name='shape', ints=array.shape)
    op.arg.add(name='values', floats=array.ravel().tolist())
    return op


class Unit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        mid, branch = out // 4, out - inputs if unit == 0 else out
        self.branch2a = conv(inputs, mid, 1, groups=1 if stage == 0 and unit == 0 else GROUPS)
        self.branch2b = conv(mid, mid, 3, 2 if unit == 0 else 1, mid)
        self.branch2c = conv(mid, branch, 1, groups=GROUPS)
        self.branch2a_bn, self.branch2b_bn, self.branch2c_bn = (nn.BatchNorm2d(n) for n in (mid, mid, branch))


class Net(nn.Module):
    """As it was trained: run with its batch norms, or with what is left of them."""

    def __init__(self):
        super().__init__()
        self.conv1, self.res_conv1_bn = conv(3, STEM, 3, 2), nn.BatchNorm2d(STEM)
        for stage, unit, inputs, out in units():
            self.add_module(f'res{stage + 2}_{unit}', Unit(stage, unit, inputs, out))
        self.pred = nn.Linear(WIDTHS[-1], families.CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.res_conv1_bn(self.conv1(x))), 3, 2, 1)
        for stage, unit, _, _ in units():
            own = getattr(self, f'res{stage + 2}_{unit}')
            branch = shuffle(F.relu(own.branch2a_bn(own.branch2a(x))), GROUPS)
            branch = own.branch2c_bn(own.branch2c(own.branch2b_bn(own.branch2b(branch))))
            if unit == 0:
                # Caffe2 divides by the cells of the window that are on the plane.
                x = F.relu(torch.cat((F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), branch), 1))
            else:
                x = F.relu(branch + x)
        return self.pred(x.mean((2, 3)))

    def fold(self):
        pairs = [(self, 'conv1', 'res_conv1_bn', 'conv1', 'res_conv1_bn')]
        for stage, unit, _, _ in units():
            path = f'res{stage + 2}_{unit}'
            for name in ('branch2a', 'branch2b', 'branch2c'):
                pairs.append((getattr(self, path), name, f'{name}_bn', f'{path}_{name}', f'{path}_{name}_bn'))
        blobs = {}
        for owner, name, norm, weight, bias in pairs:
            fused = fuse_conv_bn_eval(getattr(owner, name), getattr(owner, norm))
            setattr(owner, name, fused)
            setattr(owner, norm, nn.Identity())
            blobs[f'{weight}_w'], blobs[f'{bias}_b'] = fused.weight, fused.bias
        blobs['pred_w'], blobs['pred_b'] = self.pred.weight, self.pred.bias
        return {name: blob.detach().numpy() for name, blob in blobs.items()}


def small():
    net = net_def()
    net.name, net.type = 'small', 'simple'
    data = net.op.add(type='ConstantFill', output=['data'])
    data.arg.add(name='shape', ints=[1, 3, 8, 8])
    data.arg.add(name='value', f=0.5)
    for name, shape in [('conv1_w', (2, 3, 3, 3)), ('conv1_b', (2,)), ('pred_w', (3, 2)), ('one', (1,)), ('none', (0, 2))]:
        op = fill(net, name, np.linspace(-1, 1, int(np.prod(shape))).reshape(shape))
        op.device_option.device_type, op.engine = 0, 'NNPACK'
    longs = net.op.add(type='GivenTensorInt64Fill', output=['shape'])
    longs.arg.add(name='shape', ints=[2])
    longs.arg.add(name='values', ints=[-1, 8])
    net.external_output.append('conv1_w')
    return net


def main():
    network = prepare(Net(), 64, seed=2)
    blobs = network.fold()
    with torch.no_grad():
        logits = network(image(64)).numpy()
    np.save(FOLDER / 'families' / 'caffe2.logits.npy', logits)
    print(f'caffe2: {np.abs(logits).max():.3f}')
    net = net_def()
    for name, array in blobs.items():
        fill(net, name, array)
    (FOLDER / 'families' / 'caffe2.init_net.pb').write_bytes(net.SerializeToString())
    (FOLDER / 'readers' / 'small.init_net.pb').write_bytes(small().SerializeToString())


main()
