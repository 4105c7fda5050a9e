"""
Writes the files that test/weights/formats/{pytorch,npz}.test.ts read, into test/fixtures/checkpoints/readers/. Debian's
python3-torch (1.13) and python3-numpy:

    /usr/bin/python3 test/weights/make-fixtures/readers.py

Element i of a tensor or array, row by row, is i + its number in the order below, in whatever type.
"""
import collections
import pathlib
import tempfile
import zipfile

import numpy
import torch

folder = pathlib.Path(__file__).parents[2] / 'fixtures' / 'checkpoints' / 'readers'
folder.mkdir(parents=True, exist_ok=True)


def ramp(number, *shape, dtype=torch.float32):
    return (torch.arange(int(numpy.prod(shape, dtype=int))) + number).reshape(shape).to(dtype)


def every_kind():
    """Names say what is special."""
    whole = torch.arange(20, dtype=torch.float32)
    state = collections.OrderedDict()
    state['float'] = ramp(0, 2, 3)
    state['half'] = ramp(1, 2, 3, dtype=torch.float16)
    state['bfloat16'] = ramp(2, 2, 3, dtype=torch.bfloat16)
    state['double'] = ramp(3, 2, 3, dtype=torch.float64)
    state['long'] = ramp(4, 3, dtype=torch.int64)
    state['int'] = ramp(5, 3, dtype=torch.int32)
    state['short'] = ramp(6, 3, dtype=torch.int16)
    state['char'] = ramp(7, 3, dtype=torch.int8)
    state['byte'] = ramp(8, 3, dtype=torch.uint8)
    state['bool'] = torch.tensor([False, True, True])
    state['scalar'] = torch.tensor(11.0)
    state['empty'] = torch.zeros(0, 4)
    state['parameter'] = torch.nn.Parameter(ramp(13, 2, 2))
    state['shared storage from 4'] = whole[4:10].reshape(2, 3)
    state['shared storage from 14'] = whole[14:]
    state['transposed'] = ramp(0, 3, 2).t()
    state['every other column'] = ramp(0, 2, 6)[:, ::2]
    state['channels last'] = ramp(0, 2, 3, 2, 2).to(memory_format=torch.channels_last)
    state['expanded'] = torch.tensor([7.0]).expand(2, 3)
    state['__proto__'] = ramp(18, 1)
    state['constructor'] = ramp(19, 1)
    state._metadata = collections.OrderedDict({'': {'version': 1}})
    return state


class Unit(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 1, bias=False)
        self.bn = torch.nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv(x))


def net():
    module = torch.nn.Sequential(collections.OrderedDict(unit=Unit(), fc=torch.nn.Linear(4, 3)))
    with torch.no_grad():
        for number, tensor in enumerate(module.state_dict().values()):
            tensor.copy_(ramp(number, *tensor.shape, dtype=tensor.dtype))
    return module


class Arguments:
    """Stands for argparse.Namespace and the classes of a project."""

    def __init__(self):
        self.lr = 0.1


def checkpoint():
    """As training scripts write it: a wrapped network's names, an optimiser after a step, and odds and ends."""
    module = torch.nn.DataParallel(net())
    optimizer = torch.optim.Adam(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimizer.step()
    return {
        'epoch': 90,
        'arch': 'shufflenet',
        'best_prec1': torch.tensor(62.5),
        'best_loss': numpy.float64(1.25),
        'args': Arguments(),
        'seen': {1, 2},
        'state_dict': state,
        'optimizer': optimizer.state_dict(),
    }


def save(value, name, **options):
    torch.save(value, folder / name, **options)


legacy = {'_use_new_zipfile_serialization': False}
save(every_kind(), 'kinds.pt')
save(every_kind(), 'kinds-legacy.pt', **legacy)
save(every_kind(), 'kinds-protocol4.pt', pickle_protocol=4)
save(every_kind(), 'kinds-protocol5-legacy.pt', pickle_protocol=5, **legacy)
save(checkpoint(), 'training.pth.tar')
save(checkpoint(), 'training-legacy.pth.tar', **legacy)
save(net(), 'module.pt')


def rezip(source, target, method, without='/code/'):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
        for name in old.namelist():
            if without not in name:
                new.writestr(zipfile.ZipInfo(name), old.read(name), method)


# Zipped again by a person: compressed. Of TorchScript, all but the code.
rezip(folder / 'kinds.pt', folder / 'kinds-deflated.pt', zipfile.ZIP_DEFLATED)
with tempfile.NamedTemporaryFile() as script:
    torch.jit.script(net()).save(script.name)
    rezip(script.name, folder / 'script.pt', zipfile.ZIP_STORED)

# As from a GPU and a Mac: only the tags differ.
ours = torch.serialization.location_tag
for tag, name, options in [('cuda:0', 'cuda-legacy.pt', legacy), ('mps', 'mps.pt', {})]:
    torch.serialization.location_tag = lambda storage: tag
    save({'model': net().state_dict()}, name, **options)
torch.serialization.location_tag = ours


def arrays():
    base = {}
    for number, dtype in enumerate(['f4', 'f2', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1', 'c8']):
        base[dtype] = (numpy.arange(6) + number).reshape(2, 3).astype(dtype)
    base['stage2/block0/conv1/W'] = numpy.arange(24, dtype='f4').reshape(2, 3, 4)
    base['fortran'] = numpy.asfortranarray(numpy.arange(24, dtype='f4').reshape(2, 3, 4))
    base['scalar'] = numpy.float32(3)
    base['empty'] = numpy.zeros((0, 3), 'f4')
    return base


numpy.savez(folder / 'arrays.npz', **arrays())
numpy.savez_compressed(folder / 'arrays-compressed.npz', **arrays())
numpy.savez(folder / 'objects.npz', good=numpy.zeros(2, 'f4'), bad=numpy.array([{}], dtype=object))
numpy.savez(folder / 'big-endian.npz', bad=numpy.zeros(2, '>f4'))
