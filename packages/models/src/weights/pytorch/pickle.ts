/**
 * A pickle (https://docs.python.org/3/library/pickletools.html) read as data. In Python a pickle is a program that may
 * call anything; here it is a small stack machine without a world: it builds numbers, texts, lists, dicts, and hands
 * every name it meets to rules that know a few of them and refuse the rest. Opcodes weights do not need are refused too.
 */

import { GeoLearnError } from "@geolearn/core";

/** A name a pickle refers to, e.g. `collections.OrderedDict`. It stands for itself; nothing is imported. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle is made of; lists and tuples are arrays, dicts are maps, `T` is what the rules build. */
export type PickleValue<T> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleGlobal
  | PickleValue<T>[]
  | Map<PickleValue<T>, PickleValue<T>>
  | T;

/** The only meaning names and persistent ids have. */
export interface PickleRules<T> {
  /** Judges a name as soon as it appears. @throws to refuse it */
  readonly allow: (name: string) => void;
  /** The value of an allowed name applied to arguments. @throws to refuse them */
  readonly call: (name: string, args: readonly PickleValue<T>[]) => PickleValue<T>;
  /** The value behind a persistent id. @throws to refuse it */
  readonly persistent: (id: PickleValue<T>) => PickleValue<T>;
}

/** Far above what ten thousand tensors with an optimizer's state take; keeps hostile pickles from filling the memory. */
const MAX_STEPS = 2_000_000;

/**
 * Reads one pickle that begins at `start`, protocols 2 to 5.
 *
 * @returns the value and the position behind the pickle
 * @throws MODEL_CORRUPT for a pickle that is cut off or contradicts itself, UNSUPPORTED_FORMAT for an opcode that weights
 * do not need, LIMIT_EXCEEDED, and what the rules throw
 */
export function readPickle<T extends object>(
  bytes: Uint8Array,
  start: number,
  rules: PickleRules<T>,
  what: string,
): { readonly value: PickleValue<T>; readonly end: number } {
  const reader = new PickleReader(bytes, start, what);
  const machine = new PickleMachine(reader, rules);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (machine.step()) return { value: machine.result(), end: reader.at };
  }
  throw new GeoLearnError("LIMIT_EXCEEDED", `${what} is a pickle of more than ${MAX_STEPS} steps.`, {
    hint: "Save only the weights, without the state of an optimizer.",
  });
}

/** Little-endian numbers and texts behind one another, never past the end. */
class PickleReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  constructor(bytes: Uint8Array, start: number, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.#what = what;
  }

  corrupt(reason: string): GeoLearnError {
    return new GeoLearnError("MODEL_CORRUPT", `${this.#what} ${reason} (at byte ${this.at}).`, {
      hint: "Copy or save the weight file again.",
    });
  }

  refuse(reason: string): GeoLearnError {
    return new GeoLearnError("UNSUPPORTED_FORMAT", `${this.#what} ${reason} (at byte ${this.at}); nothing in it was run.`, {
      hint: 'Save only the weights: in Python, torch.save(model.state_dict(), "weights.pth").',
    });
  }

  /** Position of `count` bytes that are then passed. */
  take(count: number): number {
    if (count > this.#bytes.byteLength - this.at) throw this.corrupt("is a pickle that ends early");
    const from = this.at;
    this.at += count;
    return from;
  }

  uint8 = (): number => this.#view.getUint8(this.take(1));
  uint16 = (): number => this.#view.getUint16(this.take(2), true);
  uint32 = (): number => this.#view.getUint32(this.take(4), true);
  int32 = (): number => this.#view.getInt32(this.take(4), true);
  bigFloat64 = (): number => this.#view.getFloat64(this.take(8), false);

  /** A length of 8 bytes. */
  length64(): number {
    const value = this.#view.getBigUint64(this.take(8), true);
    if (value > BigInt(this.#bytes.byteLength)) throw this.corrupt("is a pickle that ends early");
    return Number(value);
  }

  slice(count: number): Uint8Array {
    const from = this.take(count);
    return this.#bytes.slice(from, from + count);
  }

  utf8(count: number): string {
    const from = this.take(count);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(from, from + count));
    } catch {
      throw this.corrupt("is a pickle with a text that is not UTF-8");
    }
  }

  latin1(count: number): string {
    const from = this.take(count);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + from, count).toString("latin1");
  }

  /** Text up to the next line end, which is passed. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end === -1 || end - this.at > 1000) throw this.corrupt("is a pickle with a name without end");
    const text = this.utf8(end - this.at);
    this.at++;
    return text;
  }

  /** A whole number of `count` bytes in two's complement; exact, whatever its size. */
  long(count: number): number | bigint {
    const from = this.take(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#view.getUint8(from + i));
    if (count > 0) value = BigInt.asIntN(8 * count, value);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }
}

/** The stack, the marks on it, and the memo. */
class PickleMachine<T extends object> {
  readonly #reader: PickleReader;
  readonly #rules: PickleRules<T>;
  readonly #stack: PickleValue<T>[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue<T>>();

  constructor(reader: PickleReader, rules: PickleRules<T>) {
    this.#reader = reader;
    this.#rules = rules;
  }

  result(): PickleValue<T> {
    if (this.#stack.length !== 1) throw this.#reader.corrupt("is a pickle that leaves no single value");
    return this.#stack[0]!;
  }

  /** Carries out one opcode; true at the end of the pickle. */
  step(): boolean {
    const reader = this.#reader;
    const code = reader.uint8();
    switch (code) {
      case 0x80: // PROTO
        this.#protocol(reader.uint8());
        break;
      case 0x95: // FRAME: how much to read ahead
        reader.length64();
        break;
      case 0x2e: // STOP
        return true;
      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        break;
      case 0x30: // POP
        this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;
      case 0x32: // DUP
        this.#push(this.#top());
        break;
      case 0x4e: // NONE
        this.#push(null);
        break;
      case 0x88: // NEWTRUE
        this.#push(true);
        break;
      case 0x89: // NEWFALSE
        this.#push(false);
        break;
      case 0x4b: // BININT1
        this.#push(reader.uint8());
        break;
      case 0x4d: // BININT2
        this.#push(reader.uint16());
        break;
      case 0x4a: // BININT
        this.#push(reader.int32());
        break;
      case 0x8a: // LONG1
        this.#push(reader.long(reader.uint8()));
        break;
      case 0x47: // BINFLOAT
        this.#push(reader.bigFloat64());
        break;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(reader.utf8(reader.uint8()));
        break;
      case 0x58: // BINUNICODE
        this.#push(reader.utf8(reader.uint32()));
        break;
      case 0x8d: // BINUNICODE8
        this.#push(reader.utf8(reader.length64()));
        break;
      case 0x55: // SHORT_BINSTRING: text of Python 2
        this.#push(reader.latin1(reader.uint8()));
        break;
      case 0x54: // BINSTRING
        this.#push(reader.latin1(reader.uint32()));
        break;
      case 0x43: // SHORT_BINBYTES
        this.#push(reader.slice(reader.uint8()));
        break;
      case 0x42: // BINBYTES
        this.#push(reader.slice(reader.uint32()));
        break;
      case 0x8e: // BINBYTES8
        this.#push(reader.slice(reader.length64()));
        break;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        this.#push([]);
        break;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        this.#push(this.#popToMark());
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(this.#popSome(code - 0x84));
        break;
      case 0x61: // APPEND
        this.#append(this.#popSome(1));
        break;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        this.#push(new Map());
        break;
      case 0x64: // DICT
        this.#dict(this.#popToMark());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#popSome(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x71: // BINPUT
        this.#memo.set(reader.uint8(), this.#top());
        break;
      case 0x72: // LONG_BINPUT
        this.#memo.set(reader.uint32(), this.#top());
        break;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case 0x68: // BINGET
        this.#recall(reader.uint8());
        break;
      case 0x6a: // LONG_BINGET
        this.#recall(reader.uint32());
        break;
      case 0x63: // GLOBAL
        this.#global(reader.line(), reader.line());
        break;
      case 0x93: // STACK_GLOBAL
        this.#global(...(this.#popSome(2) as [PickleValue<T>, PickleValue<T>]));
        break;
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#call(...(this.#popSome(2) as [PickleValue<T>, PickleValue<T>]));
        break;
      case 0x62: // BUILD: attributes, of which a dict's (`_metadata`) and a parameter's are not needed
        this.#pop();
        this.#top();
        break;
      case 0x51: // BINPERSID
        this.#push(this.#rules.persistent(this.#pop()));
        break;
      default:
        throw reader.refuse(`is a pickle with the opcode 0x${code.toString(16).padStart(2, "0")}, which weights do not need`);
    }
    return false;
  }

  #protocol(version: number): void {
    if (version < 2 || version > 5) throw this.#reader.refuse(`is a pickle of protocol ${version}; 2 to 5 are read`);
  }

  #push(value: PickleValue<T>): void {
    this.#stack.push(value);
  }

  /** Lowest place above which values may be taken: the last mark. */
  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #top(): PickleValue<T> {
    if (this.#stack.length <= this.#floor()) throw this.#reader.corrupt("is a pickle that takes more than it has");
    return this.#stack.at(-1)!;
  }

  #pop(): PickleValue<T> {
    this.#top();
    return this.#stack.pop()!;
  }

  #popSome(count: number): PickleValue<T>[] {
    if (this.#stack.length - count < this.#floor()) throw this.#reader.corrupt("is a pickle that takes more than it has");
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): PickleValue<T>[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#reader.corrupt("is a pickle that returns to a mark it never made");
    return this.#stack.splice(mark);
  }

  #append(values: readonly PickleValue<T>[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#reader.corrupt("is a pickle that appends to what is no list");
    for (const value of values) list.push(value);
  }

  #dict(values: readonly PickleValue<T>[]): void {
    this.#push(new Map());
    this.#setItems(values);
  }

  #setItems(values: readonly PickleValue<T>[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || values.length % 2 !== 0) throw this.#reader.corrupt("is a pickle that sets items of what is no dict");
    for (let i = 0; i < values.length; i += 2) dict.set(values[i]!, values[i + 1]!);
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#reader.corrupt("is a pickle that recalls what it never kept");
    this.#push(value);
  }

  #global(module: PickleValue<T>, name: PickleValue<T>): void {
    if (typeof module !== "string" || typeof name !== "string") throw this.#reader.corrupt("is a pickle with a name that is no text");
    const full = `${module}.${name}`;
    this.#rules.allow(full);
    this.#push(new PickleGlobal(full));
  }

  #call(target: PickleValue<T>, args: PickleValue<T>): void {
    if (!(target instanceof PickleGlobal) || !Array.isArray(args)) throw this.#reader.corrupt("is a pickle that calls what is no name");
    this.#push(this.#rules.call(target.name, args));
  }
}
