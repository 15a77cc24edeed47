/** Shapefiles, loose or zipped, read record by record. */

import { readFile, readdir } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

import type { Crs } from "../crs/crs.ts";
import { crsFromWkt } from "../crs/from-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import { readZip } from "../files/zip.ts";
import type { OnWarning } from "../progress.ts";
import type { ByteSource } from "./byte-source.ts";
import { type DbfTable, openDbf } from "./dbf-reader.ts";
import { emptyProperties } from "./feature-value.ts";
import type { Feature, FeatureStream } from "./features.ts";
import { type RandomSource, openRandomFile, randomMemory } from "./random-source.ts";
import { readShape } from "./shp-geometry.ts";

/** Options of the reader. */
export interface ShapefileReadOptions {
  /** Name or number of the Shapefile in an archive; needed where there are several. */
  readonly layer?: string | number | undefined;
  readonly crs?: Crs | null | undefined;
  readonly onWarning?: OnWarning | undefined;
}

/** The files that make up one Shapefile. */
interface Parts {
  readonly name: string;
  open(extension: ".shp" | ".dbf"): Promise<RandomSource | null>;
  text(extension: ".prj" | ".cpg"): Promise<string | null>;
}

const HEADER_BYTES = 100;
const BLOCK = 1 << 20;
const MAX_RECORD_BYTES = 1 << 29;

/** @throws FEATURES_CORRUPT, CRS_UNKNOWN, INVALID_ARGUMENT for a layer that is not there */
export async function openShapefile(source: ByteSource, format: "shp" | "shp-zip", options: ShapefileReadOptions): Promise<FeatureStream> {
  const parts = format === "shp" ? await looseParts(source) : await zippedParts(source, options.layer);
  const prj = options.crs === undefined ? await parts.text(".prj") : null;
  const crs = options.crs === undefined ? (prj === null ? null : crsFromWkt(prj)) : options.crs;
  return { name: parts.name, crs, [Symbol.asyncIterator]: () => readFeatures(parts, options.onWarning) };
}

async function* readFeatures(parts: Parts, onWarning: OnWarning | undefined): AsyncGenerator<Feature> {
  const shp = await parts.open(".shp");
  if (shp === null) throw new GeoLearnError("FILE_NOT_FOUND", `${parts.name} has no .shp file.`);
  const dbf = await parts.open(".dbf");
  try {
    const table = dbf === null ? null : await openDbf(dbf, await parts.text(".cpg"), onWarning);
    if (table === null) onWarning?.({ code: "TABLE_MISSING", message: `${parts.name} has no .dbf file; its features have no fields.` });
    let index = 0;
    for await (const record of records(shp)) {
      const where = `feature ${index} of ${parts.name}`;
      const properties = table === null ? emptyProperties() : await rowOf(table, index, where);
      if (properties !== null) yield { geometry: readShape(record, where), properties };
      index += 1;
    }
  } finally {
    await shp.close();
    await dbf?.close();
  }
}

async function rowOf(table: DbfTable, index: number, where: string): Promise<Feature["properties"] | null> {
  if (index < table.rows) return table.row(index);
  throw new GeoLearnError("FEATURES_CORRUPT", `${where}: its table has only ${table.rows} rows.`, {
    hint: "Export the Shapefile again from its source, all of its files together.",
    data: { where },
  });
}

/** Contents of the records, in the order of the file. */
async function* records(shp: RandomSource): AsyncGenerator<Uint8Array> {
  const head = await shp.read(0, HEADER_BYTES);
  if (head.length < HEADER_BYTES || viewOf(head).getInt32(0, false) !== 9994) corrupt(shp, "it does not begin as a Shapefile does");
  const end = Math.min(viewOf(head).getInt32(24, false) * 2, shp.size);
  let block: Uint8Array = new Uint8Array();
  let start = 0;
  for (let at = HEADER_BYTES; at + 8 <= end;) {
    const ensure = async (length: number): Promise<void> => {
      if (at >= start && at + length <= start + block.length) return;
      start = at;
      block = await shp.read(at, Math.max(length, BLOCK));
      if (block.length < length) corrupt(shp, "it ends early");
    };
    await ensure(8);
    const length = viewOf(block).getInt32(at - start + 4, false) * 2;
    if (length < 4 || length > MAX_RECORD_BYTES || at + 8 + length > shp.size)
      corrupt(shp, `the record at byte ${at} claims ${length} bytes`);
    await ensure(8 + length);
    yield block.subarray(at - start + 8, at - start + 8 + length);
    at += 8 + length;
  }
}

/** The files beside a .shp, found whatever the case of their extension. */
async function looseParts(source: ByteSource): Promise<Parts> {
  if (source.path === null) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", "The bytes of a .shp alone are not a whole Shapefile.", {
      hint: "Give the bytes of a zip with .shp, .shx, .dbf and .prj.",
    });
  }
  const folder = dirname(source.path);
  const stem = basename(source.path, extname(source.path)).toLowerCase();
  const names = await readdir(folder);
  const find = (extension: string): string | null => {
    const name = names.find((one) => one.toLowerCase() === stem + extension);
    return name === undefined ? null : join(folder, name);
  };
  return {
    name: source.name,
    async open(extension) {
      const path = extension === ".shp" ? source.path : find(extension);
      return path === null ? null : openRandomFile(path, basename(path));
    },
    async text(extension) {
      const path = find(extension);
      return path === null ? null : text(await readFile(path));
    },
  };
}

async function zippedParts(source: ByteSource, layer: string | number | undefined): Promise<Parts> {
  const archive = await readZip(source.path ?? (await source.all()), { name: source.name, code: "FEATURES_CORRUPT" });
  const names = archive.entries.map(({ name }) => name).filter((name) => !/(^|\/)(__MACOSX|\._)/.test(name));
  const layers = names.filter((name) => /\.shp$/i.test(name)).sort();
  const titles = layers.map((name) => basename(name, extname(name)));
  if (layers.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `${source.name} holds no Shapefile.`, { hint: "Zip .shp, .shx, .dbf and .prj together." });
  }
  const index = layer === undefined ? (layers.length === 1 ? 0 : -1) : typeof layer === "number" ? layer : titles.indexOf(layer);
  const shp = layers[index];
  if (shp === undefined) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${source.name} holds ${layers.length} Shapefiles: ${titles.join(", ")}${layer === undefined ? "" : `, none "${layer}"`}.`,
      {
        hint: `Choose one, for example \`layer: "${titles[0]}"\`.`,
        data: { layers: titles },
      },
    );
  }
  const stem = shp.slice(0, -4).toLowerCase();
  const find = (extension: string): string | undefined => names.find((name) => name.toLowerCase() === stem + extension);
  return {
    name: `${source.name}/${basename(shp)}`,
    async open(extension) {
      const name = find(extension);
      return name === undefined ? null : randomMemory(await archive.read(name), basename(name));
    },
    async text(extension) {
      const name = find(extension);
      return name === undefined ? null : text(await archive.read(name));
    },
  };
}

function text(bytes: Uint8Array): string | null {
  const found = new TextDecoder()
    .decode(bytes)
    .replace(/^\uFEFF/, "")
    .trim();
  return found === "" ? null : found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function corrupt(shp: RandomSource, reason: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${shp.name} is damaged: ${reason}.`, {
    hint: "Export the Shapefile again from its source, all of its files together.",
    data: { file: shp.name },
  });
}
