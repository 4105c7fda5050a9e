"""Small networks of every family that is told by names, with their logits from PyTorch.

Each class below follows the names and the order of operations of one public project; the code is written anew. Widths
are small, weights random; batch norms get the statistics of the values that reach them, changed a little, so that every
convention matters. The image is worked out by a formula that test/weights/families/fixtures.ts has too.

Makes test/fixtures/checkpoints/families/. PyTorch 1.13 (Debian 12: apt install python3-torch), from the root:
    /usr/bin/python3 test/weights/make-fixtures/families.py
"""

import json
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path('test/fixtures/checkpoints/families')
GROUPS = 3
STEM = 6
WIDTHS = [24, 48, 60]
UNITS = [4, 8, 4]
CLASSES = 10


def noise(index):
    """The upper 24 bits of index * 2654435761 mod 2^32, from -2 to 2."""
    bits = (index.astype(np.uint64) * np.uint64(2654435761) % np.uint64(2**32)) >> np.uint64(8)
    return bits.astype(np.float64) / 2**22 - 2


def image(side):
    """Noise over squares of 8x8, or every maximum after the stem would be positive."""
    index = np.arange(3 * side * side).reshape(3, side, side)
    squares = index[:, ::8, ::8].repeat(8, 1).repeat(8, 2)[:, :side, :side]
    return torch.from_numpy((noise(squares) + noise(index) / 4).astype(np.float32)[None])


def prepare(net, side, seed):
    """Random weights; statistics of a run over random images, changed; then evaluation."""
    torch.manual_seed(seed)
    gains = np.random.RandomState(seed)
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            # Variances far from 1, or epsilon would not matter.
            gain = 1 if isinstance(module, nn.Linear) else 10 ** gains.uniform(-1.5, 0)
            nn.init.normal_(module.weight, std=gain * fan**-0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.3 * gain)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            with torch.no_grad():
                module.weight *= torch.where(torch.rand_like(module.weight) < 0.15, -1.0, 1.0)
    net.train()
    with torch.no_grad():
        net(torch.cat([image(side), torch.randn(3, 3, side, side)]))
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                std = module.running_var.sqrt()
                module.running_mean += 0.2 * std * torch.randn_like(std)
                # Dead channels have next to none.
                module.running_var *= 0.6 + torch.rand_like(std)
                module.running_var.clamp_(min=1e-30)
    return net.eval()


def shuffle(x, groups):
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def unshuffle(x, groups):
    """The inverse, as megvii and those who follow it shuffle."""
    n, c, h, w = x.shape
    return x.view(n, c // groups, groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def same(x, kernel, stride, value=0.0):
    """TensorFlow's SAME: the odd row of padding comes after."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def same_max_pool(x):
    return F.max_pool2d(same(x, 3, 2, float('-inf')), 3, 2)


def same_avg_pool(x):
    counts = F.avg_pool2d(same(torch.ones_like(x), 3, 2), 3, 2)
    return F.avg_pool2d(same(x, 3, 2), 3, 2) / counts


def conv(inputs, outputs, kernel, stride=1, groups=1, bias=False, padding=None):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding, 1, groups, bias)


def units():
    """(stage from 0, unit, in, out) of every unit."""
    inputs = STEM
    for stage, (out, count) in enumerate(zip(WIDTHS, UNITS)):
        for unit in range(count):
            yield stage, unit, inputs, out
            inputs = out


# megvii-model/ShuffleNet-Series: shuffles after the depthwise convolution, ReLU on the branch alone.


class MegviiUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.stride = 2 if unit == 0 else 1
        mid, branch = out // 4, out - inputs if unit == 0 else out
        first = 1 if stage == 0 and unit == 0 else GROUPS
        self.branch_main_1 = nn.Sequential(
            conv(inputs, mid, 1, groups=first), nn.BatchNorm2d(mid), nn.ReLU(),
            conv(mid, mid, 3, self.stride, mid), nn.BatchNorm2d(mid),
        )  # fmt: skip
        self.branch_main_2 = nn.Sequential(conv(mid, branch, 1, groups=GROUPS), nn.BatchNorm2d(branch))

    def forward(self, x):
        branch = self.branch_main_2(unshuffle(self.branch_main_1(x), GROUPS))
        if self.stride == 1:
            return F.relu(branch + x)
        return torch.cat((F.avg_pool2d(x, 3, 2, 1), F.relu(branch)), 1)


class Megvii(nn.Module):
    def __init__(self):
        super().__init__()
        self.first_conv = nn.Sequential(conv(3, STEM, 3, 2), nn.BatchNorm2d(STEM), nn.ReLU())
        self.features = nn.Sequential(*(MegviiUnit(*unit) for unit in units()))
        self.classifier = nn.Sequential(nn.Linear(WIDTHS[-1], CLASSES, bias=False))

    def forward(self, x):
        x = F.max_pool2d(self.first_conv(x), 3, 2, 1)
        return self.classifier(self.features(x).mean((2, 3)))


# mindspore-lab/mindcv: shuffles before it, in megvii's order; pools are padded at the end, and do not count that.


class GroupConv(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.convs = nn.ModuleList(conv(inputs // groups, outputs // groups, 1) for _ in range(groups))

    def forward(self, x):
        return torch.cat([c(part) for c, part in zip(self.convs, x.chunk(len(self.convs), 1))], 1)


class MindcvUnit(nn.Module):
    def __init__(self, pool, stage, unit, inputs, out):
        super().__init__()
        self.stride, self.pool = 2 if unit == 0 else 1, pool
        mid, branch = out // 4, out - inputs if unit == 0 else out
        first = 1 if stage == 0 and unit == 0 else GROUPS
        self.branch_main_1 = nn.Sequential(GroupConv(inputs, mid, first), nn.BatchNorm2d(mid), nn.ReLU())
        self.branch_main_2 = nn.Sequential(
            conv(mid, mid, 3, self.stride, mid), nn.BatchNorm2d(mid),
            GroupConv(mid, branch, GROUPS), nn.BatchNorm2d(branch),
        )  # fmt: skip

    def forward(self, x):
        branch = self.branch_main_2(unshuffle(self.branch_main_1(x), GROUPS))
        return F.relu(x + branch if self.stride == 1 else torch.cat((self.pool(x), branch), 1))


class Mindcv(nn.Module):
    max_pool = staticmethod(same_max_pool)
    avg_pool = staticmethod(same_avg_pool)

    def __init__(self):
        super().__init__()
        self.first_conv = nn.Sequential(conv(3, STEM, 3, 2), nn.BatchNorm2d(STEM), nn.ReLU())
        self.features = nn.Sequential(*(MindcvUnit(self.avg_pool, *unit) for unit in units()))
        self.classifier = nn.Linear(WIDTHS[-1], CLASSES, bias=False)

    def forward(self, x):
        return self.classifier(self.features(self.max_pool(self.first_conv(x))).mean((2, 3)))


class MindcvMint(Mindcv):
    """After its move to mindspore.mint, whose pools are PyTorch's."""

    max_pool = staticmethod(lambda x: F.max_pool2d(x, 3, 2, 1))
    avg_pool = staticmethod(lambda x: F.avg_pool2d(x, 3, 2, 1))


# osmr/pytorchcv: the branch comes first.


class PytorchcvUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.downsample = unit == 0
        mid, branch = out // 4, out - inputs if self.downsample else out
        self.compress_conv1 = conv(inputs, mid, 1, groups=1 if stage == 0 and unit == 0 else GROUPS)
        self.compress_bn1 = nn.BatchNorm2d(mid)
        self.dw_conv2 = conv(mid, mid, 3, 2 if self.downsample else 1, mid)
        self.dw_bn2 = nn.BatchNorm2d(mid)
        self.expand_conv3 = conv(mid, branch, 1, groups=GROUPS)
        self.expand_bn3 = nn.BatchNorm2d(branch)

    def forward(self, x):
        branch = shuffle(F.relu(self.compress_bn1(self.compress_conv1(x))), GROUPS)
        branch = self.expand_bn3(self.expand_conv3(self.dw_bn2(self.dw_conv2(branch))))
        return F.relu(torch.cat((branch, F.avg_pool2d(x, 3, 2, 1)), 1) if self.downsample else branch + x)


class Pytorchcv(nn.Module):
    def __init__(self):
        super().__init__()
        stem = nn.Sequential(OrderedDict(conv=conv(3, STEM, 3, 2), bn=nn.BatchNorm2d(STEM)))
        stages = [nn.Sequential() for _ in WIDTHS]
        for stage, unit, inputs, out in units():
            stages[stage].add_module(f'unit{unit + 1}', PytorchcvUnit(stage, unit, inputs, out))
        named = {f'stage{i + 1}': stage for i, stage in enumerate(stages)}
        self.features = nn.Sequential(OrderedDict(init_block=stem, **named))
        self.output = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.features.init_block(x)), 3, 2, 1)
        for name in ('stage1', 'stage2', 'stage3'):
            x = getattr(self.features, name)(x)
        return self.output(x.mean((2, 3)))


# jaxony/ShuffleNet: biases everywhere, a bare convolution as stem.


class JaxonyUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.concat = unit == 0
        mid, branch = out // 4, out - inputs if self.concat else out
        first = 1 if stage == 0 and unit == 0 else GROUPS
        self.g_conv_1x1_compress = nn.Sequential(
            OrderedDict(conv1x1=conv(inputs, mid, 1, groups=first, bias=True), batch_norm=nn.BatchNorm2d(mid), relu=nn.ReLU())
        )
        self.depthwise_conv3x3 = conv(mid, mid, 3, 2 if self.concat else 1, mid, bias=True)
        self.bn_after_depthwise = nn.BatchNorm2d(mid)
        self.g_conv_1x1_expand = nn.Sequential(
            OrderedDict(conv1x1=conv(mid, branch, 1, groups=GROUPS, bias=True), batch_norm=nn.BatchNorm2d(branch))
        )

    def forward(self, x):
        branch = shuffle(self.g_conv_1x1_compress(x), GROUPS)
        branch = self.g_conv_1x1_expand(self.bn_after_depthwise(self.depthwise_conv3x3(branch)))
        return F.relu(torch.cat((F.avg_pool2d(x, 3, 2, 1), branch), 1) if self.concat else x + branch)


class Jaxony(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, STEM, 3, 2, bias=True)
        for stage in range(3):
            own = [unit for unit in units() if unit[0] == stage]
            names = OrderedDict((f'ShuffleUnit_Stage{stage + 2}_{unit[1]}', JaxonyUnit(*unit)) for unit in own)
            setattr(self, f'stage{stage + 2}', nn.Sequential(names))
        self.fc = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, 1)
        # It ends in log_softmax; these are the logits before.
        return self.fc(self.stage4(self.stage3(self.stage2(x))).mean((2, 3)))


# open-mmlab/mmpretrain: shuffles after the depthwise convolution, in the paper's order.


def conv_module(*args, **kwargs):
    module = nn.Module()
    module.conv = conv(*args, **kwargs)
    module.bn = nn.BatchNorm2d(args[1])
    module.forward = lambda x: module.bn(module.conv(x))
    return module


class MmpretrainUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.concat = unit == 0
        mid, branch = out // 4, out - inputs if self.concat else out
        self.g_conv_1x1_compress = conv_module(inputs, mid, 1, groups=1 if stage == 0 and unit == 0 else GROUPS)
        self.depthwise_conv3x3_bn = conv_module(mid, mid, 3, 2 if self.concat else 1, mid)
        self.g_conv_1x1_expand = conv_module(mid, branch, 1, groups=GROUPS)

    def forward(self, x):
        branch = self.depthwise_conv3x3_bn(F.relu(self.g_conv_1x1_compress(x)))
        branch = self.g_conv_1x1_expand(shuffle(branch, GROUPS))
        if self.concat:
            return torch.cat((F.avg_pool2d(x, 3, 2, 1), F.relu(branch)), 1)
        return F.relu(x + branch)


class Mmpretrain(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.conv1 = conv_module(3, STEM, 3, 2)
        self.backbone.layers = nn.ModuleList(
            nn.Sequential(*(MmpretrainUnit(*unit) for unit in units() if unit[0] == stage)) for stage in range(3)
        )
        self.head = nn.Module()
        self.head.fc = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.backbone.conv1(x)), 3, 2, 1)
        for layer in self.backbone.layers:
            x = layer(x)
        return self.head.fc(x.mean((2, 3)))


# ZJCV/ZCls: megvii's, without the ReLU of units that concatenate.


class ZclsUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.stride = 2 if unit == 0 else 1
        mid, branch = out // 4, out - inputs if unit == 0 else out
        self.conv1 = conv(inputs, mid, 1, groups=1 if stage == 0 and unit == 0 else GROUPS)
        self.norm1 = nn.BatchNorm2d(mid)
        self.conv2 = conv(mid, mid, 3, self.stride, mid)
        self.norm2 = nn.BatchNorm2d(mid)
        self.conv3 = conv(mid, branch, 1, groups=GROUPS)
        self.norm3 = nn.BatchNorm2d(branch)

    def forward(self, x):
        branch = unshuffle(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))), GROUPS)
        branch = self.norm3(self.conv3(branch))
        return torch.cat((F.avg_pool2d(x, 3, 2, 1), branch), 1) if self.stride == 2 else F.relu(branch + x)


class Zcls(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.stem = nn.Sequential(conv(3, STEM, 3, 2), nn.BatchNorm2d(STEM), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        for stage in range(3):
            own = nn.Sequential(*(ZclsUnit(*unit) for unit in units() if unit[0] == stage))
            setattr(self.backbone, f'stage{stage + 1}', own)
        self.head = nn.Module()
        self.head.fc = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x):
        backbone = self.backbone
        return self.head.fc(backbone.stage3(backbone.stage2(backbone.stage1(backbone.stem(x)))).mean((2, 3)))


# chenhang98/shuffleNet-cifar10: no pool after the stem, stage 2 at the image's size.


class CifarUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.concat, self.downsample = unit == 0, unit == 0 and stage > 0
        mid, branch = out // 4, out - inputs if self.concat else out
        self.gconv1 = conv(inputs, mid, 1, groups=1 if stage == 0 and unit == 0 else GROUPS)
        self.bn1 = nn.BatchNorm2d(mid)
        self.dwconv = conv(mid, mid, 3, 2 if self.downsample else 1, mid)
        self.bn = nn.BatchNorm2d(mid)
        self.gconv2 = conv(mid, branch, 1, groups=GROUPS)
        self.bn2 = nn.BatchNorm2d(branch)

    def forward(self, x):
        branch = shuffle(F.relu(self.bn1(self.gconv1(x))), GROUPS)
        branch = self.bn2(self.gconv2(self.bn(self.dwconv(branch))))
        shortcut = F.avg_pool2d(x, 2) if self.downsample else x
        return F.relu(torch.cat((branch, shortcut), 1) if self.concat else branch + x)


class Cifar(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, STEM, 3)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.fc = nn.Linear(WIDTHS[-1], CLASSES)
        for stage in range(3):
            own = nn.Sequential(*(CifarUnit(*unit) for unit in units() if unit[0] == stage))
            setattr(self, f'stage{stage + 2}', own)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.stage4(self.stage3(self.stage2(x))).mean((2, 3)))


# tensorpack's example: TensorFlow's padding everywhere.


class TensorpackUnit(nn.Module):
    def __init__(self, stage, unit, inputs, out):
        super().__init__()
        self.stride = 2 if unit == 0 else 1
        mid, branch = out // 4, out - inputs if unit == 0 else out
        self.conv1 = conv(inputs, mid, 1, groups=GROUPS if inputs > 24 else 1)
        self.conv1_bn = nn.BatchNorm2d(mid)
        self.dconv = conv(mid, mid, 3, self.stride, mid, padding=0)
        self.dconv_bn = nn.BatchNorm2d(mid)
        self.conv2 = conv(mid, branch, 1, groups=GROUPS)
        self.conv2_bn = nn.BatchNorm2d(branch)

    def forward(self, x):
        branch = unshuffle(F.relu(self.conv1_bn(self.conv1(x))), GROUPS)
        branch = self.dconv_bn(self.dconv(same(branch, 3, self.stride)))
        branch = self.conv2_bn(self.conv2(branch))
        if self.stride == 1:
            return F.relu(x + branch)
        return torch.cat((same_avg_pool(x), F.relu(branch)), 1)


class Tensorpack(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, STEM, 3, 2, padding=0)
        self.conv1_bn = nn.BatchNorm2d(STEM)
        for stage in range(3):
            own = nn.Sequential(*(TensorpackUnit(*unit) for unit in units() if unit[0] == stage))
            setattr(self, f'stage{stage + 2}', own)
        self.linear = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x):
        x = same_max_pool(F.relu(self.conv1_bn(self.conv1(same(x, 3, 2)))))
        return self.linear(self.stage4(self.stage3(self.stage2(x))).mean((2, 3)))

    def variables(self):
        """By TensorFlow's names and in its order of axes, as dump-model-params writes them."""
        leaves = {'running_mean': 'mean/EMA', 'running_var': 'variance/EMA'}
        for name, value in self.state_dict().items():
            path, leaf = name.rsplit('.', 1)
            if leaf == 'num_batches_tracked':
                continue
            path = path.replace('.', '/block', 1).replace('.', '/') if path.startswith('stage') else path
            norm = path.endswith('_bn')
            path = path[:-3] + '/bn' if path.endswith('conv1_bn') else path
            leaf = leaves.get(leaf) or {True: {'weight': 'gamma', 'bias': 'beta'}, False: {'weight': 'W', 'bias': 'b'}}[norm][leaf]
            array = value.numpy()
            if leaf == 'W':
                order = (1, 0) if array.ndim == 2 else (2, 3, 0, 1) if path.endswith('dconv') else (2, 3, 1, 0)
                array = np.ascontiguousarray(array.transpose(order))
            yield f'{path}/{leaf}', array


def plain(net, keep_counters=True):
    return OrderedDict((k, v) for k, v in net.state_dict().items() if keep_counters or 'num_batches' not in k)


def write_safetensors(path, arrays):
    header, data = {}, b''
    for name, array in arrays:
        begin = len(data)
        data += array.tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(array.shape), 'data_offsets': [begin, len(data)]}
    text = json.dumps(header, separators=(',', ':')).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def main():
    global WIDTHS
    FOLDER.mkdir(parents=True, exist_ok=True)

    def make(name, kind, side=64, double=False):
        net = prepare(kind(), side, seed=sum(map(ord, name)))
        if double:
            net = net.double()
        with torch.no_grad():
            logits = net(image(side).double() if double else image(side)).float().numpy()
        np.save(FOLDER / f'{name}.logits.npy', logits)
        print(f'{name}: {np.abs(logits).max():.3f}')
        return net

    net = make('megvii', Megvii)
    torch.save({'state_dict': OrderedDict((f'module.{k}', v) for k, v in plain(net).items())}, FOLDER / 'megvii.pth.tar')

    net = make('mindcv-mint', MindcvMint)
    write_safetensors(FOLDER / 'mindcv-mint.safetensors', ((k, v.numpy()) for k, v in plain(net, False).items()))

    torch.save(plain(make('pytorchcv', Pytorchcv)), FOLDER / 'pytorchcv.pth')

    # Of PyTorch 0.3, with the optimizer's tensors.
    net = make('jaxony', Jaxony)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    checkpoint = {'epoch': 3, 'arch': 'shufflenet', 'state_dict': plain(net, False), 'best_prec1': 62.2}
    checkpoint['optimizer'] = optimizer.state_dict()
    torch.save(checkpoint, FOLDER / 'jaxony.pth.tar', _use_new_zipfile_serialization=False)

    net = make('mmpretrain', Mmpretrain)
    meta = {'epoch': 300, 'CLASSES': ['a', 'b'], 'time': 'Tue Aug  4'}
    torch.save({'meta': meta, 'state_dict': plain(net), 'optimizer': {}}, FOLDER / 'mmpretrain.pth')

    torch.save({'model': plain(make('zcls', Zcls, double=True))}, FOLDER / 'zcls.pth')

    net = make('chenhang98', Cifar, side=32)
    torch.save(plain(net, False), FOLDER / 'chenhang98.pkl', _use_new_zipfile_serialization=False)

    # Its first convolutions are grouped from more than 24 channels on.
    WIDTHS = [48, 60, 72]
    np.savez_compressed(FOLDER / 'tensorpack.npz', **dict(make('tensorpack', Tensorpack).variables()))


if __name__ == '__main__':
    main()
