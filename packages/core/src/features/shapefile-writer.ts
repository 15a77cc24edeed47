/**
 * Shapefiles (.shp, .shx, .dbf, .prj, .cpg), loose or zipped. Shapes are written as they arrive; fields wait in a
 * temporary file until their widths are known. Nothing bears its name before everything is written.
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

import type { Bounds } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { crsToWkt } from "../crs/to-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import { writeError } from "../files/atomic.ts";
import { writeZip } from "../files/zip.ts";
import type { OnWarning } from "../progress.ts";
import { AppendFile } from "./append-file.ts";
import { geometryBounds, unionBounds } from "./bounds.ts";
import { DbfSchema } from "./dbf-writer.ts";
import type { Feature } from "./features.ts";
import { shapeTypeOf, writeShape } from "./shp-record.ts";
import { hasHeight } from "./wkb.ts";

/** Options of the writer. */
export interface ShapefileWriteOptions {
  readonly crs: Crs | null;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: OnWarning | undefined;
}

/** Files count their length in 16-bit words with a sign; readers stop at 2 GB. */
const MAX_BYTES = 2 ** 31 - 1;
const HEADER_BYTES = 100;
/** Indexes of readers, which would be wrong for new shapes. */
const STALE = [".sbn", ".sbx", ".qix", ".shp.xml"];

/** Writes `path` (.shp) and its sidecars; returns the number of features. @throws GEOMETRY_INVALID, LIMIT_EXCEEDED, DISK_FULL, WRITE_FAILED */
export async function writeShapefile(features: AsyncIterable<Feature>, path: string, options: ShapefileWriteOptions): Promise<number> {
  const stem = path.slice(0, path.length - extname(path).length);
  const files: AppendFile[] = [];
  const create = async (extension: string): Promise<AppendFile> => {
    const file = await AppendFile.create(stem + extension);
    files.push(file);
    return file;
  };
  try {
    const [shp, shx, dbf] = [await create(".shp"), await create(".shx"), await create(".dbf")];
    const spool = await create(".rows");
    const schema = new DbfSchema(options.onWarning);
    const { count, shape, bounds } = await writeShapes(features, shp, shx, spool, schema, options);
    await writeTable(dbf, spool, schema);
    await shp.overwrite(header(shape, shp.length, bounds));
    await shx.overwrite(header(shape, shx.length, bounds));
    const prj = options.crs === null ? null : await create(".prj");
    await prj?.append(new TextEncoder().encode(crsToWkt(options.crs!, { flavour: "esri" })));
    const cpg = await create(".cpg");
    await append(cpg, new TextEncoder().encode("UTF-8"));
    options.signal?.throwIfAborted();
    for (const file of [shx, dbf, prj, cpg, shp]) await file?.commit();
    for (const extension of options.crs === null ? [...STALE, ".prj"] : STALE) await rm(stem + extension, { force: true });
    return count;
  } finally {
    for (const file of files) await file.abort();
  }
}

/** Writes a zip with one Shapefile of the archive's name. */
export async function writeZippedShapefile(
  features: AsyncIterable<Feature>,
  path: string,
  options: ShapefileWriteOptions,
): Promise<number> {
  const stem = basename(path, extname(path));
  const folder = await mkdtemp(join(dirname(path), `.${stem.slice(0, 100)}.`)).catch((cause: unknown) => {
    throw writeError(path, cause);
  });
  try {
    const count = await writeShapefile(features, join(folder, `${stem}.shp`), options);
    const extensions = [".shp", ".shx", ".dbf", ".cpg", ...(options.crs === null ? [] : [".prj"])];
    await writeZip(
      path,
      await Promise.all(
        extensions.map(async (extension) => ({
          name: stem + extension,
          data: await readFile(join(folder, stem + extension)),
          compress: true,
        })),
      ),
    );
    return count;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeShapes(
  features: AsyncIterable<Feature>,
  shp: AppendFile,
  shx: AppendFile,
  spool: AppendFile,
  schema: DbfSchema,
  { signal, onWarning }: ShapefileWriteOptions,
): Promise<{ count: number; shape: number; bounds: Bounds | null }> {
  let shape: number | null = null;
  let z = false;
  let bounds: Bounds | null = null;
  let count = 0;
  await append(shp, new Uint8Array(HEADER_BYTES));
  await append(shx, new Uint8Array(HEADER_BYTES));
  for await (const feature of features) {
    signal?.throwIfAborted();
    const { geometry } = feature;
    if (geometry !== null) {
      const own = shapeTypeOf(geometry, `feature ${count}`);
      if (shape === null) z = hasHeight(geometry);
      shape ??= own;
      if (own !== shape) refuseMixed(geometry.type, shape, count);
      if (!z && hasHeight(geometry))
        onWarning?.({ code: "HEIGHT_DROPPED", message: `Feature ${count} has heights and the first feature had none: they are left out.` });
      bounds = unionBounds(bounds, geometryBounds(geometry));
    }
    const content = writeShape(geometry, shape ?? 0, z);
    const record = new Uint8Array(8 + content.length);
    const view = new DataView(record.buffer);
    view.setInt32(0, count + 1, false);
    view.setInt32(4, content.length / 2, false);
    record.set(content, 8);
    const index = new DataView(new ArrayBuffer(8));
    index.setInt32(0, shp.length / 2, false);
    index.setInt32(4, content.length / 2, false);
    await append(shp, record);
    await append(shx, new Uint8Array(index.buffer));
    await append(spool, new TextEncoder().encode(`${JSON.stringify(feature.properties)}\n`));
    schema.add(feature);
    count += 1;
  }
  return { count, shape: shape === null ? 0 : z ? shape + 10 : shape, bounds };
}

async function writeTable(dbf: AppendFile, spool: AppendFile, schema: DbfSchema): Promise<void> {
  await append(dbf, schema.header());
  let index = 0;
  for await (const line of await spool.lines()) {
    await append(dbf, schema.row(JSON.parse(line) as Feature["properties"], index));
    index += 1;
  }
  await append(dbf, Uint8Array.of(0x1a));
  schema.finish();
}

function header(shape: number, length: number, bounds: Bounds | null): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 9994, false);
  view.setInt32(24, length / 2, false);
  view.setInt32(28, 1000, true);
  view.setInt32(32, shape, true);
  for (const [index, value] of (bounds ?? [0, 0, 0, 0]).entries()) view.setFloat64(36 + 8 * index, value, true);
  return bytes;
}

function refuseMixed(type: string, shape: number, index: number): never {
  const known: Readonly<Record<number, string>> = { 1: "points", 3: "lines", 5: "polygons", 8: "multipoints" };
  throw new GeoLearnError(
    "GEOMETRY_INVALID",
    `Feature ${index} is a ${type}, and this Shapefile began with ${known[shape]}: it holds one kind.`,
    {
      hint: "Write a GeoPackage (.gpkg), or one Shapefile for each kind.",
      data: { index, type },
    },
  );
}

async function append(file: AppendFile, bytes: Uint8Array): Promise<void> {
  if (file.length + bytes.length > MAX_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${file.path} would pass 2 GB, which no Shapefile may.`, {
      hint: "Write a GeoPackage (.gpkg) or .geojsonl.",
    });
  }
  await file.append(bytes);
}
