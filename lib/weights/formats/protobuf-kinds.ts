/** Protocol Buffers have no magic: these look at the first fields. */

/** Whether the bytes begin like an ONNX ModelProto: with ir_version, and then with a field that can follow it. */
export function isOnnx(bytes: Uint8Array): boolean {
  return bytes[0] === 0x08 && bytes[1]! < 0x80 && afterVersion.includes(bytes[2]!) && !isHeaderLength(bytes);
}

/** producer_name, producer_version, domain, model_version, doc_string, graph, opset_import. */
const afterVersion = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

/** Whether the bytes begin like a Caffe NetParameter: with its name, if it has one, and then with an input or a layer. */
export function isCaffe(bytes: Uint8Array): boolean {
  const at = bytes[0] === 0x0a ? 2 + bytes[1]! : 0;
  const layer = bytes[at] === 0xa2 && bytes[at + 1] === 0x06;
  return (layer || bytes[at] === 0x1a || isOldLayer(bytes, at)) && !isHeaderLength(bytes);
}

/** A layer of 2014 begins with its bottom, top or name. */
function isOldLayer(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0x12) return false;
  let length = at + 1;
  while (bytes[length]! >= 0x80) length++;
  return [0x12, 0x1a, 0x22].includes(bytes[length + 1]!);
}

/**
 * Whether the bytes begin like a Caffe2 NetDef: with its name, if it has one, and then with an operator. That begins with
 * inputs, outputs, a name and a type, which is a text: Caffe's layers of 2014 begin alike, but their type is a number.
 */
export function isCaffe2(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 4096);
  let at = start[0] === 0x0a ? 2 + start[1]! : 0;
  if (start[at++] !== 0x12 || isHeaderLength(bytes)) return false;
  while (start[at++]! >= 0x80);
  let typed = false;
  while ([0x0a, 0x12, 0x1a, 0x22].includes(start[at]!) && !typed) {
    typed = start[at] === 0x22;
    at += 2 + start[at + 1]!;
  }
  return typed && start[at] !== 0x28;
}

/**
 * Whether the bytes begin like a checkpoint of MindSpore: with a value, and that with its tag and then a tensor. Caffe's
 * names, where that has the tag, do not begin with a line feed.
 */
export function isMindspore(bytes: Uint8Array): boolean {
  if (isEncryptedMindspore(bytes)) return true;
  if (bytes[0] !== 0x0a || isHeaderLength(bytes)) return false;
  let at = 1;
  while (bytes[at++]! >= 0x80);
  const tensor = at + 2 + bytes[at + 1]!;
  return bytes[at] === 0x0a && bytes[at + 1]! < 0x80 && (bytes[tensor] === 0x12 || bytes[tensor] === 0x1a);
}

/** Numbers of its own for each way to encrypt: https://github.com/mindspore-ai/mindspore/blob/v2.2.0/mindspore/core/utils/crypto.h */
export function isEncryptedMindspore(bytes: Uint8Array): boolean {
  return [0xd8, 0xd9, 0xda].includes(bytes[0]!) && bytes[1] === 0x5e && bytes[2] === 0x3a && bytes[3] === 0x7f;
}

/** Whether the bytes begin like the index of a TensorFlow checkpoint: with an empty key, and a message of its shards. */
export function isTensorflow(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0 && bytes[2]! < 0x80 && bytes[3] === 0x08;
}

/** A safetensors file, whose first eight bytes are a small number. */
function isHeaderLength(bytes: Uint8Array): boolean {
  return bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0;
}
