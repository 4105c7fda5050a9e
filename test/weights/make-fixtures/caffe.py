"""Small Caffe models as files that carry their graph, with their logits from OpenCV, which reads and runs Caffe's.

Layers have the names and the order of the projects' generators. The messages are written by Google's protobuf after
caffe.proto; the prototxt that OpenCV needs beside them is made of the same layers.

Makes test/fixtures/checkpoints/graphs/*.caffemodel. OpenCV 4.6 (Debian 12: apt install python3-opencv python3-torch
python3-protobuf), from the root:
    /usr/bin/python3 test/weights/make-fixtures/caffe.py
"""

from pathlib import Path

import cv2
import numpy as np
from families import CLASSES, UNITS, image
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

FOLDER = Path('test/fixtures/checkpoints/graphs')

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
    groups, stem = 2, 8

    def __init__(self, name, side):
        self.net = caffe_messages()(name=name)
        self.random = np.random.RandomState(sum(map(ord, name)))
        self.channels = {'data': 3}
        data = self.net.layer.add(name='data', type='ImageData', top=['data', 'label'])
        data.transform_param.scale, data.transform_param.mirror, data.transform_param.crop_size = 0.017, True, side
        data.transform_param.mean_value.extend([103.94, 116.78, 123.68])
        self.image = image(side).numpy()
        # Of one image alone some channels would hardly vary.
        self.images = np.concatenate([self.image, self.random.normal(0, 1, (3, 3, side, side))]).astype(np.float32)

    def run(self, images):
        """The value of the last layer in OpenCV."""
        prototxt, split = type(self.net)(), {}
        for layer in self.net.layer:
            # A prototxt has no splits: Caffe adds them.
            if layer.type == 'Split':
                split.update((top, layer.bottom[0]) for top in layer.top)
            if layer.type in ('ImageData', 'Split'):
                continue
            copy = prototxt.layer.add()
            copy.CopyFrom(layer)
            copy.bottom[:] = [split.get(bottom, bottom) for bottom in layer.bottom]
            del copy.blobs[:]
            # Of the forks' layers OpenCV knows no ConvolutionDepthwise, which is a convolution of as many groups, and
            # ShuffleChannel, but not its message. Which one a parameter is in makes no difference to it.
            if layer.type == 'ConvolutionDepthwise':
                copy.type = 'Convolution'
            if layer.type == 'ShuffleChannel':
                copy.convolution_param.group = layer.shuffle_channel_param.group
                copy.ClearField('shuffle_channel_param')
        sides = ' '.join(f'dim: {side}' for side in images.shape)
        text = f'input: "data" input_shape {{ {sides} }} {text_format.MessageToString(prototxt)}'
        buffers = (np.frombuffer(data, np.uint8) for data in (text.encode(), self.net.SerializeToString()))
        net = cv2.dnn.readNetFromCaffe(*buffers)
        net.enableFusion(False)
        net.setInput(images)
        return net.forward()

    def layer(self, name, kind, bottoms, top, channels, blobs=()):
        layer = self.net.layer.add(name=name, type=kind, bottom=bottoms, top=[top])
        for blob in blobs:
            blob = np.asarray(blob, np.float32)
            own = layer.blobs.add()
            own.shape.dim.extend(blob.shape)
            own.data.extend(blob.ravel().tolist())
        self.channels[top] = channels
        return layer

    def split(self, x, first, second):
        self.net.layer.add(name=f'{x}_split', type='Split', bottom=[x], top=[first, second])
        self.channels[first] = self.channels[second] = self.channels[x]

    def conv(self, name, x, outputs, kernel, stride=1, group=1, bias=False, norm=None, kind='Convolution', pad=None):
        """With BatchNorm and Scale, called after `norm`, in place."""
        shape = outputs, self.channels[x] // group, kernel, kernel
        blobs = [self.random.normal(0, 10 ** self.random.uniform(-1.5, 0) * np.prod(shape[1:]) ** -0.5, shape)]
        if bias:
            blobs.append(self.random.normal(0, 0.3, outputs))
        own = self.layer(name, kind, [x], name, outputs, blobs).convolution_param
        own.num_output, own.bias_term, own.group = outputs, bias, group
        own.kernel_size.append(kernel), own.stride.append(stride)
        own.pad.append(kernel // 2 if pad is None else pad)
        if norm:
            self.batch_norm(norm, name)
        return name

    def batch_norm(self, names, x):
        y = self.run(self.images)
        channels = y.shape[1]
        factor = 999.98236 if self.random.rand() < 0.7 else 1.0
        mean = y.mean((0, 2, 3)) + self.random.normal(0, 0.02, channels)
        variance = y.var((0, 2, 3)) * self.random.uniform(0.6, 1.6, channels) + 1e-12
        layer = self.layer(names[0], 'BatchNorm', [x], x, channels, [mean * factor, variance * factor, [factor]])
        layer.batch_norm_param.use_global_stats = True
        gamma = self.random.uniform(0.5, 1.5, channels) * self.random.choice([1, 1, 1, -1], channels)
        layer = self.layer(names[1], 'Scale', [x], x, channels, [gamma, self.random.normal(0, 0.3, channels)])
        layer.scale_param.bias_term = True

    def relu(self, name, x):
        self.layer(name, 'ReLU', [x], x, self.channels[x])

    def pool(self, name, x, average):
        own = self.layer(name, 'Pooling', [x], name, self.channels[x]).pooling_param
        own.pool, own.kernel_size, own.stride = int(average), 3, 2
        return name

    def shuffle(self, name, x):
        layer = self.layer(name, 'ShuffleChannel', [x], name, self.channels[x])
        layer.shuffle_channel_param.group = self.groups
        return name

    def join(self, name, kind, bottoms):
        a, b = (self.channels[bottom] for bottom in bottoms)
        layer = self.layer(name, kind, bottoms, name, a + b if kind == 'Concat' else a)
        if kind == 'Eltwise':
            layer.eltwise_param.operation = 1
        return name

    def body(self, stem_norm, unit_names, widths, first_group, first_shuffle, pads=(1, 1, 1)):
        """`pads`: of the depthwise convolutions of stride 2."""
        x = self.conv('conv1', 'data', self.stem, 3, 2, norm=stem_norm)
        self.relu('conv1_relu', x)
        x = self.pool('pool1', x, False)
        inputs, index = self.stem, 0
        for stage, (out, count) in enumerate(zip(widths, UNITS)):
            for unit in range(count):
                index += 1
                n = unit_names(stage, unit, index)
                branch = out - inputs if unit == 0 else out
                mid, stride, pad = branch // 4, *((2, pads[stage]) if unit == 0 else (1, 1))
                left, right = f'{x}_split_0', f'{x}_split_1'
                self.split(x, left, right)
                shortcut = self.pool(n['pool'], left, True) if unit == 0 else left
                group = first_group if index == 1 else self.groups
                y = self.conv(n['conv1'], right, mid, 1, group=group, norm=n['norm1'])
                self.relu(f'{n["conv1"]}_relu', y)
                if index > 1 or first_shuffle:
                    y = self.shuffle(n['shuffle'], y)
                y = self.conv(n['conv2'], y, mid, 3, stride, mid, norm=n['norm2'], kind=n['depthwise'], pad=pad)
                y = self.conv(n['conv3'], y, branch, 1, group=self.groups, norm=n['norm3'])
                x = self.join(n['concat'] if unit == 0 else n['add'], 'Concat' if unit == 0 else 'Eltwise', [shortcut, y])
                self.relu(f'{x}_relu', x)
                inputs = out
        own = self.layer('pool_ave', 'Pooling', [x], 'pool_ave', inputs).pooling_param
        own.pool, own.global_pooling = 1, True

    def finish(self, fc):
        logits = self.run(self.image).reshape(1, -1)
        self.net.layer.add(name='loss', type='SoftmaxWithLoss', bottom=[fc, 'label'], top=['loss'])
        file = f'{self.net.name}.caffemodel'
        (FOLDER / file).write_bytes(self.net.SerializeToString())
        np.save(FOLDER / f'{file}.logits.npy', logits)
        print(f'{file}: {np.abs(logits).max():.3f}')


def farmingyard(name='farmingyard', side=64, widths=(24, 48, 96), pads=(1, 1, 1)):
    def names(stage, unit, index):
        base = f'resx{index}'
        return {
            **{f'conv{i}': f'{base}_conv{i}' for i in (1, 2, 3)},
            **{f'norm{i}': (f'{base}_conv{i}_bn', f'{base}_conv{i}_scale') for i in (1, 2, 3)},
            'pool': f'{base}_match_conv', 'shuffle': f'shuffle{index}', 'concat': f'{base}_concat',
            'add': f'{base}_elewise', 'depthwise': 'ConvolutionDepthwise',
        }  # fmt: skip

    net = Caffe(name, side)
    net.body(('conv1_bn', 'conv1_scale'), names, widths, first_group=1, first_shuffle=False, pads=pads)
    net.finish(net.conv('fc1000', 'pool_ave', CLASSES, 1, bias=True))


def wuyongchn():
    def names(stage, unit, index):
        base = f'{stage + 2}{"abcdefgh"[unit]}'
        return {
            'conv1': f'gconv{base}_branch2a', 'conv2': f'dwconv{base}_branch2c', 'conv3': f'gconv{base}_branch2d',
            'norm1': (f'bn{base}_branch2a', f'scale{base}_branch2a'), 'norm2': (f'bn{base}_branch2c', f'scale{base}_branch2c'),
            'norm3': (f'bn{base}_branch2d', f'scale{base}_branch2d'), 'shuffle': f'shuffle{base}_branch2b',
            'pool': f'avg{base}_branch1', 'concat': f'blk{base}_concat', 'add': f'blk{base}_eltwise', 'depthwise': 'Convolution',
        }  # fmt: skip

    net = Caffe('wuyongchn', 64)
    net.body(('bn_conv1', 'scale_conv1'), names, (24, 48, 96), first_group=net.groups, first_shuffle=True)
    blobs = [net.random.normal(0, 0.1, (CLASSES, 96)), net.random.normal(0, 1, CLASSES)]
    layer = net.layer('fc1000', 'InnerProduct', ['pool_ave'], 'fc1000', CLASSES, blobs)
    layer.inner_product_param.num_output = CLASSES
    net.finish('fc1000')


def small():
    """All that the reader knows, for thousands of damaged copies."""
    net = Caffe('small', 32)
    x = net.conv('conv1', 'data', 2, 3, 2, bias=True, norm=('bn', 'scale'))
    net.relu('relu', x)
    net.split(net.pool('pool', x, False), 'left', 'right')
    y = net.conv('dw', 'left', 2, 3, 1, 2, norm=('bn2', 'scale2'), kind='ConvolutionDepthwise')
    net.shuffle('shuffle', net.join('concat', 'Concat', [net.join('sum', 'Eltwise', [y, 'right']), 'right']))
    layer = net.layer('fc', 'InnerProduct', ['shuffle'], 'fc', 3, [np.ones((3, 4)), np.ones(3)])
    layer.inner_product_param.num_output = 3
    (FOLDER / 'small/small.caffemodel').write_bytes(net.net.SerializeToString())


def main():
    (FOLDER / 'small').mkdir(parents=True, exist_ok=True)
    small()
    farmingyard()
    # As its file for images of 50x50: stage 4 begins with 3x3, of which the pool makes one cell, a padded convolution two.
    farmingyard('farmingyard-50', 50, (24, 40, 56), pads=(1, 1, 0))
    wuyongchn()


if __name__ == '__main__':
    main()
