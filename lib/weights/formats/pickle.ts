import { isUtf8 } from 'node:buffer';
import { nextTurn } from '../../image/turns';
import { quote } from '../json';
import type { Allowance } from './allowance';

/** The name of a class or function, 'collections.OrderedDict'. Only a name: nothing is imported, looked up or called. */
export class Global {
  constructor(readonly name: string) {}
}

/** What calling a global would give, had it been called. Can hold nothing but the state that the pickle gives it. */
export class Inert {
  state: unknown;

  constructor(
    /** The global's name. */
    readonly of: string,
  ) {}
}

/** Who knows what a pickle is about. */
export interface PickleHost {
  /** What a persistent id stands for. Throws where it is malformed. */
  persistent(id: unknown): unknown;
  /** What a global makes of these arguments; undefined where it is to stay inert. Spends what it allocates. */
  call(name: string, args: readonly unknown[], spend: (bytes: number) => void): unknown;
}

/** For dictionaries, lists and what Python calls tuples, sets and instances, each with all that V8 adds. */
const containerCost = 256;
/** A place on the stack, and a number in it. */
const opcodeCost = 24;
const memoCost = 48;
const stringCost = 40;
const maxLongBytes = 1024;
/** A millisecond's worth, of code that runs for the first time. */
const opcodesInATurn = 4096;

// biome-ignore format: a table
const op = {
  MARK: 0x28, EMPTY_TUPLE: 0x29, STOP: 0x2e, POP: 0x30, POP_MARK: 0x31, DUP: 0x32,
  BINBYTES: 0x42, SHORT_BINBYTES: 0x43, BINFLOAT: 0x47, INT: 0x49, BININT: 0x4a, BININT1: 0x4b, BININT2: 0x4d, NONE: 0x4e,
  BINPERSID: 0x51, REDUCE: 0x52, BINSTRING: 0x54, SHORT_BINSTRING: 0x55, BINUNICODE: 0x58, EMPTY_LIST: 0x5d,
  APPEND: 0x61, BUILD: 0x62, GLOBAL: 0x63, APPENDS: 0x65, BINGET: 0x68, LONG_BINGET: 0x6a, BINPUT: 0x71,
  LONG_BINPUT: 0x72, SETITEM: 0x73, TUPLE: 0x74, SETITEMS: 0x75, EMPTY_DICT: 0x7d,
  PROTO: 0x80, NEWOBJ: 0x81, TUPLE1: 0x85, TUPLE2: 0x86, TUPLE3: 0x87, NEWTRUE: 0x88, NEWFALSE: 0x89, LONG1: 0x8a,
  LONG4: 0x8b, SHORT_BINUNICODE: 0x8c, BINUNICODE8: 0x8d, BINBYTES8: 0x8e, EMPTY_SET: 0x8f, ADDITEMS: 0x90,
  FROZENSET: 0x91, NEWOBJ_EX: 0x92, STACK_GLOBAL: 0x93, MEMOIZE: 0x94, FRAME: 0x95, BYTEARRAY8: 0x96,
};

/**
 * What no checkpoint asks for, but what pickles that attack their reader do. They would be as inert as all else that
 * is not known; a file that asks for them is not to be trusted in the rest either.
 */
const attacks =
  /^((os|posix|nt|subprocess|pty|sys|runpy|importlib|socket|shutil|ctypes|webbrowser|marshal|_?pickle|cPickle|torch\.hub)\.|(builtins|__builtin__)\.(eval|exec|execfile|compile|open|file|__import__|setattr|delattr|apply|breakpoint)$|torch\.(serialization\.)?load$|io\.open|types\.(Code|Function)Type|operator\.(attrgetter|methodcaller))/;

/**
 * Reads the pickle at byte `start`, of protocol 2 to 5: an allow-list machine, which builds dictionaries (Map), lists and
 * tuples (Array), sets (Set), numbers (bigint where a double is not exact), strings, bytes (a view), None (null),
 * booleans, and what `host` makes. Every other global is inert. It neither recurses nor looks anything up by a name of
 * the file's. All that it allocates is taken from `allowance` first. Gives the event loop free now and then. Rejects
 * with `malformed` of what is wrong.
 */
export async function readPickle(
  bytes: Uint8Array,
  start: number,
  host: PickleHost,
  allowance: Allowance,
  malformed: (detail: string) => Error,
): Promise<{ value: unknown; end: number }> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const marks: number[] = [];
  const memo = new Map<number, unknown>();
  let at = start;
  let opcodeAt = start;

  const wrong = (detail: string) => malformed(`${detail} at byte ${opcodeAt} of the pickle`);
  const spend = (cost: number) => allowance.take(cost, 'the pickle');
  /** Steps over `length` bytes and tells where they begin. */
  const skip = (length: number): number => {
    if (length > file.length - at) throw wrong(`truncated: ${length} bytes expected, ${file.length - at} left`);
    const from = at;
    at += length;
    return from;
  };
  const u8 = () => file[skip(1)]!;
  const u32 = () => file.readUInt32LE(skip(4));
  const u64 = () => Number(file.readBigUInt64LE(skip(8)));
  const view = (length: number) => {
    const from = skip(length);
    return file.subarray(from, at);
  };
  const line = () => {
    const end = file.indexOf(0x0a, at);
    if (end < 0 || end - at > 1000) throw wrong('a line without end');
    const text = file.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  const text = (length: number) => {
    const from = skip(length);
    spend(stringCost + 2 * length);
    const decoded = file.toString('utf8', from, at);
    // Looks at the bytes only where they could be at fault: a view for each string costs more than the string.
    if (decoded.includes('\ufffd') && !isUtf8(file.subarray(from, at))) throw wrong('a string that is not UTF-8');
    return decoded;
  };
  const latin1 = (length: number) => {
    const from = skip(length);
    spend(stringCost + length);
    return file.toString('latin1', from, at);
  };
  const long = (length: number): number | bigint => {
    if (length > maxLongBytes) throw wrong(`an integer of ${length} bytes`);
    const digits = view(length).toReversed();
    if (length === 0) return 0;
    spend(2 * length);
    const value = BigInt.asIntN(8 * length, BigInt(`0x${Buffer.from(digits).toString('hex')}`));
    return isSafe(value) ? Number(value) : value;
  };

  const pop = () => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw wrong('nothing on the stack');
    return stack.pop();
  };
  const top = () => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw wrong('nothing on the stack');
    return stack.at(-1);
  };
  const popMark = () => {
    const mark = marks.pop();
    if (mark === undefined) throw wrong('no mark on the stack');
    return stack.splice(mark);
  };
  const push = (value: unknown, cost = 0) => {
    spend(cost);
    stack.push(value);
  };
  const tuple = (length: number) => {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.unshift(pop());
    push(items, containerCost);
  };
  const remember = (index: number, value: unknown) => {
    spend(memoCost);
    memo.set(index, value);
  };
  const recall = (index: number) => {
    if (!memo.has(index)) throw wrong(`nothing is remembered as ${index}`);
    stack.push(memo.get(index));
  };
  const global = (module: unknown, name: unknown) => {
    if (typeof module !== 'string' || typeof name !== 'string') throw wrong('a global whose name is not a string');
    const full = `${module}.${name}`;
    if (attacks.test(full)) {
      throw wrong(`the file asks for ${quote(full)}, which no checkpoint needs (nothing of it was run),`);
    }
    push(new Global(full), containerCost + full.length);
  };
  const call = (callee: unknown, args: unknown) => {
    if (!Array.isArray(args)) throw wrong('arguments that are not a tuple');
    if (!(callee instanceof Global || callee instanceof Inert)) throw wrong('a call of what is no global');
    const name = callee instanceof Global ? callee.name : callee.of;
    const result = callee instanceof Global ? host.call(name, args, spend) : undefined;
    push(result ?? new Inert(name), containerCost);
  };
  const append = (items: unknown[]) => {
    const list = top();
    // What is not known has no place for items either.
    if (list instanceof Inert) return;
    if (!Array.isArray(list)) throw wrong('items for what is no list');
    spend(16 * items.length);
    for (const item of items) list.push(item);
  };
  const setItems = (items: unknown[]) => {
    const dictionary = top();
    if (items.length % 2) throw wrong('a key without a value');
    if (dictionary instanceof Inert) return;
    if (!(dictionary instanceof Map)) throw wrong('items for what is no dictionary');
    spend(32 * items.length);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key === 'string' && dictionary.has(key)) throw wrong(`the key ${quote(key)} occurs twice`);
      dictionary.set(key, items[i + 1]);
    }
  };

  for (let opcodes = 1; ; opcodes++) {
    if (opcodes % opcodesInATurn === 0) await nextTurn();
    opcodeAt = at;
    const code = u8();
    spend(opcodeCost);
    switch (code) {
      case op.PROTO: {
        const protocol = u8();
        if (protocol < 2 || protocol > 5) throw wrong(`protocol ${protocol}, expected 2 to 5`);
        break;
      }
      case op.FRAME:
        if (u64() > file.length - at) throw wrong('a frame longer than the file');
        break;
      case op.STOP: {
        const value = pop();
        if (stack.length > 0) throw wrong(`${stack.length} values left on the stack`);
        return { value, end: at };
      }

      case op.NONE:
        push(null);
        break;
      case op.NEWTRUE:
        push(true);
        break;
      case op.NEWFALSE:
        push(false);
        break;
      case op.BININT:
        push(file.readInt32LE(skip(4)));
        break;
      case op.BININT1:
        push(u8());
        break;
      case op.BININT2:
        push(file.readUInt16LE(skip(2)));
        break;
      case op.INT: {
        // What Python 2 writes for integers of more than 32 bits.
        const digits = line();
        if (!/^-?\d{1,20}$/.test(digits)) throw wrong(`an integer ${quote(digits)}`);
        const value = BigInt(digits);
        push(digits === '00' ? false : digits === '01' ? true : isSafe(value) ? Number(value) : value);
        break;
      }
      case op.LONG1:
        push(long(u8()));
        break;
      case op.LONG4:
        push(long(u32()));
        break;
      case op.BINFLOAT:
        push(file.readDoubleBE(skip(8)));
        break;
      case op.BINUNICODE:
        push(text(u32()));
        break;
      case op.SHORT_BINUNICODE:
        push(text(u8()));
        break;
      case op.BINUNICODE8:
        push(text(u64()));
        break;
      case op.BINSTRING:
        push(latin1(u32()));
        break;
      case op.SHORT_BINSTRING:
        push(latin1(u8()));
        break;
      case op.BINBYTES:
        push(view(u32()), containerCost);
        break;
      case op.SHORT_BINBYTES:
        push(view(u8()), containerCost);
        break;
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        push(view(u64()), containerCost);
        break;

      case op.EMPTY_TUPLE:
      case op.EMPTY_LIST:
        push([], containerCost);
        break;
      case op.TUPLE1:
      case op.TUPLE2:
      case op.TUPLE3:
        tuple(code - op.TUPLE1 + 1);
        break;
      case op.TUPLE:
        push(popMark(), containerCost);
        break;
      case op.APPEND:
        append([pop()]);
        break;
      case op.APPENDS:
        append(popMark());
        break;
      case op.EMPTY_DICT:
        push(new Map(), containerCost);
        break;
      case op.SETITEM: {
        const value = pop();
        setItems([pop(), value]);
        break;
      }
      case op.SETITEMS:
        setItems(popMark());
        break;
      case op.EMPTY_SET:
        push(new Set(), containerCost);
        break;
      case op.FROZENSET: {
        const items = popMark();
        push(new Set(items), containerCost + 32 * items.length);
        break;
      }
      case op.ADDITEMS: {
        const items = popMark();
        const set = top();
        if (!(set instanceof Set || set instanceof Inert)) throw wrong('items for what is no set');
        spend(32 * items.length);
        if (set instanceof Set) for (const item of items) set.add(item);
        break;
      }

      case op.MARK:
        marks.push(stack.length);
        break;
      case op.POP:
        // Of a mark, where there is nothing else.
        if (stack.length === marks.at(-1)) marks.pop();
        else pop();
        break;
      case op.POP_MARK:
        popMark();
        break;
      case op.DUP:
        push(top());
        break;
      case op.BINPUT:
        remember(u8(), top());
        break;
      case op.LONG_BINPUT:
        remember(u32(), top());
        break;
      case op.MEMOIZE:
        remember(memo.size, top());
        break;
      case op.BINGET:
        recall(u8());
        break;
      case op.LONG_BINGET:
        recall(u32());
        break;

      case op.GLOBAL: {
        const module = line();
        global(module, line());
        break;
      }
      case op.STACK_GLOBAL: {
        const name = pop();
        global(pop(), name);
        break;
      }
      case op.REDUCE:
      case op.NEWOBJ: {
        const args = pop();
        call(pop(), args);
        break;
      }
      case op.NEWOBJ_EX: {
        pop();
        const args = pop();
        call(pop(), args);
        break;
      }
      case op.BUILD: {
        const state = pop();
        const object = top();
        if (object instanceof Inert) object.state = state;
        break;
      }
      case op.BINPERSID:
        push(host.persistent(pop()), containerCost);
        break;
      default:
        throw wrong(`opcode 0x${code.toString(16).padStart(2, '0')}, which is not one of protocols 2 to 5,`);
    }
  }
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}
