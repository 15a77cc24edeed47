/** FlatGeobuf (version 3), read feature by feature; a box is answered by the file's index. */

import type { Bounds } from "../../affine.ts";
import type { Crs } from "../../crs/crs.ts";
import type { OnWarning } from "../../progress.ts";
import type { ByteSource } from "../byte-source.ts";
import { corrupt } from "../damage.ts";
import { emptyProperties, setField } from "../feature-value.ts";
import type { Feature, FeatureStream } from "../features.ts";
import { type RandomSource, openRandom } from "../random-source.ts";
import { FlatTable } from "./flat-table.ts";
import { readGeometry } from "./geometry-reader.ts";
import { type Column, type FlatGeobufHeader, readColumns, readHeader } from "./header-reader.ts";
import { readProperties } from "./properties-reader.ts";
import { COLUMN_TYPE, FEATURE } from "./schema.ts";
import { searchTree } from "./tree-search.ts";

/** Options of the reader. */
export interface FlatGeobufReadOptions {
  readonly crs?: Crs | null | undefined;
  /** Only features whose boxes meet this one; those of a file without an index are all given. */
  readonly bounds?: Bounds | undefined;
  readonly onWarning?: OnWarning | undefined;
}

const BLOCK = 1 << 20;
const MAX_FEATURE_BYTES = 1 << 29;

/** @throws FEATURES_CORRUPT, UNSUPPORTED_FORMAT, CRS_UNKNOWN */
export async function openFlatGeobuf(source: ByteSource, options: FlatGeobufReadOptions): Promise<FeatureStream> {
  const bytes = await openRandom(source);
  try {
    const header = await readHeader(bytes);
    for (const { name, type } of header.columns) {
      if (type !== COLUMN_TYPE.binary) continue;
      options.onWarning?.({ code: "FIELD_SKIPPED", message: `The binary field "${name}" of ${source.name} is left out.` });
    }
    return {
      name: source.name,
      crs: options.crs === undefined ? header.crs() : options.crs,
      [Symbol.asyncIterator]: () => readFeatures(source, header, options.bounds),
    };
  } finally {
    await bytes.close();
  }
}

async function* readFeatures(source: ByteSource, header: FlatGeobufHeader, bounds: Bounds | undefined): AsyncGenerator<Feature> {
  const bytes = await openRandom(source);
  try {
    const read = blockReader(bytes);
    if (bounds !== undefined && header.nodeSize > 0) {
      for (const { index, offset } of await searchTree(bytes, header, bounds)) {
        yield featureOf(
          (await featureBytes(read, bytes, header.featuresAt + offset, index)).body,
          header,
          `feature ${index} of ${source.name}`,
        );
      }
      return;
    }
    let at = header.featuresAt;
    for (let index = 0; header.count === null ? at < bytes.size : index < header.count; index += 1) {
      const { body, end } = await featureBytes(read, bytes, at, index);
      yield featureOf(body, header, `feature ${index} of ${source.name}`);
      at = end;
    }
  } finally {
    await bytes.close();
  }
}

type Read = (at: number, length: number) => Promise<Uint8Array>;

/** Reads through a block of a megabyte, so that small features in a row cost one read. */
function blockReader(source: RandomSource): Read {
  let block: Uint8Array = new Uint8Array();
  let start = 0;
  return async (at, length) => {
    if (at < start || at + length > start + block.length) {
      start = at;
      block = await source.read(at, Math.max(length, BLOCK));
    }
    return block.subarray(at - start, at - start + length);
  };
}

async function featureBytes(read: Read, source: RandomSource, at: number, index: number): Promise<{ body: Uint8Array; end: number }> {
  const where = `feature ${index} of ${source.name}`;
  if (at + 4 > source.size) throw corrupt(where, "the file ends before it");
  const prefix = await read(at, 4);
  const length = prefix.length < 4 ? 0 : new DataView(prefix.buffer, prefix.byteOffset).getUint32(0, true);
  if (length < 8 || length > MAX_FEATURE_BYTES || at + 4 + length > source.size) throw corrupt(where, `it claims ${length} bytes`);
  const body = await read(at + 4, length);
  if (body.length < length) throw corrupt(where, "the file ends within it");
  return { body, end: at + 4 + length };
}

function featureOf(body: Uint8Array, header: FlatGeobufHeader, where: string): Feature {
  const table = FlatTable.root(body, where);
  const properties = emptyProperties();
  for (const { name, type } of header.columns) if (type !== COLUMN_TYPE.binary) setField(properties, name, null, where);
  const values = table.vector(FEATURE.properties, 1);
  if (values !== null) {
    readProperties(properties, body.subarray(values.at, values.at + values.length), columnsOf(table, header, body, where), where);
  }
  const geometry = table.table(FEATURE.geometry);
  return { geometry: geometry === null ? null : readGeometry(geometry, header.geometryType, where), properties };
}

/** A feature may bring its own columns where the header has none for all. */
function columnsOf(table: FlatTable, header: FlatGeobufHeader, body: Uint8Array, where: string): readonly Column[] {
  if (table.vector(FEATURE.columns, 4) === null) return header.columns;
  return readColumns(table.tables(FEATURE.columns), body.length, where);
}
