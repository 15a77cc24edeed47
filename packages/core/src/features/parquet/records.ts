/**
 * Records from columns: each node of the schema is put together from the values of the columns under it, as their levels say
 * (Melnik et al. 2010, Dremel).
 */

import { corrupt } from "../damage.ts";
import type { ColumnCursor } from "./column-cursor.ts";
import type { SchemaNode } from "./schema.ts";

/** A value of a node: what the columns give, lists of it, or an object without prototype. */
export type Nested = unknown;

/** Puts together the values of one top-level node, record after record. */
export class RecordReader {
  readonly #node: SchemaNode;
  readonly #where: string;
  readonly #cursors: ReadonlyMap<SchemaNode, ColumnCursor>;
  /** The columns under each node. */
  readonly #under = new Map<SchemaNode, readonly ColumnCursor[]>();

  constructor(node: SchemaNode, cursors: readonly ColumnCursor[], name: string) {
    this.#node = node;
    this.#where = `the column "${node.name}" of ${name}`;
    this.#cursors = new Map(cursors.map((cursor) => [cursor.node, cursor]));
    this.#gather(node);
  }

  get cursors(): readonly ColumnCursor[] {
    return this.#under.get(this.#node)!;
  }

  /** The next record; `fill` the cursors first. @throws FEATURES_CORRUPT when the columns do not agree */
  next(): Nested {
    const value = this.#read(this.#node);
    for (const cursor of this.cursors) if (cursor.repetition !== 0) throw corrupt(this.#where, "its lists do not have one length");
    return value;
  }

  #gather(node: SchemaNode): readonly ColumnCursor[] {
    const own = this.#cursors.get(node);
    const all = own === undefined ? node.children.flatMap((child) => this.#gather(child)) : [own];
    this.#under.set(node, all);
    return all;
  }

  #read(node: SchemaNode): Nested {
    const cursors = this.#under.get(node)!;
    const first = cursors[0];
    if (first === undefined) return null;
    if (node.repetition !== "required" && first.definition < node.maxDefinition) {
      for (const cursor of cursors) cursor.take();
      return node.repetition === "repeated" ? [] : null;
    }
    if (node.repetition !== "repeated") return this.#readOne(node);
    const items: Nested[] = [];
    do items.push(this.#readOne(node));
    while (first.repetition === node.maxRepetition);
    return items;
  }

  #readOne(node: SchemaNode): Nested {
    const cursor = this.#cursors.get(node);
    if (cursor !== undefined) return cursor.take() ?? null;
    const fields = Object.create(null) as Record<string, Nested>;
    for (const child of node.children) fields[child.name] = this.#read(child);
    return unwrapped(node, fields);
  }
}

/** Lists and maps without the groups in which Parquet wraps them. */
function unwrapped(node: SchemaNode, fields: Record<string, Nested>): Nested {
  const [child] = node.children;
  if (node.children.length !== 1 || child?.repetition !== "repeated") return fields;
  const items = fields[child.name] as Nested[];
  if (node.meaning.kind === "map") {
    const map = Object.create(null) as Record<string, Nested>;
    const [key = "", value = ""] = child.children.map(({ name }) => name);
    for (const item of items as Record<string, Nested>[]) map[String(item[key])] = item[value] ?? null;
    return map;
  }
  if (node.meaning.kind !== "list") return fields;
  const [element] = child.children;
  // older writers leave out the group around an element
  const wrapped = child.children.length === 1 && child.name !== "array" && child.name !== `${node.name}_tuple`;
  return wrapped ? (items as Record<string, Nested>[]).map((item) => item[element!.name]) : items;
}
