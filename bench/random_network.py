"""Writes one network of the paper twice, with the same random weights: NAME.safetensors for us and NAME.onnx (batch norm
folded, the shuffle as reshape-transpose-reshape) for onnxruntime.

    python3 bench/random_network.py GROUPS SCALE NAME [HEIGHT WIDTH]     needs Debian's python3-onnx
"""
import json
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

groups, scale, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
height, width = (int(a) for a in sys.argv[4:6]) if len(sys.argv) > 4 else (224, 224)
classes = 1000
stage_widths = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
random = np.random.default_rng(1)
tensors, nodes, initializers = {}, [], []


def rounded(channels):
    return max(groups, int(channels / groups + 0.5) * groups)


def constant(key, array):
    initializers.append(numpy_helper.from_array(array, key))
    return key


def node(op, inputs, output, **attributes):
    nodes.append(helper.make_node(op, inputs, [output], **attributes))
    return output


def conv(x, key, channels_in, channels_out, kernel, stride, pad, conv_groups):
    fan_in = channels_in // conv_groups * kernel * kernel
    shape = (channels_out, channels_in // conv_groups, kernel, kernel)
    weight = (random.standard_normal(shape) * np.sqrt(1.5 / fan_in)).astype(np.float32)
    bias = (random.standard_normal(channels_out) * 0.1).astype(np.float32)
    tensors[f'{key}.weight'] = weight
    tensors[f'{key}.bn.weight'] = np.ones(channels_out, np.float32)
    tensors[f'{key}.bn.bias'] = bias
    tensors[f'{key}.bn.running_mean'] = np.zeros(channels_out, np.float32)
    tensors[f'{key}.bn.running_var'] = np.full(channels_out, 1 - 1e-5, np.float32)
    return node('Conv', [x, constant(f'{key}.w', weight), constant(f'{key}.b', bias)], key,
                kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=conv_groups)


def relu(x):
    return node('Relu', [x], f'{x}.relu')


def half(size):
    return (size + 1) // 2


stem = rounded(24 * scale)
x = relu(conv('input', 'conv1', 3, stem, 3, 2, 1, 1))
x = node('MaxPool', [x], 'maxpool', kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
channels, h, w = stem, half(half(height)), half(half(width))
for stage, units in ((2, 4), (3, 8), (4, 4)):
    out = rounded(stage_widths[groups] * 2 ** (stage - 2) * scale)
    for unit in range(units):
        key, mid, stride = f'stage{stage}.{unit}', rounded(out / 4), 1 if unit else 2
        y = relu(conv(x, f'{key}.gconv1', channels, mid, 1, 1, 0, 1 if stage == 2 and unit == 0 else groups))
        if groups > 1:
            split = constant(f'{key}.split', np.array([1, groups, mid // groups, h, w], np.int64))
            flat = constant(f'{key}.flat', np.array([1, mid, h, w], np.int64))
            y = node('Reshape', [y, split], f'{key}.grouped')
            y = node('Transpose', [y], f'{key}.transposed', perm=[0, 2, 1, 3, 4])
            y = node('Reshape', [y, flat], f'{key}.shuffled')
        y = conv(y, f'{key}.dwconv', mid, mid, 3, stride, 1, mid)
        if stride == 2:
            y = conv(y, f'{key}.gconv2', mid, out - channels, 1, 1, 0, groups)
            pool = node('AveragePool', [x], f'{key}.avgpool', kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
                        count_include_pad=1)
            x = relu(node('Concat', [pool, y], f'{key}.concat', axis=1))
            h, w = half(h), half(w)
        else:
            y = conv(y, f'{key}.gconv2', mid, out, 1, 1, 0, groups)
            x = relu(node('Add', [x, y], f'{key}.add'))
        channels = out
weight = (random.standard_normal((classes, channels)) * 0.03).astype(np.float32)
bias = np.zeros(classes, np.float32)
tensors['fc.weight'], tensors['fc.bias'] = weight, bias
x = node('Flatten', [node('GlobalAveragePool', [x], 'globalpool')], 'flat')
node('Gemm', [x, constant('fc.w', weight), constant('fc.b', bias)], 'logits', transB=1)

graph = helper.make_graph(nodes, 'shufflenet',
                          [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, height, width])],
                          [helper.make_tensor_value_info('logits', TensorProto.FLOAT, [1, classes])], initializers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)])
model.ir_version = 7
onnx.checker.check_model(model)
onnx.save(model, f'{name}.onnx')

header = {'__metadata__': {'shufflenet.config': json.dumps(
    {'groups': groups, 'scale': scale, 'classes': classes, 'stemChannels': stem})}}
offset = 0
for key, array in tensors.items():
    header[key] = {'dtype': 'F32', 'shape': list(array.shape), 'data_offsets': [offset, offset + array.nbytes]}
    offset += array.nbytes
text = json.dumps(header).encode()
text += b' ' * (-len(text) % 8)
with open(f'{name}.safetensors', 'wb') as file:
    file.write(struct.pack('<Q', len(text)) + text + b''.join(array.tobytes() for array in tensors.values()))
