/** The table of a Shapefile: dBase III and IV, and what GIS made of them. */

import { GeoLearnError } from "../errors.ts";
import type { OnWarning } from "../progress.ts";
import { emptyProperties, setField, wholeNumber } from "./feature-value.ts";
import type { FieldValue } from "./features.ts";
import type { RandomSource } from "./random-source.ts";

/** One column. */
interface Column {
  readonly name: string;
  readonly type: string;
  /** Numbers without decimals: with more than 53 bits they keep their digits. */
  readonly whole: boolean;
  readonly offset: number;
  readonly length: number;
}

/** An opened table. */
export interface DbfTable {
  readonly rows: number;
  /** Properties of a row, or null when the row is marked as deleted. @throws FEATURES_CORRUPT */
  row(index: number): Promise<Readonly<Record<string, FieldValue>> | null>;
}

/** Rows read at once, in bytes. */
const BLOCK = 1 << 20;

/**
 * @param encoding - content of the .cpg file, or null to go by the table's language byte
 * @throws FEATURES_CORRUPT
 */
export async function openDbf(source: RandomSource, encoding: string | null, onWarning?: OnWarning): Promise<DbfTable> {
  const head = await source.read(0, 32);
  if (head.length < 32) return corrupt(source, "its header ends early");
  const view = viewOf(head);
  const rows = view.getUint32(4, true);
  const headerLength = view.getUint16(8, true);
  const rowLength = view.getUint16(10, true);
  if (headerLength < 33 || rowLength < 1) return corrupt(source, `its header is ${headerLength} and its rows are ${rowLength} bytes long`);
  const decode = createDecoder(encoding, head[29]!, source.name, onWarning);
  const columns = readColumns(await source.read(32, headerLength - 32), rowLength, decode, source, onWarning);
  const available = Math.floor((source.size - headerLength) / rowLength);
  if (rows > available) return corrupt(source, `it claims ${rows} rows and holds ${Math.max(0, available)}`);

  let block: Uint8Array = new Uint8Array();
  let first = 0;
  let count = 0;
  return {
    rows,
    async row(index) {
      if (index >= rows) return corrupt(source, `row ${index} is missing`);
      if (index < first || index >= first + count) {
        first = index;
        count = Math.min(rows - index, Math.max(1, Math.floor(BLOCK / rowLength)));
        block = await source.read(headerLength + index * rowLength, count * rowLength);
        if (block.length < count * rowLength) return corrupt(source, "it ends early");
      }
      const bytes = block.subarray((index - first) * rowLength, (index - first + 1) * rowLength);
      return bytes[0] === 0x2a ? null : properties(bytes, columns, decode, `row ${index} of ${source.name}`);
    },
  };
}

function readColumns(bytes: Uint8Array, rowLength: number, decode: Decoder, source: RandomSource, onWarning?: OnWarning): Column[] {
  const columns: Column[] = [];
  let offset = 1;
  for (let at = 0; at + 32 <= bytes.length && bytes[at] !== 0x0d; at += 32) {
    const end = bytes.subarray(at, at + 11).indexOf(0);
    const name = decode(bytes.subarray(at, at + (end < 0 ? 11 : end))).trim();
    const type = String.fromCharCode(bytes[at + 11]!);
    // long texts put the upper byte of their length where decimals stand
    const length = type === "C" ? bytes[at + 16]! + 256 * bytes[at + 17]! : bytes[at + 16]!;
    if (offset + length > rowLength) return corrupt(source, `field "${name}" reaches beyond its rows`);
    if ("MBGPQ+".includes(type) && type !== "B")
      onWarning?.({ code: "FIELD_SKIPPED", message: `The field "${name}" of ${source.name} has type ${type}, which is left out.` });
    else columns.push({ name: uniqueName(name, columns), type, whole: type === "N" && bytes[at + 17] === 0, offset, length });
    offset += length;
  }
  return columns;
}

function uniqueName(name: string, columns: readonly Column[]): string {
  for (let suffix = 1; ; suffix += 1) {
    const candidate = suffix === 1 ? name : `${name}_${suffix}`;
    if (!columns.some((column) => column.name === candidate)) return candidate;
  }
}

function properties(bytes: Uint8Array, columns: readonly Column[], decode: Decoder, where: string): Record<string, FieldValue> {
  const values = emptyProperties();
  for (const column of columns) {
    const { name, offset, length } = column;
    setField(values, name, fieldValue(bytes.subarray(offset, offset + length), column, decode), where);
  }
  return values;
}

function fieldValue(bytes: Uint8Array, { type, whole }: Column, decode: Decoder): FieldValue {
  if (type === "I" && bytes.length === 4) return viewOf(bytes).getInt32(0, true);
  if ((type === "O" || type === "B") && bytes.length === 8) return finite(viewOf(bytes).getFloat64(0, true));
  const text = decode(bytes).replace(/[\0 ]+$/, "");
  switch (type) {
    case "N":
    case "F":
      return number(text.trim(), whole);
    case "L":
      return /^[TtYy]$/.test(text) ? true : /^[FfNn]$/.test(text) ? false : null;
    case "D":
      return /^[1-9]\d{7}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : null;
    default:
      return text === "" ? null : text;
  }
}

/** Blank, stars and NaN mean that there is no value. */
function number(text: string, whole: boolean): number | string | null {
  if (text === "" || text.startsWith("*")) return null;
  if (whole && /^[+-]?\d+$/.test(text)) return wholeNumber(BigInt(text.replace("+", "")));
  return finite(Number(text.replace(",", ".")));
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

type Decoder = (bytes: Uint8Array) => string;

/** Encodings by the language byte of the table; without one UTF-8 is tried before Windows-1252. */
const LANGUAGES: Readonly<Record<number, string>> = {
  0x03: "windows-1252",
  0x57: "windows-1252",
  0x13: "shift_jis",
  0x7b: "shift_jis",
  0x4d: "gbk",
  0x7a: "gbk",
  0x4e: "euc-kr",
  0x79: "euc-kr",
  0x4f: "big5",
  0x78: "big5",
  0x65: "ibm866",
  0x26: "ibm866",
  0xc8: "windows-1250",
  0xc9: "windows-1251",
  0xca: "windows-1254",
  0xcb: "windows-1253",
  0xcc: "windows-1257",
};

function createDecoder(cpg: string | null, language: number, name: string, onWarning?: OnWarning): Decoder {
  const label = cpg === null ? LANGUAGES[language] : encodingLabel(cpg);
  if (label !== undefined) {
    try {
      const decoder = new TextDecoder(label);
      return (bytes) => decoder.decode(bytes);
    } catch {
      onWarning?.({
        code: "ENCODING_UNKNOWN",
        message: `${name} is encoded in "${cpg}", which is not known; it is read as UTF-8 or Windows-1252.`,
      });
    }
  }
  const strict = new TextDecoder("utf-8", { fatal: true });
  const western = new TextDecoder("windows-1252");
  return (bytes) => {
    try {
      return strict.decode(bytes);
    } catch {
      return western.decode(bytes);
    }
  };
}

/** What .cpg files hold: "UTF-8", "ISO-8859-1", "1252", "ANSI 1251", "CP936". */
function encodingLabel(cpg: string): string {
  const text = cpg.trim().toLowerCase();
  const iso = /^(?:iso)?[ -]?8859-?(\d+)$/.exec(text);
  if (iso !== null) return `iso-8859-${iso[1]}`;
  const page = /(\d{3,5})$/.exec(text)?.[1];
  if (page === undefined || text.startsWith("utf")) return text;
  const named: Readonly<Record<string, string>> = {
    "936": "gbk",
    "950": "big5",
    "949": "euc-kr",
    "932": "shift_jis",
    "65001": "utf-8",
    "866": "ibm866",
    "88591": "windows-1252",
  };
  return named[page] ?? `windows-${page}`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function corrupt(source: RandomSource, reason: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${source.name} is damaged: ${reason}.`, {
    hint: "Export the Shapefile again from its source, all of its files together.",
    data: { file: source.name },
  });
}
