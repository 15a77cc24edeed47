/** GeoParquet (1.0, 1.1), read page by page; row groups whose boxes lie outside of what is asked for are skipped. */

import type { Bounds } from "../../affine.ts";
import type { Crs } from "../../crs/crs.ts";
import type { OnWarning } from "../../progress.ts";
import type { ByteSource } from "../byte-source.ts";
import { boundsMeet } from "../bounds.ts";
import { corrupt } from "../damage.ts";
import { emptyProperties, setField } from "../feature-value.ts";
import type { Feature, FeatureStream, FieldValue } from "../features.ts";
import { type RandomSource, openRandom } from "../random-source.ts";
import { uniqueNames } from "../unique-names.ts";
import { readWkb } from "../wkb.ts";
import { ColumnCursor } from "./column-cursor.ts";
import { type ColumnChunk, type ParquetFooter, chunksOf, readFooter, rowsOf } from "./footer.ts";
import { type GeoMetadata, parseGeoMetadata } from "./geo-metadata.ts";
import { nativeGeometry } from "./native-geometry.ts";
import { type RawValue, readPlain } from "./plain.ts";
import { RecordReader } from "./records.ts";
import { type SchemaNode, leavesOf } from "./schema.ts";
import { conversionOf } from "./values.ts";

/** Options of the reader. */
export interface GeoParquetReadOptions {
  readonly crs?: Crs | null | undefined;
  /** Skip row groups that lie outside; features of the others are all given. */
  readonly bounds?: Bounds | undefined;
  readonly onWarning?: OnWarning | undefined;
}

/** What is read of a file, and how. */
interface Plan {
  readonly name: string;
  readonly footer: ParquetFooter;
  readonly geo: GeoMetadata;
  readonly geometry: SchemaNode;
  readonly fields: readonly { readonly name: string; readonly node: SchemaNode }[];
}

/** Records put together before the columns are asked for more. */
const BATCH = 1024;

/** @throws FEATURES_CORRUPT, UNSUPPORTED_FORMAT, CRS_UNKNOWN */
export async function openGeoParquet(source: ByteSource, options: GeoParquetReadOptions): Promise<FeatureStream> {
  const bytes = await openRandom(source);
  try {
    const footer = await readFooter(bytes);
    const plan = planOf(footer, source.name, options.onWarning);
    return {
      name: source.name,
      crs: options.crs === undefined ? plan.geo.crs() : options.crs,
      [Symbol.asyncIterator]: () => readFeatures(source, plan, options.bounds),
    };
  } finally {
    await bytes.close();
  }
}

function planOf(footer: ParquetFooter, name: string, onWarning: OnWarning | undefined): Plan {
  const geo = parseGeoMetadata(footer.texts.get("geo"), name);
  const columns = footer.schema.children;
  const geometry = columns.find((column) => column.name === geo.column);
  const stored = geometry?.type ?? "group";
  const numbers = geometry === undefined || leavesOf(geometry).every(({ type }) => type === "double" || type === "float");
  if (geometry === undefined || (geo.encoding === "WKB" ? stored !== "bytes" : stored !== "group" || !numbers)) {
    throw corrupt(name, `its geometry "${geo.column}" is no column with ${geo.encoding}`);
  }
  if (geo.spherical) {
    onWarning?.({
      code: "EDGES_SPHERICAL",
      message: `The edges of ${name} run along the ellipsoid; they are read as straight lines between the vertices.`,
    });
  }
  const boxes = geo.covering?.[0]?.[0];
  const readable: SchemaNode[] = [];
  for (const column of columns) {
    if (column === geometry || column.name === boxes) continue;
    const binary = leavesOf(column).some((leaf) => leaf.type === null || conversionOf(leaf) === null);
    if (!binary && !geo.others.includes(column.name)) readable.push(column);
    else
      onWarning?.({
        code: "FIELD_SKIPPED",
        message: `The ${binary ? "binary field" : "further geometry"} "${column.name}" of ${name} is left out.`,
      });
  }
  const names = uniqueNames(readable.map((column) => column.name));
  return { name, footer, geo, geometry, fields: readable.map((node, i) => ({ name: names[i]!, node })) };
}

async function* readFeatures(source: ByteSource, plan: Plan, bounds: Bounds | undefined): AsyncGenerator<Feature> {
  const bytes = await openRandom(source);
  try {
    let index = 0;
    for (const rowGroup of plan.footer.rowGroups) {
      const rows = rowsOf(rowGroup, plan.name);
      const chunks = chunksOf(rowGroup, bytes);
      const box = bounds === undefined ? null : boxOf(chunks, plan);
      if (box === null || boundsMeet(box, bounds!)) yield* readRowGroup(bytes, plan, chunks, rows, index);
      index += rows;
    }
  } finally {
    await bytes.close();
  }
}

async function* readRowGroup(
  source: RandomSource,
  plan: Plan,
  chunks: readonly ColumnChunk[],
  rows: number,
  first: number,
): AsyncGenerator<Feature> {
  const readerOf = (node: SchemaNode, convert: (leaf: SchemaNode) => (value: RawValue) => unknown): RecordReader => {
    const cursors = leavesOf(node).map((leaf) => new ColumnCursor(source, chunkOf(chunks, leaf, plan.name), leaf, convert(leaf)));
    return new RecordReader(node, cursors, plan.name);
  };
  const geometry = readerOf(plan.geometry, () => (value) => value);
  const fields = plan.fields.map(({ name, node }) => ({ name, reader: readerOf(node, (leaf) => conversionOf(leaf)!) }));
  const cursors = [geometry, ...fields.map(({ reader }) => reader)].flatMap((reader) => reader.cursors);
  for (let done = 0; done < rows;) {
    const count = Math.min(BATCH, rows - done);
    for (const cursor of cursors) await cursor.fill(count);
    for (let i = 0; i < count; i += 1) {
      const where = `feature ${first + done + i} of ${plan.name}`;
      const shape = geometry.next();
      const properties = emptyProperties();
      for (const { name, reader } of fields) setField(properties, name, fieldOf(reader.next()), where);
      yield { geometry: geometryOf(shape, plan.geo, where), properties };
    }
    done += count;
  }
}

function geometryOf(value: unknown, { encoding }: GeoMetadata, where: string): Feature["geometry"] {
  if (encoding !== "WKB") return nativeGeometry(value, encoding, where);
  return value instanceof Uint8Array ? readWkb(value, where) : null;
}

/** Lists, maps and structs become their JSON text, as in GeoJSON. */
function fieldOf(value: unknown): FieldValue {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : ((value ?? null) as FieldValue);
}

function chunkOf(chunks: readonly ColumnChunk[], leaf: SchemaNode, name: string): ColumnChunk {
  const path = leaf.path.join("\0");
  const chunk = chunks.find((one) => one.path.join("\0") === path);
  if (chunk === undefined) throw corrupt(name, `a row group lacks the column "${leaf.path.join(".")}"`);
  return chunk;
}

/** The box around the features of a row group, from what the writer noted of the columns with their boxes. */
function boxOf(chunks: readonly ColumnChunk[], { geo, footer, name }: Plan): Bounds | null {
  if (geo.covering === null) return null;
  const leaves = leavesOf(footer.schema);
  const sides = geo.covering.map((path, side) => {
    const leaf = leaves.find((one) => one.path.join("\0") === path.join("\0"));
    const chunk = leaf === undefined ? undefined : chunkOf(chunks, leaf, name);
    const noted = side < 2 ? chunk?.least : chunk?.largest;
    if (leaf === undefined || noted == null || (leaf.type !== "double" && leaf.type !== "float")) return NaN;
    return noted.length === (leaf.type === "double" ? 8 : 4) ? (readPlain(noted, leaf.type, 0, 1)[0] as number) : NaN;
  });
  return sides.some(Number.isNaN) ? null : (sides as unknown as Bounds);
}
