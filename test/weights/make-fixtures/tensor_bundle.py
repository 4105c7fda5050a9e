"""TensorFlow checkpoints without TensorFlow: their index is a table of LevelDB, which LevelDB's own code writes here.

The network is that of keras.py, from its TensorFlow.js files; the small files have every kind of tensor. Follows
tensorflow/core/util/tensor_bundle/tensor_bundle.cc of TensorFlow 2.

Makes model.{index,data-*} in test/fixtures/checkpoints/keras/tropcomplique/ and .../readers/. Debian 12: apt install
g++ libleveldb-dev python3-numpy python3-protobuf; from the root:
    /usr/bin/python3 test/weights/make-fixtures/tensor_bundle.py
"""

import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from messages import classes

FOLDER = Path('test/fixtures/checkpoints')
DTYPES = {'f4': 1, 'f8': 2, 'i4': 3, 'u1': 4, 'i2': 5, 'i1': 6, 'c8': 8, 'i8': 9, 'b1': 10, 'u2': 17, 'f2': 19, 'u4': 22, 'u8': 23}  # fmt: skip
STRING, BFLOAT16 = 7, 14
proto = classes('tensorflow', {
    'VersionDef': [('producer', 1, 'INT32'), ('min_consumer', 2, 'INT32')],
    'Header': [('num_shards', 1, 'INT32'), ('endianness', 2, 'INT32'), ('version', 3, 'VersionDef')],
    'Dim': [('size', 1, 'INT64'), ('name', 2, 'STRING')],
    'Shape': [('dim', 2, '*Dim'), ('unknown_rank', 3, 'BOOL')],
    'Entry': [('dtype', 1, 'INT32'), ('shape', 2, 'Shape'), ('shard_id', 3, 'INT32'), ('offset', 4, 'INT64'),
              ('size', 5, 'INT64'), ('crc32c', 6, 'FIXED32')],
}, syntax='proto3')  # fmt: skip


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def strings(words):
    """Lengths (below 128), their CRC, and the words; and the CRC of all, of lengths as four bytes each."""
    lengths = b''.join(struct.pack('<I', len(word)) for word in words)
    check = struct.pack('<I', masked(crc32c(lengths)))
    text = b''.join(words)
    return bytes(map(len, words)) + check + text, crc32c(lengths + check + text)


def write(prefix, tensors, shards=1, block=262144):
    """`tensors`: by name, arrays; lists of bytes; or (data type, shape, bytes)."""
    data = [b''] * shards
    header = proto['Header'](num_shards=shards)
    header.version.producer = 1
    entries = {b'': header.SerializeToString()}
    for i, (name, value) in enumerate(sorted(tensors.items(), key=lambda item: item[0].encode())):
        if isinstance(value, list):
            kind, shape, (content, crc) = STRING, (len(value),), strings(value)
        else:
            if not isinstance(value, tuple):
                value = DTYPES[value.dtype.str[1:]], value.shape, value.tobytes()
            kind, shape, content = value
            crc = crc32c(content)
        entry = proto['Entry'](dtype=kind, shard_id=i * shards // len(tensors), size=len(content), crc32c=masked(crc))
        entry.shape.SetInParent()
        for side in shape:
            entry.shape.dim.add(size=side)
        entry.offset = len(data[entry.shard_id])
        data[entry.shard_id] += content
        entries[name.encode()] = entry.SerializeToString()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for i, content in enumerate(data):
        Path(f'{prefix}.data-{i:05}-of-{shards:05}').write_bytes(content)
    parts = (struct.pack('<I', len(part)) + part for entry in entries.items() for part in entry)
    subprocess.run([TABLE, f'{prefix}.index', str(block)], input=b''.join(parts), check=True)


def of_tfjs(folder):
    """The arrays of TensorFlow.js' shards; halves as they are."""
    for group in json.loads((folder / 'model.json').read_text())['weightsManifest']:
        data = b''.join((folder / path).read_bytes() for path in group['paths'])
        at = 0
        for weight in group['weights']:
            array = np.frombuffer(data, '<f2', int(np.prod(weight['shape'])), at).reshape(weight['shape'])
            at += array.nbytes
            yield weight['name'], array


def network():
    """As its training saves it, but for most of what the optimizer keeps."""
    tensors = dict(of_tfjs(FOLDER / 'keras/tropcomplique'))
    for name in ('features/stage1/conv1/kernel', 'features/stage2/unit1/g_conv_1/batch_normalization/beta', 'classifier/bias'):
        tensors[f'optimizer/{name}/Momentum'] = np.zeros(tensors[name].shape, '<f4')
    tensors['learning_rate/lr'] = np.float32(0.01)
    return tensors


def kinds():
    """Element i of a tensor is i + its number in this order."""
    tensors = {}
    for number, kind in enumerate(DTYPES):
        values = [False, True, True] if kind == 'b1' else np.arange(3) + number
        tensors[f'kinds/{np.dtype(kind).name}'] = np.array(values, f'<{kind}')
    tensors['kinds/bfloat16'] = BFLOAT16, (3,), (np.arange(3) + 13).astype('<f4').view('<u2')[1::2].tobytes()
    tensors['scalar'] = np.float32(14)
    tensors['empty'] = np.zeros((0, 4), '<f4')
    tensors['matrix'] = (np.arange(6) + 16).reshape(2, 3).astype('<f4')
    tensors['_CHECKPOINTABLE_OBJECT_GRAPH'] = [b'of no use']
    tensors['words'] = [b'one', b'', b'three']
    return tensors


with tempfile.TemporaryDirectory() as folder:
    TABLE = f'{folder}/table'
    subprocess.run(['g++', '-O1', Path(__file__).with_name('table.cc'), '-lleveldb', '-o', TABLE], check=True)
    write(FOLDER / 'keras/tropcomplique/model', network())
    write(FOLDER / 'readers/kinds', kinds(), shards=2, block=200)
    write(FOLDER / 'readers/small.ckpt-1', {'b': np.arange(2, dtype='<f4'), 'w': np.ones((2, 3), '<f4'), 'global_step': np.int64(1)})
