/** The schema of a Parquet file as a tree, with what its annotations mean. */

import { corrupt } from "../damage.ts";
import type { ThriftStruct } from "./thrift.ts";

/** Physical types by their number. */
export const PHYSICAL_TYPES = ["boolean", "int32", "int64", "int96", "float", "double", "bytes", "fixed"] as const;
export type PhysicalType = (typeof PHYSICAL_TYPES)[number];

/** Digits behind the second. */
export type TimeDigits = 3 | 6 | 9;

/** What values mean beyond their physical type. */
export type Meaning =
  | { readonly kind: "plain" | "text" | "date" | "uuid" | "float16" | "list" | "map" | "unreadable" }
  | { readonly kind: "unsigned" }
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "time"; readonly digits: TimeDigits }
  | { readonly kind: "timestamp"; readonly digits: TimeDigits; readonly utc: boolean };

/** A column, or a group of columns. */
export interface SchemaNode {
  readonly name: string;
  readonly path: readonly string[];
  readonly repetition: "required" | "optional" | "repeated";
  /** Empty for a column. */
  readonly children: readonly SchemaNode[];
  /** How many optional and repeated levels lead here, this one included. */
  readonly maxDefinition: number;
  /** How many of them are repeated. */
  readonly maxRepetition: number;
  readonly type: PhysicalType | null;
  /** Bytes of a value of type fixed. */
  readonly typeLength: number;
  readonly meaning: Meaning;
}

const REPETITIONS = ["required", "optional", "repeated"] as const;
const MAX_DEPTH = 32;

/** @throws FEATURES_CORRUPT */
export function buildSchema(elements: readonly ThriftStruct[], name: string): SchemaNode {
  let at = 0;
  const build = (path: readonly string[], definition: number, repetition: number): SchemaNode => {
    const element = elements[at];
    if (element === undefined) throw corrupt(name, "its schema ends early");
    if (path.length > MAX_DEPTH) throw corrupt(name, `its schema nests deeper than ${MAX_DEPTH} levels`);
    at += 1;
    const root = path.length === 0;
    const ownName = element.text(4) ?? "";
    const kind = root ? "required" : REPETITIONS[element.number(3)];
    if (kind === undefined) throw corrupt(name, `the column "${ownName}" has an unknown repetition`);
    const maxDefinition = definition + (kind === "required" ? 0 : 1);
    const maxRepetition = repetition + (kind === "repeated" ? 1 : 0);
    const ownPath = root ? [] : path;
    const children: SchemaNode[] = [];
    const count = element.number(5);
    for (let i = 0; i < count; i += 1) {
      const childName = elements[at]?.text(4) ?? "";
      children.push(build([...ownPath, childName], maxDefinition, maxRepetition));
    }
    const type = count > 0 || root ? null : (PHYSICAL_TYPES[element.number(1, -1)] ?? null);
    if (type === null && children.length === 0 && !root) throw corrupt(name, `the column "${ownName}" has an unknown type`);
    const meaning = meaningOf(element);
    return {
      name: ownName,
      path: ownPath,
      repetition: kind,
      children,
      maxDefinition,
      maxRepetition,
      type,
      typeLength: element.number(2),
      meaning,
    };
  };
  const schema = build([], 0, 0);
  if (at !== elements.length) throw corrupt(name, `${elements.length - at} elements of its schema belong to nothing`);
  return schema;
}

/** The columns under a node, in the order of the file. */
export function leavesOf(node: SchemaNode): SchemaNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf);
}

/** From the annotation, or from the older one that it replaced. */
function meaningOf(element: ThriftStruct): Meaning {
  const logical = element.struct(10);
  const is = (field: number): ThriftStruct | null => logical?.struct(field) ?? null;
  const [time, timestamp, integer, decimal] = [is(7), is(8), is(10), is(5)];
  if (decimal !== null) return { kind: "decimal", scale: decimal.number(1) };
  if (time !== null) return { kind: "time", digits: digitsOf(time) };
  if (timestamp !== null) return { kind: "timestamp", digits: digitsOf(timestamp), utc: timestamp.boolean(1, false) };
  if (integer !== null) return { kind: integer.boolean(2, true) ? "plain" : "unsigned" };
  if (is(2) !== null) return { kind: "map" };
  if (is(3) !== null) return { kind: "list" };
  if (is(6) !== null) return { kind: "date" };
  if (is(14) !== null) return { kind: "uuid" };
  if (is(15) !== null) return { kind: "float16" };
  if (is(1) !== null || is(4) !== null || is(12) !== null) return { kind: "text" };
  if (is(13) !== null || is(16) !== null) return { kind: "unreadable" };
  return convertedMeaning(element.number(6, -1), element.number(7));
}

function digitsOf(annotation: ThriftStruct): TimeDigits {
  const unit = annotation.struct(2);
  if (unit?.struct(1) != null) return 3;
  return unit?.struct(3) == null ? 6 : 9;
}

function convertedMeaning(code: number, scale: number): Meaning {
  switch (code) {
    case 0: // UTF8
    case 4: // ENUM
    case 19: // JSON
      return { kind: "text" };
    case 1: // MAP
    case 2: // MAP_KEY_VALUE
      return { kind: "map" };
    case 3:
      return { kind: "list" };
    case 5:
      return { kind: "decimal", scale };
    case 6:
      return { kind: "date" };
    case 7:
      return { kind: "time", digits: 3 };
    case 8:
      return { kind: "time", digits: 6 };
    case 9:
      return { kind: "timestamp", digits: 3, utc: true };
    case 10:
      return { kind: "timestamp", digits: 6, utc: true };
    case 11: // UINT_8 to UINT_64
    case 12:
    case 13:
    case 14:
      return { kind: "unsigned" };
    case 20: // BSON
    case 21: // INTERVAL
      return { kind: "unreadable" };
    default:
      return { kind: "plain" };
  }
}
