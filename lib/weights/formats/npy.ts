/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
export const npyMagic = Buffer.from('\x93NUMPY', 'latin1');

/** As numpy: what is longer is no header of an array of numbers. */
const maxHeader = 10_000;
const maxSides = 32;

export interface Npy {
  /** NumPy's word for the elements, '<f4', or the Python literal of a structure. */
  descr: string;
  fortranOrder: boolean;
  shape: number[];
  /** All that follows the header; a view. */
  data: Uint8Array;
}

/** A .npy file of version 1 to 3. Throws `malformed` of what is wrong; lengths of `data` are the caller's to check. */
export function parseNpy(bytes: Uint8Array, malformed: (detail: string) => Error): Npy {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || !file.subarray(0, 6).equals(npyMagic)) throw malformed('not a .npy file');
  const version = file[6]!;
  if (version < 1 || version > 3) throw malformed(`expected .npy version 1, 2 or 3, got ${version}`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  if (start + length > file.length) {
    throw malformed(`truncated: the header ends at byte ${start + length}, the file at ${file.length}`);
  }
  if (length > maxHeader) throw malformed(`a header of ${length} bytes, expected at most ${maxHeader}`);
  const header = parseHeader(file.toString(version === 3 ? 'utf8' : 'latin1', start, start + length));
  if (!header) throw malformed('malformed header: expected a dictionary of descr, fortran_order and shape');
  return { ...header, data: bytes.subarray(start + length) };
}

/** A field of the dictionary: its name; then a string, a truth, a tuple of sizes, or a structure's list of fields. */
const field =
  /\s*(?:'(\w+)'|"(\w+)")\s*:\s*(?:'([^'\\]*)'|"([^"\\]*)"|(True|False)|\(([\d\s,]*)\)|(\[[^[\]]*\]))\s*(,|(?=\}))/y;
const sizes = /^\s*(?:|\d+\s*,\s*|\d+(?:\s*,\s*\d+)+\s*,?\s*)$/;

/** Reads the header's Python dictionary. undefined unless it has the three fields, each once and of its kind. */
function parseHeader(text: string): Omit<Npy, 'data'> | undefined {
  const dictionary = /^\s*\{(.*\})\s*$/s.exec(text)?.[1];
  if (dictionary === undefined) return undefined;
  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  field.lastIndex = 0;
  for (let fields = 0; fields < 3; fields++) {
    const match = field.exec(dictionary);
    if (!match) return undefined;
    const name = match[1] ?? match[2];
    if (name === 'descr') descr = match[3] ?? match[4] ?? match[7];
    else if (name === 'fortran_order') fortranOrder = match[5] === undefined ? undefined : match[5] === 'True';
    else if (name === 'shape') shape = readSizes(match[6]);
    if (fields === 2 && dictionary.slice(field.lastIndex).trim() !== '}') return undefined;
  }
  if (descr === undefined || fortranOrder === undefined || shape === undefined) return undefined;
  return { descr, fortranOrder, shape };
}

function readSizes(text: string | undefined): number[] | undefined {
  if (text === undefined || !sizes.test(text)) return undefined;
  const shape = (text.match(/\d+/g) ?? []).map(Number);
  return shape.length <= maxSides && shape.every(Number.isSafeInteger) ? shape : undefined;
}
