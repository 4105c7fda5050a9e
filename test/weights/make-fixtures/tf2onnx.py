"""tensorpack's small network as tf2onnx writes TensorFlow's graphs, by a writer of its own, with logits from PyTorch.

Two files: as it is before its optimizers, a transpose before and behind each operator of planes, batch norms as products
and sums, convolutions of groups in parts and shapes computed; and after them. The rules are those of tf2onnx's handlers
(nn.py, tensor.py); TensorFlow itself is in no Debian.

Makes test/fixtures/checkpoints/graphs/tensorpack*.onnx. PyTorch 1.13 and ONNX of Debian 12, from the root:
    /usr/bin/python3 test/weights/make-fixtures/tf2onnx.py
"""

import families
import numpy as np
import onnx
import torch
from families import image, prepare
from graphs import FOLDER, SIDE, save
from onnx import TensorProto, helper, numpy_helper


class Writer:
    def __init__(self, tuned):
        self.tuned, self.nodes, self.tensors, self.counts = tuned, [], [], {}

    def constant(self, value):
        name = f'const_{len(self.tensors)}'
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, kind, inputs, outputs=1, **attributes):
        index = self.counts[kind] = self.counts.get(kind, -1) + 1
        names = [f'{kind}__{index}:{i}' for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f'{kind}__{index}', **attributes))
        return names[0] if outputs == 1 else names

    def planes(self, kind, inputs, **attributes):
        """An operator of N, C, H, W."""
        if self.tuned:
            return self.node(kind, inputs, **attributes)
        x = self.node('Transpose', inputs[:1], perm=[0, 3, 1, 2])
        return self.node('Transpose', [self.node(kind, [x, *inputs[1:]], **attributes)], perm=[0, 2, 3, 1])

    def window(self, kernel, stride):
        """SAME is written out where sides, here even ones, are known."""
        sides = {'kernel_shape': [kernel] * 2, 'strides': [stride] * 2}
        if kernel == 1:
            return {**sides, 'auto_pad': 'VALID'}
        return {**sides, 'pads': [2 - stride] * 2 + [1] * 2} if self.tuned else {**sides, 'auto_pad': 'SAME_UPPER'}

    def kernels(self, module, parts=1):
        """TensorFlow has them in the order H, W, in, out; depthwise H, W, in, 1."""
        weight = module.weight.detach().numpy()
        if self.tuned:
            return [self.constant(weight)]
        if module.groups == module.in_channels:
            flat = self.node('Reshape', [self.constant(weight.transpose(2, 3, 0, 1)), self.integers(3, 3, 1, -1)])
            return [self.node('Transpose', [flat], perm=[3, 2, 0, 1])]
        own = [self.constant(part) for part in np.split(weight.transpose(2, 3, 1, 0), parts, 3)]
        return [self.node('Transpose', [part], perm=[3, 2, 0, 1]) for part in own]

    def conv(self, x, module, norm):
        window, groups = self.window(module.kernel_size[0], module.stride[0]), module.groups
        if self.tuned or groups in (1, module.in_channels):
            x = self.planes('Conv', [x, *self.kernels(module)], group=groups, **window)
        else:
            parts = self.node('Split', [x], groups, axis=3, split=[module.in_channels // groups] * groups)
            pairs = zip(parts, self.kernels(module, groups))
            x = self.node('Concat', [self.planes('Conv', pair, **window) for pair in pairs], axis=3)
        values = [v.detach().numpy() for v in (norm.weight, norm.bias, norm.running_mean, norm.running_var)]
        if self.tuned:
            return self.node('BatchNormalization', [x, *map(self.constant, values)], epsilon=norm.eps)
        factors = values[0] / np.sqrt(values[3] + norm.eps)
        x = self.node('Mul', [x, self.constant(factors)])
        return self.node('Add', [x, self.constant(values[1] - values[2] * factors)])

    def unshuffle(self, x, groups, channels, side):
        if self.tuned:
            x = self.node('Reshape', [x, self.integers(-1, channels // groups, groups, side, side)])
            x = self.node('Transpose', [x], perm=[0, 2, 1, 3, 4])
            return self.node('Reshape', [x, self.integers(-1, channels, side, side)])
        shape = self.node('Cast', [self.node('Shape', [x])], to=TensorProto.INT32)
        sides = []
        for axis in (1, 2):
            part = self.node('Slice', [shape, *(self.integers(v) for v in (axis, axis + 1, 0))])
            sides.append(self.node('Unsqueeze', [self.node('Squeeze', [part], axes=[0])], axes=[0]))

        def reshaped(x, *last):
            batch, *rest = (self.constant(np.array([v], np.int32)) for v in (-1, *last))
            target = self.node('Concat', [batch, *sides, *rest], axis=0)
            return self.node('Reshape', [x, self.node('Cast', [target], to=TensorProto.INT64)])

        x = reshaped(x, channels // groups, groups)
        return reshaped(self.node('Transpose', [x], perm=[0, 1, 2, 4, 3]), channels)

    def model(self, net):
        side = SIDE // 4
        x = self.node('Transpose', ['input:0'], perm=[0, 3, 1, 2]) if self.tuned else 'input:0'
        x = self.node('Relu', [self.conv(x, net.conv1, net.conv1_bn)])
        x = self.planes('MaxPool', [x], **self.window(3, 2))
        for unit in (*net.stage2, *net.stage3, *net.stage4):
            y = self.node('Relu', [self.conv(x, unit.conv1, unit.conv1_bn)])
            y = self.unshuffle(y, families.GROUPS, unit.conv1.out_channels, side)
            y = self.conv(self.conv(y, unit.dconv, unit.dconv_bn), unit.conv2, unit.conv2_bn)
            if unit.stride == 1:
                x = self.node('Relu', [self.node('Add', [x, y])])
            else:
                pool = self.planes('AveragePool', [x], **self.window(3, 2))
                x = self.node('Concat', [pool, self.node('Relu', [y])], axis=1 if self.tuned else 3)
                side //= 2
        weight, bias = map(self.constant, (net.linear.weight.detach().numpy().T, net.linear.bias.detach().numpy()))
        if self.tuned:
            pooled = self.node('Squeeze', [self.node('GlobalAveragePool', [x]), self.integers(2, 3)])
            x = self.node('Gemm', [pooled, weight, bias])
        else:
            pooled = self.node('ReduceMean', [x], axes=[1, 2], keepdims=0)
            x = self.node('Add', [self.node('MatMul', [pooled, weight]), bias])
        x = self.node('Identity', [self.node('Softmax', [x])])
        sides = [SIDE, SIDE] if self.tuned else ['height', 'width']
        images = helper.make_tensor_value_info('input:0', TensorProto.FLOAT, ['batch', *sides, 3])
        output = helper.make_tensor_value_info(x, TensorProto.FLOAT, ['batch', families.CLASSES])
        graph = helper.make_graph(self.nodes, 'tf2onnx', [images], [output], self.tensors)
        opset = helper.make_opsetid('', 15 if self.tuned else 12)
        return helper.make_model(graph, producer_name='tf2onnx', ir_version=7, opset_imports=[opset])


def main():
    families.WIDTHS = [48, 60, 72]
    net = prepare(families.Tensorpack(), SIDE, seed=2)
    with torch.no_grad():
        logits = net(image(SIDE)).numpy()
    for name, tuned in (('tensorpack', True), ('tensorpack-nhwc', False)):
        model = Writer(tuned).model(net)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, FOLDER / f'{name}.onnx')
        save(f'{name}.onnx', logits)


if __name__ == '__main__':
    main()
