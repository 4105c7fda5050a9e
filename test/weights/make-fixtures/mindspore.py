"""A small network as MindCV publishes it, with its logits, and a smaller file of every kind of value, as MindSpore's .ckpt.

Follows mindspore/python/mindspore/train/serialization.py of MindSpore 2: a message for each value, and all end to end.

Makes mindcv.* in test/fixtures/checkpoints/families/ and .../readers/*.ckpt. PyTorch 1.13 (Debian 12: apt install
python3-torch python3-protobuf), from the root:
    /usr/bin/python3 test/weights/make-fixtures/mindspore.py
"""

import zlib
from pathlib import Path

import families
import numpy as np
import torch
from messages import classes

FOLDER = Path('test/fixtures/checkpoints')
Checkpoint = classes('mindspore', {
    'Checkpoint': [('value', 1, '*Value')],
    'Value': [('tag', 1, 'STRING'), ('tensor', 2, 'TensorProto'), ('maptensor', 3, 'MapTensorProto')],
    'TensorProto': [('dims', 1, '*INT64'), ('tensor_type', 2, 'STRING'), ('tensor_content', 3, 'BYTES')],
    'MapTensorProto': [('tensor', 1, '*TensorProto')],
})['Checkpoint']  # fmt: skip
LEAVES = {'weight': 'gamma', 'bias': 'beta', 'running_mean': 'moving_mean', 'running_var': 'moving_variance'}
TYPES = {'f8': 'Float64', 'f4': 'Float32', 'f2': 'Float16', 'i8': 'Int64', 'i4': 'Int32', 'i2': 'Int16', 'i1': 'Int8',
         'u8': 'UInt64', 'u4': 'UInt32', 'u2': 'UInt16', 'u1': 'UInt8', 'b1': 'Bool'}  # fmt: skip


def value(tag, dims, kind, content):
    checkpoint = Checkpoint()
    own = checkpoint.value.add(tag=tag)
    own.tensor.dims.extend(dims)
    own.tensor.tensor_type, own.tensor.tensor_content = kind, content
    return checkpoint.SerializeToString()


def tensor(tag, array):
    return value(tag, array.shape, TYPES[array.dtype.str[1:]], array.tobytes())


def text(tag, words):
    return value(tag, [0], 'str', np.array(words).tobytes())


def mindspore_names(net):
    state = net.state_dict()
    norms = {k.rsplit('.', 1)[0] for k in state if k.endswith('running_mean')}
    for name, array in families.plain(net, False).items():
        path, leaf = name.rsplit('.', 1)
        yield f'{path}.{LEAVES[leaf]}' if path in norms else name, array.numpy()


def network():
    """As its training saves it, but for most of what the optimizer keeps."""
    net = families.prepare(families.Mindcv(), 64, seed=sum(map(ord, 'mindcv')))
    with torch.no_grad():
        np.save(FOLDER / 'families' / 'mindcv.logits.npy', net(families.image(64)).numpy())
    arrays = dict(mindspore_names(net))
    values = [tensor(name, array) for name, array in arrays.items()]
    values += [tensor(f'moments.{name}', 0 * arrays[name]) for name in ('first_conv.0.weight', 'first_conv.1.gamma')]
    values += [tensor(name, np.float32(0.1)) for name in ('learning_rate', 'momentum')]
    values += [tensor('global_step', np.array([7], 'i4')), tensor('epoch_num', np.int64(1)), tensor('step_num', np.int64(7))]
    return b''.join(values)


def kinds():
    """Element i of a tensor is i + its number in this order."""
    arrays = [(np.arange(6) + i).reshape(2, 3).astype(f'<{kind}') for i, kind in enumerate(list(TYPES)[:-1])]
    values = [tensor(array.dtype.name, array) for array in arrays]
    values.append(tensor('bool', np.array([False, True, True])))
    brain = (np.arange(3) + 12).astype('<f4').view('<u2')[1::2]
    values.append(value('bfloat16', [3], 'BFloat16', brain.tobytes()))
    values.append(tensor('no side', np.float32(13)))
    values.append(value('scalar of old', [0], 'Float32', np.float32(14).tobytes()))
    values.append(text('author', 'nobody'))
    values.append(value('random_op', [], 'random_op', b'\1\2\3'))
    # As tensors of more than half a gigabyte are.
    halves = np.split((np.arange(6) + 15).astype('<f4'), 2)
    values += [value('in parts', [3, 2], 'Float32', half.tobytes()) for half in halves]
    table = Checkpoint()
    part = table.value.add(tag='table').maptensor.tensor.add(dims=[1], tensor_type='int32')
    part.tensor_content = b'\0\0\0\0'
    values.append(table.SerializeToString())
    return b''.join(values)


def main():
    (FOLDER / 'families' / 'mindcv.ckpt').write_bytes(network())
    plain = kinds()
    (FOLDER / 'readers' / 'kinds.ckpt').write_bytes(plain)
    checked = tensor('w', np.arange(3, dtype='<f4')) + tensor('b', np.float32(3))
    (FOLDER / 'readers' / 'checked.ckpt').write_bytes(checked + b'crc_num' + zlib.crc32(checked).to_bytes(10, 'big'))


main()
