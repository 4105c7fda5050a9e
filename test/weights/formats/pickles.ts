/** Pickles put together by hand, as latin1 text: each function gives the opcodes that leave its value on the stack. */
import { float32 } from '../files';
import { makeZip, type ZipMember } from './zips';

/** Little-endian, in two's complement. */
const number = (value: number | bigint, bytes: number) => {
  const digits = BigInt.asUintN(8 * bytes, BigInt(value)).toString(16);
  return Buffer.from(digits.padStart(2 * bytes, '0'), 'hex')
    .reverse()
    .toString('latin1');
};

export const text = (value: string) => {
  const encoded = Buffer.from(value);
  return `X${number(encoded.length, 4)}${encoded.toString('latin1')}`;
};
export const int = (value: number | bigint) =>
  value >= 0 && value < 256 ? `K${number(value, 1)}` : `\x8a\x09${number(value, 9)}`;
export const tuple = (...items: string[]) => `(${items.join('')}t`;
export const list = (...items: string[]) => `](${items.join('')}e`;
export const global = (module: string, name: string) => `c${module}\n${name}\n`;
export const reduce = (module: string, name: string, ...args: string[]) => `${global(module, name)}${tuple(...args)}R`;
export const dict = (entries: readonly (readonly [string, string])[]) =>
  `}(${entries.map(([key, value]) => text(key) + value).join('')}u`;
export const none = 'N';
export const put = (index: number) => `r${number(index, 4)}`;
export const get = (index: number) => `j${number(index, 4)}`;
export const build = (state: string) => `${state}b`;

export interface TensorFields {
  key?: string;
  type?: string;
  length?: number | bigint;
  offset?: number | bigint;
  shape?: readonly (number | bigint)[];
  strides?: readonly (number | bigint)[];
  /** The last of a legacy storage's id. */
  part?: string;
}

/** A float32 tensor [2, 3] of all of storage '0', but for the fields given. */
export function tensor(fields: TensorFields = {}): string {
  const { key = '0', type = 'FloatStorage', length = 6, offset = 0, shape = [2, 3], strides = [3, 1], part } = fields;
  const id = [text('storage'), global('torch', type), text(key), text('cpu'), int(length)];
  const storage = `${tuple(...id, ...(part === undefined ? [] : [part]))}Q`;
  const sizes = [tuple(...shape.map(int)), tuple(...strides.map(int))];
  return reduce('torch._utils', '_rebuild_tensor_v2', storage, int(offset), ...sizes, '\x89', dict([]));
}

/** 0, 1, 2, 3, 4, 5. */
export const six = float32([0, 1, 2, 3, 4, 5]);

export const pickle = (value: string) => Buffer.from(`\x80\x02${value}.`, 'latin1');

/** What torch.save would make of it, with storage '0' of six floats. */
export function torchZip(value: string, members: readonly ZipMember[] = []): Buffer {
  return makeZip([{ name: 'a/data.pkl', data: pickle(value) }, { name: 'a/data/0', data: six }, ...members]);
}

/** The same in the legacy form. */
export function torchPickles(value: string, keys: readonly string[] = ['0'], system = '\x88'): Buffer {
  const storages = keys.flatMap(() => [Buffer.from(number(6, 8), 'latin1'), six]);
  const magic = '\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19';
  const pickles = [magic, int(1001), dict([['little_endian', system]]), value, list(...keys.map(text))];
  return Buffer.concat([...pickles.map(pickle), ...storages]);
}
