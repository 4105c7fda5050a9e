"""Small networks as files that carry their graph, with their logits.

ONNX models of the classes of families.py, by PyTorch's exporter; a network as the one of the ONNX model zoo, by its own
graph and names; and two of Caffe, whose layers are run here by Caffe's rules, as Debian has no Caffe any more.

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
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
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


def zoo_model(net, ir_version=3, opset=7):
    """As onnx-caffe2 wrote it: shapes of batches of one, all parameters declared as inputs too."""
    nodes, tensors, counts = [], [], {}

    def initialiser(name, value):
        tensors.append(numpy_helper.from_array(value, name))
        return name

    def weight(name, tensor):
        return initialiser(f'gpu_0/{name}_0', tensor.detach().numpy())

    def node(kind, inputs, **attributes):
        index = counts[kind] = counts.get(kind, -1) + 1
        name = f'gpu_0/{kind.lower()}_{index}'
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def reshape(x, *shape):
        index = counts['shape'] = counts.get('shape', -1) + 1
        return node('Reshape', [x, initialiser(f'OC2_DUMMY_{index}', np.array(shape, np.int64))])

    def conv_bn(x, name, module, norm):
        k, s, p = module.kernel_size[0], module.stride[0], module.padding[0]
        bias = [weight(f'{name}_b', module.bias)] if module.bias is not None else []
        x = node('Conv', [x, weight(f'{name}_w', module.weight), *bias], kernel_shape=[k, k], strides=[s, s],
                 pads=[p] * 4, group=module.groups)  # fmt: skip
        parts = ('s', norm.weight), ('b', norm.bias), ('rm', norm.running_mean), ('riv', norm.running_var)
        return node('BatchNormalization', [x, *(weight(f'{name}_bn_{leaf}', part) for leaf, part in parts)])

    window = {'kernel_shape': [3, 3], 'strides': [2, 2], 'pads': [1, 1, 1, 1]}
    x = node('Relu', [conv_bn('gpu_0/data_0', 'conv3_0', net.conv3, net.bn)])
    x = node('MaxPool', [x], **window)
    side = SIDE // 4
    for unit in range(16):
        one, two, deep = net.gconv1[2 * unit], net.gconv1[2 * unit + 1], net.gconv3[unit]
        branch = node('Relu', [conv_bn(x, f'gconv1_{2 * unit}', one, net.bn1[2 * unit])])
        mid = one.out_channels
        branch = reshape(branch, 1, net.groups, mid // net.groups, side, side)
        branch = reshape(node('Transpose', [branch], perm=[0, 2, 1, 3, 4]), 1, mid, side, side)
        branch = conv_bn(branch, f'gconv3_{unit}', deep, net.bn3[unit])
        branch = conv_bn(branch, f'gconv1_{2 * unit + 1}', two, net.bn1[2 * unit + 1])
        if deep.stride[0] == 2:
            side //= 2
            x = node('Concat', [branch, node('AveragePool', [x], **window)], axis=1)
        else:
            x = node('Sum', [branch, x])
        x = node('Relu', [x])
    x = reshape(node('AveragePool', [x], kernel_shape=[side, side]), 1, net.widths[-1])
    x = node('Gemm', [x, weight('pred_w', net.pred.weight), weight('pred_b', net.pred.bias)], transB=1)
    node('Softmax', [x])
    image_input = helper.make_tensor_value_info('gpu_0/data_0', TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    inputs = [image_input, *(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors)]
    output = helper.make_tensor_value_info('gpu_0/softmax_0', TensorProto.FLOAT, [1, families.CLASSES])
    graph = helper.make_graph(nodes, 'shufflenet', inputs, [output], tensors)
    return helper.make_model(graph, producer_name='onnx-caffe2', ir_version=ir_version,
                             opset_imports=[helper.make_opsetid('', opset)])  # fmt: skip


# Caffe.

FIELD = descriptor_pb2.FieldDescriptorProto
TYPES = {'int32': FIELD.TYPE_INT32, 'uint32': FIELD.TYPE_UINT32, 'int64': FIELD.TYPE_INT64, 'bool': FIELD.TYPE_BOOL,
         'float': FIELD.TYPE_FLOAT, 'string': FIELD.TYPE_STRING}  # fmt: skip
# Of caffe.proto, what these networks need: name, number, type; '*' is repeated, '#' repeated and packed.
MESSAGES = {
    'BlobShape': [('dim', 1, '#int64')],
    'BlobProto': [('shape', 7, 'BlobShape'), ('data', 5, '#float')],
    'TransformationParameter': [('scale', 1, 'float'), ('mirror', 2, 'bool'), ('crop_size', 3, 'uint32'), ('mean_value', 5, '*float')],
    'ConvolutionParameter': [('num_output', 1, 'uint32'), ('bias_term', 2, 'bool'), ('pad', 3, '*uint32'),
                             ('kernel_size', 4, '*uint32'), ('group', 5, 'uint32'), ('stride', 6, '*uint32')],
    'PoolingParameter': [('pool', 1, 'int32'), ('kernel_size', 2, 'uint32'), ('stride', 3, 'uint32'), ('global_pooling', 12, 'bool')],
    'BatchNormParameter': [('use_global_stats', 1, 'bool')],
    'ScaleParameter': [('bias_term', 4, 'bool')],
    'EltwiseParameter': [('operation', 1, 'int32')],
    'InnerProductParameter': [('num_output', 1, 'uint32')],
    'ShuffleChannelParameter': [('group', 1, 'uint32')],
    'LayerParameter': [('name', 1, 'string'), ('type', 2, 'string'), ('bottom', 3, '*string'), ('top', 4, '*string'),
                       ('blobs', 7, '*BlobProto'), ('transform_param', 100, 'TransformationParameter'),
                       ('convolution_param', 106, 'ConvolutionParameter'), ('eltwise_param', 110, 'EltwiseParameter'),
                       ('inner_product_param', 117, 'InnerProductParameter'), ('pooling_param', 121, 'PoolingParameter'),
                       ('batch_norm_param', 139, 'BatchNormParameter'), ('scale_param', 142, 'ScaleParameter'),
                       ('shuffle_channel_param', 164, 'ShuffleChannelParameter')],
    'NetParameter': [('name', 1, 'string'), ('layer', 100, '*LayerParameter')],
}  # fmt: skip


def caffe_messages():
    file = descriptor_pb2.FileDescriptorProto(name='small-caffe.proto', package='caffe')
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            own = message.field.add(name=field, number=number, label=FIELD.LABEL_OPTIONAL)
            if kind[0] in '*#':
                own.label = FIELD.LABEL_REPEATED
                own.options.packed = kind[0] == '#'
                kind = kind[1:]
            if kind in TYPES:
                own.type = TYPES[kind]
            else:
                own.type, own.type_name = FIELD.TYPE_MESSAGE, f'.caffe.{kind}'
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName('caffe.NetParameter'))


class Caffe:
    """Layers are run as they are added, so that batch norms can take the statistics of what reaches them."""

    # In three groups the first unit would have three channels, and no shuffle any effect.
    groups, stem, widths = 2, 8, [24, 48, 96]

    def __init__(self, name, x):
        self.net = caffe_messages()(name=name)
        self.random = np.random.RandomState(sum(map(ord, name)))
        self.values = {}
        data = self.net.layer.add(name='data', type='ImageData', top=['data', 'label'])
        data.transform_param.scale, data.transform_param.mirror, data.transform_param.crop_size = 0.017, True, SIDE
        data.transform_param.mean_value.extend([103.94, 116.78, 123.68])
        # Of one image alone some channels would hardly vary.
        self.values['data'] = torch.cat([x.double(), torch.from_numpy(self.random.normal(0, 1, (3, *x.shape[1:])))])

    def layer(self, name, kind, bottoms, top, blobs=()):
        layer = self.net.layer.add(name=name, type=kind, bottom=bottoms, top=[top])
        for blob in blobs:
            blob = np.asarray(blob, np.float32)
            own = layer.blobs.add()
            own.shape.dim.extend(blob.shape)
            own.data.extend(blob.ravel().tolist())
        return layer, [torch.tensor(np.array(b.data)).reshape(tuple(b.shape.dim)) for b in layer.blobs]

    def split(self, x, first, second):
        layer = self.net.layer.add(name=f'{x}_split', type='Split', bottom=[x], top=[first, second])
        for top in layer.top:
            self.values[top] = self.values[x]

    def conv(self, name, x, outputs, kernel, stride=1, group=1, bias=False, norm=None, kind='Convolution'):
        """With BatchNorm and Scale, called after `norm`, in place."""
        inputs = self.values[x].shape[1]
        shape = outputs, inputs // group, kernel, kernel
        blobs = [self.random.normal(0, 10 ** self.random.uniform(-1.5, 0) * np.prod(shape[1:]) ** -0.5, shape)]
        if bias:
            blobs.append(self.random.normal(0, 0.3, outputs))
        layer, (weight, *rest) = self.layer(name, kind, [x], name, blobs)
        own = layer.convolution_param
        own.num_output, own.bias_term, own.group = outputs, bias, group
        own.kernel_size.append(kernel), own.stride.append(stride), own.pad.append(kernel // 2)
        y = F.conv2d(self.values[x], weight, rest[0] if rest else None, stride, kernel // 2, 1, group)
        if norm:
            y = self.batch_norm(norm, name, y)
        self.values[name] = y
        return name

    def batch_norm(self, names, x, y):
        factor = 999.98236 if self.random.rand() < 0.7 else 1.0
        mean = y.mean((0, 2, 3)).numpy() + self.random.normal(0, 0.02, y.shape[1])
        variance = y.var((0, 2, 3)).numpy() * self.random.uniform(0.6, 1.6, y.shape[1]) + 1e-12
        layer, blobs = self.layer(names[0], 'BatchNorm', [x], x, [mean * factor, variance * factor, [factor]])
        layer.batch_norm_param.use_global_stats = True
        scale = 0 if blobs[2] == 0 else 1 / blobs[2]
        y = (y - (blobs[0] * scale)[:, None, None]) / torch.sqrt(blobs[1] * scale + 1e-5)[:, None, None]
        own = [self.random.uniform(0.5, 1.5, y.shape[1]) * self.random.choice([1, 1, 1, -1], y.shape[1]),
               self.random.normal(0, 0.3, y.shape[1])]  # fmt: skip
        layer, blobs = self.layer(names[1], 'Scale', [x], x, own)
        layer.scale_param.bias_term = True
        return y * blobs[0][:, None, None] + blobs[1][:, None, None]

    def relu(self, name, x):
        self.layer(name, 'ReLU', [x], x)
        self.values[x] = F.relu(self.values[x])

    def pool(self, name, x, average):
        """Caffe rounds up, and divides by the cells of the window that are on the plane."""
        layer, _ = self.layer(name, 'Pooling', [x], name)
        layer.pooling_param.pool = int(average)
        layer.pooling_param.kernel_size, layer.pooling_param.stride = 3, 2
        value = self.values[x]
        count = lambda size: -(-(size - 3) // 2) + 1
        result = torch.empty(*value.shape[:2], count(value.shape[2]), count(value.shape[3]), dtype=value.dtype)
        for i in range(result.shape[2]):
            for j in range(result.shape[3]):
                window = value[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
                result[:, :, i, j] = window.mean((2, 3)) if average else window.amax((2, 3))
        self.values[name] = result
        return name

    def shuffle(self, name, x):
        layer, _ = self.layer(name, 'ShuffleChannel', [x], name)
        layer.shuffle_channel_param.group = self.groups
        self.values[name] = shuffle(self.values[x], self.groups)
        return name

    def join(self, name, kind, bottoms):
        layer, _ = self.layer(name, kind, bottoms, name)
        if kind == 'Eltwise':
            layer.eltwise_param.operation = 1
        a, b = (self.values[bottom] for bottom in bottoms)
        self.values[name] = torch.cat((a, b), 1) if kind == 'Concat' else a + b
        return name

    def body(self, stem_norm, unit_names, first_group, first_shuffle):
        x = self.conv('conv1', 'data', self.stem, 3, 2, norm=stem_norm)
        self.relu('conv1_relu', x)
        x = self.pool('pool1', x, False)
        inputs, index = self.stem, 0
        for stage, (out, count) in enumerate(zip(self.widths, families.UNITS)):
            for unit in range(count):
                index += 1
                n = unit_names(stage, unit, index)
                branch = out - inputs if unit == 0 else out
                mid, stride = branch // 4, 2 if unit == 0 else 1
                left, right = f'{x}_split_0', f'{x}_split_1'
                self.split(x, left, right)
                shortcut = self.pool(n['pool'], left, True) if unit == 0 else left
                group = first_group if index == 1 else self.groups
                y = self.conv(n['conv1'], right, mid, 1, group=group, norm=n['norm1'])
                self.relu(f'{n["conv1"]}_relu', y)
                if index > 1 or first_shuffle:
                    y = self.shuffle(n['shuffle'], y)
                y = self.conv(n['conv2'], y, mid, 3, stride, mid, norm=n['norm2'], kind=n['depthwise'])
                y = self.conv(n['conv3'], y, branch, 1, group=self.groups, norm=n['norm3'])
                x = self.join(n['concat'] if unit == 0 else n['add'], 'Concat' if unit == 0 else 'Eltwise', [shortcut, y])
                self.relu(f'{x}_relu', x)
                inputs = out
        layer, _ = self.layer('pool_ave', 'Pooling', [x], 'pool_ave')
        layer.pooling_param.pool, layer.pooling_param.global_pooling = 1, True
        self.values['pool_ave'] = self.values[x].mean((2, 3), keepdim=True)

    def finish(self, fc):
        self.net.layer.add(name='loss', type='SoftmaxWithLoss', bottom=[fc, 'label'], top=['loss'])
        path = FOLDER / f'{self.net.name}.caffemodel'
        path.write_bytes(self.net.SerializeToString())
        save(path.name, self.values[fc][:1].reshape(1, -1).float().numpy())


def farmingyard():
    def names(stage, unit, index):
        base = f'resx{index}'
        return {
            **{f'conv{i}': f'{base}_conv{i}' for i in (1, 2, 3)},
            **{f'norm{i}': (f'{base}_conv{i}_bn', f'{base}_conv{i}_scale') for i in (1, 2, 3)},
            'pool': f'{base}_match_conv', 'shuffle': f'shuffle{index}', 'concat': f'{base}_concat',
            'add': f'{base}_elewise', 'depthwise': 'ConvolutionDepthwise',
        }  # fmt: skip

    net = Caffe('farmingyard', image(SIDE))
    net.body(('conv1_bn', 'conv1_scale'), names, first_group=1, first_shuffle=False)
    net.finish(net.conv('fc1000', 'pool_ave', families.CLASSES, 1, bias=True))


def wuyongchn():
    def names(stage, unit, index):
        base = f'{stage + 2}{"abcdefgh"[unit]}'
        return {
            'conv1': f'gconv{base}_branch2a', 'conv2': f'dwconv{base}_branch2c', 'conv3': f'gconv{base}_branch2d',
            'norm1': (f'bn{base}_branch2a', f'scale{base}_branch2a'), 'norm2': (f'bn{base}_branch2c', f'scale{base}_branch2c'),
            'norm3': (f'bn{base}_branch2d', f'scale{base}_branch2d'), 'shuffle': f'shuffle{base}_branch2b',
            'pool': f'avg{base}_branch1', 'concat': f'blk{base}_concat', 'add': f'blk{base}_eltwise', 'depthwise': 'Convolution',
        }  # fmt: skip

    net = Caffe('wuyongchn', image(SIDE))
    net.body(('bn_conv1', 'scale_conv1'), names, first_group=net.groups, first_shuffle=True)
    weight = net.random.normal(0, 0.1, (families.CLASSES, net.widths[-1]))
    layer, (weight, bias) = net.layer('fc1000', 'InnerProduct', ['pool_ave'], 'fc1000', [weight, net.random.normal(0, 1, families.CLASSES)])
    layer.inner_product_param.num_output = families.CLASSES
    net.values['fc1000'] = net.values['pool_ave'].flatten(1) @ weight.T + bias
    net.finish('fc1000')


# Small files with all that the readers know, for thousands of damaged copies.


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
    ]
    node = helper.make_node
    nodes = [
        node('Conv', ['x', 'raw', 'floats'], ['a'], 'a', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node('BatchNormalization', ['a', 'floats', 'floats', 'halves', 'doubles'], ['b'], epsilon=1e-3),
        node('Relu', ['b'], ['c']),
        node('MaxPool', ['c'], ['d'], kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER'),
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


def small_caffe():
    net = Caffe('small', image(32))
    x = net.conv('conv1', 'data', 2, 3, 2, bias=True, norm=('bn', 'scale'))
    net.relu('relu', x)
    net.split(net.pool('pool', x, False), 'left', 'right')
    y = net.conv('dw', 'left', 2, 3, 1, 2, norm=('bn2', 'scale2'), kind='ConvolutionDepthwise')
    net.shuffle('shuffle', net.join('concat', 'Concat', [net.join('sum', 'Eltwise', [y, 'right']), 'right']))
    layer, _ = net.layer('fc', 'InnerProduct', ['shuffle'], 'fc', [np.ones((3, 4)), np.ones(3)])
    layer.inner_product_param.num_output = 3
    return net.net


def main():
    small = FOLDER / 'small'
    small.mkdir(parents=True, exist_ok=True)
    onnx.save(small_onnx(), small / 'small.onnx')
    (small / 'small.caffemodel').write_bytes(small_caffe().SerializeToString())

    FOLDER.mkdir(parents=True, exist_ok=True)
    export('pytorchcv', families.Pytorchcv, 13, folded=True, axes={0: 'n'})
    export('megvii', MegviiFlat, 9, folded=False)
    export('jaxony', JaxonySoftmax, 11, folded=True)
    export('mmpretrain', families.Mmpretrain, 17, folded=True, axes={0: 'n', 2: 'h', 3: 'w'})
    export('chenhang98', families.Cifar, 16, folded=True, side=32)
    modernise('chenhang98')

    net = prepare(Zoo(), SIDE, seed=1)
    model = zoo_model(net)
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / 'zoo.onnx')
    with torch.no_grad():
        save('zoo.onnx', net(image(SIDE)).numpy())

    farmingyard()
    wuyongchn()


if __name__ == '__main__':
    main()
