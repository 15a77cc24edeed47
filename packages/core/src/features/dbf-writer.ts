/** The table of a Shapefile. Widths must be known before the first row, so the rows are seen twice. */

import type { OnWarning } from "../progress.ts";
import type { Feature, FieldValue } from "./features.ts";

/** Longest text of a field, in bytes. */
const MAX_TEXT = 254;
const MAX_NAME = 10;
/** Width that holds any number as JavaScript writes it. */
const NUMBER_WIDTH = 24;
const MAX_INTEGER_WIDTH = 18;

interface Column {
  readonly name: string;
  kind: "L" | "N" | "F" | "C" | null;
  /** Bytes of the longest value as text. */
  width: number;
}

/** Collects what the columns hold, then writes header and rows. */
export class DbfSchema {
  readonly #columns = new Map<string, Column>();
  readonly #onWarning: OnWarning | undefined;
  #rows = 0;
  #truncated = 0;

  constructor(onWarning?: OnWarning) {
    this.#onWarning = onWarning;
  }

  /** Takes note of a row. */
  add({ properties }: Feature): void {
    this.#rows += 1;
    for (const [name, value] of Object.entries(properties)) {
      let column = this.#columns.get(name);
      if (column === undefined) {
        column = { name: this.#freeName(name), kind: null, width: 1 };
        this.#columns.set(name, column);
      }
      if (value === null) continue;
      column.kind = joinKinds(column.kind, kindOf(value));
      column.width = Math.max(column.width, byteLength(textOf(value)));
    }
  }

  /** The bytes before the first row; call when all rows were added. */
  header(): Uint8Array {
    if (this.#columns.size === 0) this.#columns.set("FID", { name: "FID", kind: "N", width: 10 }); // a table needs a column
    for (const column of this.#columns.values()) settle(column);
    const length = 33 + 32 * this.#columns.size;
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    bytes.set([3, 100, 1, 1]); // dBase III of 2000-01-01: the same features give the same bytes
    view.setUint32(4, this.#rows, true);
    view.setUint16(8, length, true);
    view.setUint16(10, this.#rowLength(), true);
    let at = 32;
    for (const { name, kind, width } of this.#columns.values()) {
      bytes.set(new TextEncoder().encode(name), at);
      bytes[at + 11] = (kind ?? "C").charCodeAt(0);
      bytes[at + 16] = width;
      bytes[at + 17] = kind === "F" ? 15 : 0;
      at += 32;
    }
    bytes[at] = 0x0d;
    return bytes;
  }

  /** One row. */
  row(properties: Feature["properties"], index: number): Uint8Array {
    const bytes = new Uint8Array(this.#rowLength()).fill(0x20);
    let at = 1;
    for (const [name, column] of this.#columns) {
      const value = Object.hasOwn(properties, name) ? (properties[name] ?? null) : name === "FID" ? index : null;
      bytes.set(this.#cell(value, column), at);
      at += column.width;
    }
    return bytes;
  }

  /** Says what did not fit. */
  finish(): void {
    if (this.#truncated > 0)
      this.#onWarning?.({
        code: "FIELD_TRUNCATED",
        message: `${this.#truncated} texts were longer than ${MAX_TEXT} bytes and were cut.`,
        hint: "A GeoPackage keeps them whole.",
      });
  }

  #rowLength(): number {
    return 1 + [...this.#columns.values()].reduce((sum, { width }) => sum + width, 0);
  }

  #cell(value: FieldValue, { kind, width }: Column): Uint8Array {
    const cell = new Uint8Array(width).fill(0x20);
    if (value === null) return kind === "L" ? cell.fill(0x3f) : cell;
    const bytes = new TextEncoder().encode(kind === "L" ? (value === true ? "T" : "F") : textOf(value));
    const fitting = bytes.length <= width ? bytes : cutText(bytes, width);
    if (fitting.length < bytes.length) this.#truncated += 1;
    cell.set(fitting, kind === "N" || kind === "F" ? width - fitting.length : 0);
    return cell;
  }

  /** Ten bytes, unlike all others. */
  #freeName(name: string): string {
    const taken = new Set([...this.#columns.values()].map((column) => column.name.toLowerCase()));
    const plain = name.replaceAll(/[\0-\x1f]/g, "") || "field";
    for (let suffix = 0; ; suffix += 1) {
      const tail = suffix === 0 ? "" : `_${suffix}`;
      const head = new TextDecoder().decode(cutText(new TextEncoder().encode(plain), MAX_NAME - tail.length));
      const candidate = head + tail;
      if (taken.has(candidate.toLowerCase())) continue;
      if (candidate !== name)
        this.#onWarning?.({
          code: "FIELD_RENAMED",
          message: `The field "${name}" is named "${candidate}": a Shapefile holds ${MAX_NAME} bytes.`,
        });
      return candidate;
    }
  }
}

function kindOf(value: FieldValue): "L" | "N" | "F" | "C" {
  if (typeof value === "boolean") return "L";
  if (typeof value === "string") return "C";
  return Number.isSafeInteger(value) ? "N" : "F";
}

function joinKinds(known: Column["kind"], kind: "L" | "N" | "F" | "C"): Column["kind"] {
  if (known === null || known === kind) return kind;
  return known !== "C" && kind !== "C" && known !== "L" && kind !== "L" ? "F" : "C";
}

function settle(column: Column): void {
  column.kind ??= "C";
  if (column.kind === "L") column.width = 1;
  else if (column.kind === "F") column.width = NUMBER_WIDTH;
  else if (column.kind === "N") column.width = Math.min(MAX_INTEGER_WIDTH, Math.max(column.width, 1));
  else column.width = Math.min(MAX_TEXT, Math.max(column.width, 1));
}

/** The shortest text that reads back as the same number. */
function textOf(value: FieldValue): string {
  return value === null ? "" : String(value);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

/** At most `length` bytes without cutting a character. */
function cutText(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length <= length) return bytes;
  let end = length;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
