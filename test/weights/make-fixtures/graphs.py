"""Small networks as files that carry their graph, with their logits.

ONNX models of the classes of families.py, by PyTorch's exporter; a network as the one of the ONNX model zoo, by its own
graph and names. Those of Caffe come from caffe.py.

Makes test/fixtures/checkpoints/graphs/. PyTorch 1.13 (Debian 12: apt install python3-torch python3-onnx), from the root:
    /usr/bin/python3 test/weights/make-fixtures/graphs.py
"""

from pathlib import Path

import families
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from families import image, prepare, shuffle
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.onnx import TrainingMode

FOLDER = Path('test/fixtures/checkpoints/graphs')
SIDE = 64


def save(name, logits):
    np.save(FOLDER / f'{name}.logits.npy', logits)
    print(f'{name}: {np.abs(logits).max():.3f}')


# PyTorch's exporter.


class MegviiFlat(families.Megvii):
    """The pool and the flattening of its own code."""

    def forward(self, x):
        x = self.features(F.max_pool2d(self.first_conv(x), 3, 2, 1))
        return self.classifier(F.avg_pool2d(x, 2).contiguous().view(-1, families.WIDTHS[-1]))


class JaxonySoftmax(families.Jaxony):
    """With the end of its own code."""

    def forward(self, x):
        x = self.stage4(self.stage3(self.stage2(F.max_pool2d(self.conv1(x), 3, 2, 1))))
        x = F.avg_pool2d(x, x.data.size()[-2:])
        return F.log_softmax(self.fc(x.view(x.size(0), -1)), dim=1)


def export(name, kind, opset, folded, axes=None, side=SIDE):
    net = prepare(kind(), side, seed=sum(map(ord, name)))
    x = image(side)
    logits = []
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    hook = last.register_forward_hook(lambda module, given, made: logits.append(made.detach().numpy()))
    with torch.no_grad():
        net(x)
    hook.remove()
    keep = {} if folded else {'training': TrainingMode.PRESERVE, 'do_constant_folding': False}
    dynamic = {'dynamic_axes': {'image': axes}} if axes else {}
    path = FOLDER / f'{name}.onnx'
    torch.onnx.export(net, x, path, opset_version=opset, input_names=['image'], output_names=['y'], **keep, **dynamic)
    save(path.name, logits[0])


def external(name):
    """Its tensors in a file beside it."""
    folder = FOLDER / 'external'
    folder.mkdir(exist_ok=True)
    # onnx would write behind what is there.
    data = folder / f'{name}.onnx.data'
    data.unlink(missing_ok=True)
    model = onnx.load(FOLDER / f'{name}.onnx')
    # As a text: with a Path, onnx 1.12 writes the data where it runs.
    path = str(folder / f'{name}.onnx')
    onnx.save(model, path, save_as_external_data=True, location=data.name, size_threshold=0)


def modernise(name):
    """Operator set 21, newer than this PyTorch: means have their axes as an input."""
    model = onnx.load(FOLDER / f'{name}.onnx')
    for node in model.graph.node:
        if node.op_type == 'ReduceMean':
            axes = next(attribute for attribute in node.attribute if attribute.name == 'axes')
            model.graph.initializer.append(numpy_helper.from_array(np.array(axes.ints, np.int64), 'axes'))
            node.input.append('axes')
            node.attribute.remove(axes)
    model.opset_import[0].version, model.ir_version = 21, 10
    onnx.save(model, FOLDER / f'{name}.onnx')


# The ONNX model zoo's network: four groups, in the first unit too, and no bottleneck.


class Zoo(nn.Module):
    groups, stem, widths = 4, 8, [16, 32, 64]

    def __init__(self):
        super().__init__()
        self.conv3, self.bn = families.conv(3, self.stem, 3, 2, bias=True), nn.BatchNorm2d(self.stem)
        self.gconv1, self.gconv3 = nn.ModuleList(), nn.ModuleList()
        self.bn1, self.bn3 = nn.ModuleList(), nn.ModuleList()
        inputs = self.stem
        for out, count in zip(self.widths, families.UNITS):
            for unit in range(count):
                branch = out - inputs if unit == 0 else out
                mid = inputs if unit == 0 and inputs != self.stem else branch
                for a, b in ((inputs, mid), (mid, branch)):
                    self.gconv1.append(families.conv(a, b, 1, groups=self.groups))
                    self.bn1.append(nn.BatchNorm2d(b))
                self.gconv3.append(families.conv(mid, mid, 3, 2 if unit == 0 else 1, mid))
                self.bn3.append(nn.BatchNorm2d(mid))
                inputs = out
        self.pred = nn.Linear(self.widths[-1], families.CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv3(x))), 3, 2, 1)
        for unit in range(sum(families.UNITS)):
            branch = shuffle(F.relu(self.bn1[2 * unit](self.gconv1[2 * unit](x))), self.groups)
            branch = self.bn3[unit](self.gconv3[unit](branch))
            branch = self.bn1[2 * unit + 1](self.gconv1[2 * unit + 1](branch))
            if unit in (0, 4, 12):
                pool = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
                x = F.relu(torch.cat((branch, pool), 1))
            else:
                x = F.relu(branch + x)
        return self.pred(x.mean((2, 3)))


def zoo_model(net):
    """As onnx-caffe2 wrote it: shapes of batches of one, all parameters declared as inputs too, nodes without names."""
    nodes, tensors, dummies = [], [], iter(range(1000))

    def initialiser(name, value):
        tensors.append(numpy_helper.from_array(value, name))
        return name

    def weight(name, tensor):
        return initialiser(f'gpu_0/{name}_0', tensor.detach().numpy())

    def dummy():
        return f'OC2_DUMMY_{next(dummies)}'

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def reshape(x, output, *shape):
        return node('Reshape', [x, initialiser(dummy(), np.array(shape, np.int64))], output)

    def conv_bn(x, name, module, norm):
        k, s, p = module.kernel_size[0], module.stride[0], module.padding[0]
        bias = [weight(f'{name}_b', module.bias)] if module.bias is not None else []
        x = node('Conv', [x, weight(f'{name}_w', module.weight), *bias], f'gpu_0/{name}_1', kernel_shape=[k, k],
                 strides=[s, s], pads=[p] * 4, group=module.groups)  # fmt: skip
        parts = ('s', norm.weight), ('b', norm.bias), ('rm', norm.running_mean), ('riv', norm.running_var)
        parameters = [weight(f'{name}_bn_{leaf}', part) for leaf, part in parts]
        return node('BatchNormalization', [x, *parameters], f'gpu_0/{name}_bn_1')

    window = {'kernel_shape': [3, 3], 'strides': [2, 2], 'pads': [1, 1, 1, 1]}
    x = node('Relu', [conv_bn('gpu_0/data_0', 'conv3_0', net.conv3, net.bn)], 'gpu_0/conv3_0_bn_2')
    x = node('MaxPool', [x], 'gpu_0/pool_0_1', **window)
    side, pools = SIDE // 4, 0
    for unit in range(16):
        one, two, deep = net.gconv1[2 * unit], net.gconv1[2 * unit + 1], net.gconv3[unit]
        name = f'gconv1_{2 * unit}'
        branch = node('Relu', [conv_bn(x, name, one, net.bn1[2 * unit])], f'gpu_0/{name}_bn_2')
        mid = one.out_channels
        branch = reshape(branch, dummy(), 1, net.groups, mid // net.groups, side, side)
        branch = node('Transpose', [branch], dummy(), perm=[0, 2, 1, 3, 4])
        branch = reshape(branch, f'gpu_0/shuffle_{unit}_1', 1, mid, side, side)
        branch = conv_bn(branch, f'gconv3_{unit}', deep, net.bn3[unit])
        branch = conv_bn(branch, f'gconv1_{2 * unit + 1}', two, net.bn1[2 * unit + 1])
        if deep.stride[0] == 2:
            side, pools = side // 2, pools + 1
            pool = node('AveragePool', [x], f'gpu_0/pool_{pools}_1', **window)
            x = node('Concat', [branch, pool], f'gpu_0/block{unit}_1', axis=1)
        else:
            x = node('Sum', [branch, x], f'gpu_0/block{unit}_1')
        x = node('Relu', [x], f'gpu_0/block{unit}_2')
    x = node('AveragePool', [x], 'gpu_0/final_avg_1', kernel_shape=[side, side])
    x = reshape(x, dummy(), 1, net.widths[-1])
    x = node('Gemm', [x, weight('pred_w', net.pred.weight), weight('pred_b', net.pred.bias)], 'gpu_0/pred_1', transB=1)
    node('Softmax', [x], 'gpu_0/softmax_1')
    # As many as a log of the zoo's own file counts (github.com/onnx/onnx/issues/1043).
    assert (len(nodes), len(tensors)) == (203, 281)
    image_input = helper.make_tensor_value_info('gpu_0/data_0', TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    inputs = [image_input, *(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors)]
    output = helper.make_tensor_value_info('gpu_0/softmax_1', TensorProto.FLOAT, [1, families.CLASSES])
    graph = helper.make_graph(nodes, 'shufflenet', inputs, [output], tensors)
    opset = helper.make_opsetid('', 9)
    return helper.make_model(graph, producer_name='onnx-caffe2', ir_version=3, opset_imports=[opset])


# With squeeze and excitation, in both forms in which people write it.


class LinearExcitation(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x):
        n, c, _, _ = x.size()
        return x * self.fc(F.adaptive_avg_pool2d(x, 1).view(n, c)).view(n, c, 1, 1).expand_as(x)


class ConvExcitation(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        return x * self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Excited(families.Pytorchcv):
    """Stage 2 in the one form, the others in the other."""

    def __init__(self):
        super().__init__()
        for stage, unit, inputs, out in families.units():
            module = getattr(getattr(self.features, f'stage{stage + 1}'), f'unit{unit + 1}')
            kind = LinearExcitation if stage == 0 else ConvExcitation
            channels = module.expand_conv3.out_channels
            module.expand_bn3 = nn.Sequential(module.expand_bn3, kind(channels, out // 6))


# A small file with all that the reader knows, for thousands of damaged copies.


def small_onnx():
    def tensor(name, kind, shape, values, **how):
        return helper.make_tensor(name, kind, shape, values, **how)

    weights = np.linspace(-1, 1, 54).astype(np.float32)
    tensors = [
        tensor('raw', TensorProto.FLOAT, [2, 3, 3, 3], weights.tobytes(), raw=True),
        tensor('floats', TensorProto.FLOAT, [2], [0.5, 1]),
        tensor('doubles', TensorProto.DOUBLE, [2], [0.25, 2]),
        tensor('halves', TensorProto.FLOAT16, [2], [0.5, 1]),
        tensor('bytes', TensorProto.UINT8, [2], [1, 200]),
        tensor('shape', TensorProto.INT64, [5], [0, 2, 1, -1, 8]),
        tensor('longs', TensorProto.INT64, [2], np.array([1, 2]).tobytes(), raw=True),
        tensor('matrix', TensorProto.FLOAT, [4, 3], weights[:12].tolist()),
        tensor('factors', TensorProto.FLOAT, [2, 1, 1], [0.5, 2]),
        tensor('single', TensorProto.FLOAT, [1, 1, 1, 1], [0.5]),
        tensor('square', TensorProto.FLOAT, [2, 2, 1, 1], [0.5, 1, 2, -1]),
        tensor('order', TensorProto.INT64, [2], [0, 1]),
        tensor('one', TensorProto.INT64, [1], [1]),
        tensor('two', TensorProto.INT64, [1], [2]),
    ]
    node = helper.make_node
    nodes = [
        node('Conv', ['x', 'raw', 'floats'], ['a'], 'a', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node('BatchNormalization', ['a', 'floats', 'floats', 'halves', 'doubles'], ['b'], epsilon=1e-3),
        node('Mul', ['b', 'factors'], ['b factored']),
        node('Sub', ['b factored', 'factors'], ['b moved']),
        node('Relu', ['b moved'], ['c']),
        node('MaxPool', ['c'], ['c pooled'], kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER'),
        node('Split', ['c pooled'], ['c one', 'c two'], axis=1, split=[1, 1]),
        node('Conv', ['c one', 'single'], ['c three']),
        node('Conv', ['c two', 'single'], ['c four']),
        node('Concat', ['c three', 'c four'], ['c joined'], axis=1),
        node('Gather', ['c joined', 'order'], ['c turned'], axis=1),
        node('Slice', ['c turned', 'one', 'two', 'one'], ['c last']),
        node('Slice', ['c turned', 'longs', 'order', 'one', 'longs'], ['c none']),
        node('GlobalAveragePool', ['c turned'], ['c mean']),
        node('Conv', ['c mean', 'square', 'floats'], ['c excited']),
        node('Sigmoid', ['c excited'], ['c factors']),
        node('Shape', ['c turned'], ['c shape']),
        node('Expand', ['c factors', 'c shape'], ['c expanded']),
        node('Mul', ['c turned', 'c expanded'], ['d']),
        node('Shape', ['d'], ['e']),
        node('Constant', [], ['f'], value=tensor('zero', TensorProto.INT64, [], [0])),
        node('Gather', ['e', 'f'], ['g']),
        node('Unsqueeze', ['g'], ['h'], axes=[0]),
        node('Constant', [], ['i'], value_ints=[2, 1, 8, 8]),
        node('Concat', ['h', 'i'], ['j'], axis=0),
        node('Reshape', ['d', 'j'], ['k']),
        node('Transpose', ['k'], ['l'], perm=[0, 2, 1, 3, 4]),
        node('Reshape', ['l', 'e'], ['m']),
        node('Pad', ['d'], ['n'], pads=[0, 0, 1, 1, 0, 0, 1, 1]),
        node('AveragePool', ['n'], ['o'], kernel_shape=[3, 3]),
        node('Concat', ['m', 'o'], ['p'], axis=1),
        node('Dropout', ['p'], ['q', '']),
        node('ReduceMean', ['q'], ['r'], axes=[2, 3], keepdims=0),
        node('MatMul', ['r', 'matrix'], ['s']),
        node('Softmax', ['s'], ['y']),
    ]
    graph = helper.make_graph(
        nodes, 'small',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['n', 3, 32, 32])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['n', 3])], tensors,
    )  # fmt: skip
    model = helper.make_model(graph, producer_name='small', opset_imports=[helper.make_opsetid('', 12)])
    helper.set_model_props(model, {'license': 'MIT'})
    return model


def main():
    small = FOLDER / 'small'
    small.mkdir(parents=True, exist_ok=True)
    onnx.save(small_onnx(), small / 'small.onnx')

    FOLDER.mkdir(parents=True, exist_ok=True)
    export('pytorchcv', families.Pytorchcv, 13, folded=True, axes={0: 'n'})
    export('megvii', MegviiFlat, 9, folded=False)
    export('jaxony', JaxonySoftmax, 11, folded=True)
    export('mmpretrain', families.Mmpretrain, 17, folded=True, axes={0: 'n', 2: 'h', 3: 'w'})
    export('chenhang98', families.Cifar, 16, folded=True, side=32)
    modernise('chenhang98')
    external('chenhang98')

    export('excited', Excited, 12, folded=True)

    net = prepare(Zoo(), SIDE, seed=1)
    model = zoo_model(net)
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / 'zoo.onnx')
    with torch.no_grad():
        save('zoo.onnx', net(image(SIDE)).numpy())


if __name__ == '__main__':
    main()
