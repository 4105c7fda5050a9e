import { ShuffleNetError } from '../../errors';
import type { Source, StoredFile } from '../stored';
import { isNpz, readNpz } from './npz';
import { isCaffe, isCaffe2, isMindspore, isOnnx, isTensorflow } from './protobuf-kinds';
import { isPickle, isTorchZip, readTorchPickles, readTorchZip } from './pytorch';
import { readSafetensors } from './safetensors';
import { isZip, Zip } from './zip';

/** Reads a weights file of any format, which its first bytes tell. Rejects with ERR_WEIGHTS_FORMAT. */
export async function readStored(source: Source): Promise<StoredFile> {
  const { bytes, file } = source;
  const refuse = (detail: string) => new ShuffleNetError('ERR_WEIGHTS_FORMAT', `${file}: ${detail}`);
  // By its name, as it may begin like anything.
  const [, checkpoint] = /^(.*)\.data-\d{5}-of-\d{5}$/.exec(file) ?? [];
  if (checkpoint !== undefined) throw refuse(`data of a TensorFlow checkpoint, expected its ${checkpoint}.index`);
  if (isZip(bytes)) return readZip(source);
  if (isPickle(bytes)) return readTorchPickles(bytes, file);
  if (isHdf5(bytes)) return (require('./hdf5') as typeof import('./hdf5')).readHdf5(source);
  if (isJson(bytes)) return (require('./tfjs') as typeof import('./tfjs')).readTfjs(source);
  if (isTensorflow(bytes)) return (require('./tensorflow') as typeof import('./tensorflow')).readTensorflow(source);
  if (isMindspore(bytes)) return (require('./mindspore') as typeof import('./mindspore')).readMindspore(source);
  if (isOnnx(bytes)) return (require('./onnx') as typeof import('./onnx')).readOnnx(source);
  // Before Caffe, whose oldest layers begin like its operators.
  if (isCaffe2(bytes)) return (require('./caffe2') as typeof import('./caffe2')).readCaffe2(source);
  if (isCaffe(bytes)) return (require('./caffe') as typeof import('./caffe')).readCaffe(source);
  // The header of a safetensors file, JSON, comes after the eight bytes of its length.
  if (bytes.length > 8 && bytes[8] !== 0x7b) {
    throw refuse(
      `no header of safetensors, nor does it begin as PyTorch's, NumPy's (.npz), ONNX, Caffe's, Caffe2's, ` +
        `MindSpore's, Keras' (HDF5), TensorFlow's (.index) or TensorFlow.js' (model.json) files do`,
    );
  }
  return { format: 'safetensors', ...readSafetensors(bytes, file) };
}

function isHdf5(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.length)).equals(hdf5Signature);
}
const hdf5Signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** A safetensors file may have any first byte, but then zeros, as its header is shorter than 2^32 bytes. */
function isJson(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 8);
  return !start.includes(0) && /^(?:\xef\xbb\xbf)?\s*\{/.test(Buffer.from(start).toString('latin1'));
}

async function readZip(source: Source): Promise<StoredFile> {
  const zip = await Zip.open(source);
  if (isTorchZip(zip)) return readTorchZip(zip, source.file);
  if (isNpz(zip)) return readNpz(zip, source.file);
  throw new ShuffleNetError(
    'ERR_WEIGHTS_FORMAT',
    `${source.file}: a zip file with neither PyTorch's data.pkl nor NumPy's .npy files`,
  );
}
