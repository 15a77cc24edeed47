/**
 * FlatGeobufs (version 3) of one layer. With an index the features stand along a Hilbert curve, not in the order in which
 * they came; features wait in a temporary file until types and order are known.
 */

import type { Geometry } from "geojson";

import type { Crs } from "../../crs/crs.ts";
import type { AppendFile } from "../append-file.ts";
import { type FeatureSpool, spooledGeometry } from "../feature-spool.ts";
import type { Feature } from "../features.ts";
import { writeSpooled } from "../write-spooled.ts";
import { encodeFeature, encodeHeader } from "./encode.ts";
import { MAGIC } from "./schema.ts";
import { treeBytes } from "./tree-layout.ts";
import { encodeTree, hilbertOrder } from "./tree-writer.ts";

/** Options of the writer. */
export interface FlatGeobufWriteOptions {
  readonly crs: Crs | null;
  /** Name of the layer. */
  readonly layer: string;
  /** Write the index; a file with a feature that has no position has none. */
  readonly spatialIndex: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Children of a node of the index, as everybody has it. */
const NODE_SIZE = 16;
/** Features read from the temporary file together. */
const BATCH = 16_384;
const BATCH_BYTES = 1 << 26;

/** Writes features and returns how many. @throws CRS_UNKNOWN, WRITE_FAILED, DISK_FULL */
export async function writeFlatGeobuf(features: AsyncIterable<Feature>, path: string, options: FlatGeobufWriteOptions): Promise<number> {
  return writeSpooled(features, path, options.signal, (spool, file) => writeFile(spool, file, options));
}

async function writeFile(
  spool: FeatureSpool,
  file: AppendFile,
  { crs, layer, spatialIndex, signal }: FlatGeobufWriteOptions,
): Promise<void> {
  const { Builder } = await import("flatbuffers");
  const builder = new Builder(1 << 16);
  const { count, bounds, fields, height } = spool;
  const indexed = spatialIndex && bounds !== null && spool.placeless === 0;
  const nodeSize = indexed ? NODE_SIZE : 0;
  await file.append(Uint8Array.of(...MAGIC, 0));
  await file.append(encodeHeader(builder, { name: layer, bounds, geometryType: commonType(spool), height, fields, count, nodeSize, crs }));
  const indexAt = file.length;
  if (indexed) await file.append(new Uint8Array(treeBytes(count, NODE_SIZE)));
  const order = indexed ? hilbertOrder(spool.boxes, bounds) : null;
  const featuresAt = file.length;
  const offsets = new Float64Array(count);
  let done = 0;
  for await (const features of spool.read(order, BATCH, BATCH_BYTES)) {
    signal?.throwIfAborted();
    for (const feature of features) {
      // as GDAL does, what has no position is written as no geometry
      const placeless = Number.isNaN(spool.boxes[4 * feature.index]!);
      const geometry = placeless ? null : spooledGeometry(feature, `feature ${feature.index}`);
      offsets[done] = file.length - featuresAt;
      await file.append(encodeFeature(builder, geometry, feature.properties, fields, height));
      done += 1;
    }
  }
  if (order !== null) await file.overwrite(encodeTree(spool.boxes, order, offsets, NODE_SIZE), indexAt);
}

/** The type of all geometries, or null where they differ or there are none. */
function commonType({ geometryKinds }: FeatureSpool): Geometry["type"] | null {
  const types = new Set([...geometryKinds].map((kind) => kind.replace(" Z", "") as Geometry["type"]));
  const [type] = types;
  return types.size === 1 ? type! : null;
}
