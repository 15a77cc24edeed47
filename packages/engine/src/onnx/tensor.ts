/** Constant tensors of ONNX files: what they are is read and checked at once, their numbers when they are asked for. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "../types.ts";
import { bfloatsToFloats, halfToFloat } from "./half.ts";
import { type MessageReader, clip, corrupt } from "./wire.ts";

/** Where an external tensor's bytes lie. */
export interface ExternalData {
  /** As the file says it: nobody has checked it yet. */
  readonly location: string;
  readonly offset: number;
  /** Bytes, or null for "to the end". */
  readonly length: number | null;
}

/** A constant tensor of an ONNX file. */
export interface OnnxTensor {
  readonly name: string;
  /** ONNX's word for the number type, e.g. `"float32"`, `"int64"`, `"string"`. */
  readonly type: string;
  readonly dims: readonly number[];
  /** Set when the numbers are in another file. */
  readonly external: ExternalData | null;
  /**
   * The numbers: floats of any width as float32, whole numbers as int32 where they fit (64-bit ones are bounded to 32 bits), booleans as
   * bool. @throws UNSUPPORTED_FORMAT for text and types of less than a byte
   */
  read(): HostTensor;
}

type Storage = "float" | "int32" | "int64" | "string" | "double" | "uint64";

interface ElementKind {
  readonly name: string;
  /** Bits of one number in `raw_data`; 0 for text. */
  readonly bits: number;
  /** The typed field that may hold the numbers instead. */
  readonly storage: Storage;
  /** Numbers in the typed field per element. */
  readonly parts: number;
  readonly decode: ((numbers: RawNumbers) => HostTensor["data"]) | null;
}

/** The numbers of a tensor, as raw little-endian bytes or from a typed field. */
type RawNumbers = { readonly raw: ArrayBuffer; readonly list: null } | { readonly raw: null; readonly list: readonly number[] };

const floats =
  (view: (raw: ArrayBuffer) => ArrayLike<number>, convert: (value: number) => number = (value) => value) =>
  ({ raw, list }: RawNumbers): Float32Array =>
    Float32Array.from(raw === null ? list : view(raw), convert);

const integers =
  (view: (raw: ArrayBuffer) => ArrayLike<number> | ArrayLike<bigint>) =>
  ({ raw, list }: RawNumbers): Int32Array =>
    Int32Array.from((raw === null ? list : view(raw)) as ArrayLike<number>, (value) => bounded(Number(value)));

/** Kept within 32 bits. */
export const bounded = (value: number): number => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, value));

const kind = (name: string, bits: number, storage: Storage, decode: ElementKind["decode"] = null, parts = 1): ElementKind => ({
  name,
  bits,
  storage,
  decode,
  parts,
});

/** By the numbers of onnx.proto's `TensorProto.DataType`. */
const KINDS: ReadonlyMap<number, ElementKind> = new Map([
  [1, kind("float32", 32, "float", ({ raw, list }) => (raw === null ? Float32Array.from(list) : new Float32Array(raw)))],
  [
    2,
    kind(
      "uint8",
      8,
      "int32",
      integers((raw) => new Uint8Array(raw)),
    ),
  ],
  [
    3,
    kind(
      "int8",
      8,
      "int32",
      integers((raw) => new Int8Array(raw)),
    ),
  ],
  [
    4,
    kind(
      "uint16",
      16,
      "int32",
      integers((raw) => new Uint16Array(raw)),
    ),
  ],
  [
    5,
    kind(
      "int16",
      16,
      "int32",
      integers((raw) => new Int16Array(raw)),
    ),
  ],
  [
    6,
    kind(
      "int32",
      32,
      "int32",
      integers((raw) => new Int32Array(raw)),
    ),
  ],
  [
    7,
    kind(
      "int64",
      64,
      "int64",
      integers((raw) => new BigInt64Array(raw)),
    ),
  ],
  [8, kind("string", 0, "string")],
  [9, kind("bool", 8, "int32", ({ raw, list }) => Uint8Array.from(raw === null ? list : new Uint8Array(raw), (v) => (v === 0 ? 0 : 1)))],
  [
    10,
    kind(
      "float16",
      16,
      "int32",
      floats((raw) => new Uint16Array(raw), halfToFloat),
    ),
  ],
  [
    11,
    kind(
      "float64",
      64,
      "double",
      floats((raw) => new Float64Array(raw)),
    ),
  ],
  [
    12,
    kind(
      "uint32",
      32,
      "uint64",
      integers((raw) => new Uint32Array(raw)),
    ),
  ],
  [
    13,
    kind(
      "uint64",
      64,
      "uint64",
      integers((raw) => new BigUint64Array(raw)),
    ),
  ],
  [14, kind("complex64", 64, "float", null, 2)],
  [15, kind("complex128", 128, "double", null, 2)],
  [16, kind("bfloat16", 16, "int32", ({ raw, list }) => bfloatsToFloats(raw === null ? Uint16Array.from(list) : new Uint16Array(raw)))],
  [17, kind("float8e4m3fn", 8, "int32")],
  [18, kind("float8e4m3fnuz", 8, "int32")],
  [19, kind("float8e5m2", 8, "int32")],
  [20, kind("float8e5m2fnuz", 8, "int32")],
  [21, kind("uint4", 4, "int32")],
  [22, kind("int4", 4, "int32")],
  [23, kind("float4e2m1", 4, "int32")],
  [24, kind("float8e8m0", 8, "int32")],
  [25, kind("uint2", 2, "int32")],
  [26, kind("int2", 2, "int32")],
]);

const MAX_RANK = 64;
/** Elements one tensor may have; 4 GiB of floats. */
export const MAX_ELEMENTS = 2 ** 30;

/** ONNX's name of a number type. */
export function elementTypeName(code: number): string {
  return KINDS.get(code)?.name ?? `type ${code}`;
}

/** Reads what a `TensorProto` says of itself, and holds it against the bytes it has. */
export function parseTensor(message: MessageReader): OnnxTensor {
  const { file } = message;
  const dims: number[] = [];
  const entries = new Map<string, string>();
  const typed = new Map<Storage, number>();
  let name = "";
  let code = 0;
  let isExternal = false;
  let raw: Uint8Array | null = null;
  const again = message.copy();
  while (message.next()) {
    switch (message.field) {
      case 1:
        message.integers(dims);
        break;
      case 2:
        code = message.integer();
        break;
      case 3:
        throw corrupt(file, "has a tensor in segments, which no tool writes");
      case 4:
        count(typed, "float", message.countFixed(4));
        break;
      case 5:
        count(typed, "int32", message.countVarints());
        break;
      case 6:
        message.raw();
        count(typed, "string", 1);
        break;
      case 7:
        count(typed, "int64", message.countVarints());
        break;
      case 8:
        name = message.text();
        break;
      case 9:
        raw = message.raw();
        break;
      case 10:
        count(typed, "double", message.countFixed(8));
        break;
      case 11:
        count(typed, "uint64", message.countVarints());
        break;
      case 13:
        readEntry(message.message(), entries);
        break;
      case 14:
        isExternal = message.integer() !== 0;
        break;
    }
  }
  const what = `tensor "${clip(name)}"`;
  const type = KINDS.get(code);
  if (type === undefined) throw corrupt(file, `gives ${what} number type ${code}, which ONNX does not have`);
  const elements = checkedSize(file, what, dims);
  if (isExternal) {
    if (raw !== null || typed.size > 0) throw corrupt(file, `gives ${what} both numbers and a file they should be in`);
    const external = externalOf(file, what, entries);
    return { name, type: type.name, dims, external, read: () => unreadable(file, what, "lies in another file") };
  }
  checkLength(file, what, type, dims, elements, raw, typed);
  const { decode } = type;
  return {
    name,
    type: type.name,
    dims,
    external: null,
    read() {
      if (decode === null) return unreadable(file, what, `holds ${type.name}`);
      const data = decode(
        raw === null ? { raw: null, list: listOf(again.copy(), type.storage) } : { raw: new Uint8Array(raw).buffer, list: null },
      );
      return { data, shape: dims, dtype: data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "bool" };
    },
  };
}

function count(typed: Map<Storage, number>, storage: Storage, numbers: number): void {
  typed.set(storage, (typed.get(storage) ?? 0) + numbers);
}

function readEntry(message: MessageReader, into: Map<string, string>): void {
  let key = "";
  let value = "";
  while (message.next()) {
    if (message.field === 1) key = message.text();
    else if (message.field === 2) value = message.text();
  }
  into.set(key, value);
}

/** Number of elements, each side and the product judged. */
export function checkedSize(file: string, what: string, dims: readonly number[]): number {
  if (dims.length > MAX_RANK) throw corrupt(file, `gives ${what} ${dims.length} dimensions`);
  let elements = 1;
  for (const side of dims) {
    if (!Number.isSafeInteger(side) || side < 0) throw corrupt(file, `gives ${what} a side of ${side}`);
    elements *= side;
  }
  if (elements > MAX_ELEMENTS) {
    throw new GeoLearnError(
      "LIMIT_EXCEEDED",
      `${file} declares ${what} of shape [${dims.join(", ")}]; at most ${MAX_ELEMENTS} numbers are read.`,
      {
        hint: "The file is damaged, or was made to exhaust memory.",
        data: { dims },
      },
    );
  }
  return elements;
}

function checkLength(
  file: string,
  what: string,
  { name, bits, storage, parts }: ElementKind,
  dims: readonly number[],
  elements: number,
  raw: Uint8Array | null,
  typed: ReadonlyMap<Storage, number>,
): void {
  const shape = `shape [${dims.join(", ")}]`;
  if (raw !== null && storage !== "string") {
    const due = Math.ceil((elements * bits) / 8);
    if (raw.length !== due || typed.size > 0) throw corrupt(file, `gives ${what} ${raw.length} bytes; ${name} of ${shape} takes ${due}`);
    return;
  }
  // Types of less than a byte share a number of the typed field.
  const due = bits > 0 && bits < 8 ? Math.ceil((elements * bits) / 8) : elements * parts;
  const found = typed.get(storage) ?? 0;
  if (raw !== null || found !== due || [...typed.keys()].some((other) => other !== storage))
    throw corrupt(file, `gives ${what} ${found} numbers; ${name} of ${shape} takes ${due}`);
}

function externalOf(file: string, what: string, entries: ReadonlyMap<string, string>): ExternalData {
  const number = (key: string): number | null => {
    const text = entries.get(key);
    if (text === undefined) return null;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw corrupt(file, `gives ${what} ${key} "${clip(text)}" in another file`);
    return value;
  };
  return { location: entries.get("location") ?? "", offset: number("offset") ?? 0, length: number("length") };
}

function listOf(message: MessageReader, storage: Storage): number[] {
  const field = { float: 4, int32: 5, string: 6, int64: 7, double: 10, uint64: 11 }[storage];
  const list: number[] = [];
  while (message.next()) {
    if (message.field !== field) continue;
    if (storage === "float") message.floats(list);
    else if (storage === "double") message.doubles(list);
    else message.integers(list, storage === "uint64");
  }
  return list;
}

function unreadable(file: string, what: string, why: string): never {
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `${file}: ${what} ${why}, which cannot be read as numbers.`, {
    hint: "Export the network with float32 or float16 weights inside the file.",
  });
}
