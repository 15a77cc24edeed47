/** Files beside a local raster that add to it: overviews, masks, world files, projection files, GDAL's auxiliary ones. */

import { readFile, stat } from "node:fs/promises";

import { XMLParser, XMLValidator } from "fast-xml-parser";

import { type Affine, fromGdal } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { crsFromWkt } from "../crs/from-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import type { ByteSource } from "./sources/byte-source.ts";
import type { Sidecars } from "./no-sidecars.ts";
import { fileSource } from "./sources/file-source.ts";
import { parseWorldFile, worldFileNames } from "./world-file.ts";

/** Such files are a few lines, with statistics a few thousand; anything larger is something else. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** Finds what lies beside a raster file. */
export async function findSidecars(path: string): Promise<Sidecars> {
  const [overviews, mask, world, projection, auxiliary] = await Promise.all([
    existing(`${path}.ovr`),
    existing(`${path}.msk`),
    worldFile(path),
    projectionFile(path),
    smallText(`${path}.aux.xml`).then((text) => parseAuxiliary(text)),
  ]);
  return { overviews, mask, transform: auxiliary.transform ?? world, crs: auxiliary.crs ?? projection };
}

async function existing(path: string): Promise<ByteSource | null> {
  return (await isFile(path)) ? fileSource(path) : null;
}

async function worldFile(path: string): Promise<Affine | null> {
  for (const name of worldFileNames(path)) {
    const text = await smallText(name);
    if (text !== null) return parseWorldFile(text);
  }
  return null;
}

/** The place that GDAL and Esri note in an `.aux.xml` file. */
function parseAuxiliary(text: string | null): { transform: Affine | null; crs: Crs | null } {
  const nothing = { transform: null, crs: null };
  if (text === null || /<!(DOCTYPE|ENTITY)/i.test(text) || XMLValidator.validate(text) !== true) return nothing;
  const parsed: unknown = new XMLParser({ parseTagValue: false }).parse(text);
  const root = (parsed as { PAMDataset?: { SRS?: unknown; GeoTransform?: unknown } }).PAMDataset;
  const numbers = typeof root?.GeoTransform === "string" ? root.GeoTransform.split(",").map(Number) : [];
  const placed = numbers.length === 6 && numbers.every(Number.isFinite);
  const wkt = typeof root?.SRS === "string" ? root.SRS : "";
  return {
    transform: placed ? fromGdal(numbers as unknown as Parameters<typeof fromGdal>[0]) : null,
    crs: wkt === "" ? null : crsFromWkt(wkt),
  };
}

async function projectionFile(path: string): Promise<Crs | null> {
  const name = path.replace(/\.[^./\\]+$/, ".prj");
  const text = name === path ? null : await smallText(name);
  if (text === null) return null;
  try {
    return crsFromWkt(text);
  } catch (cause) {
    throw new GeoLearnError("CRS_UNKNOWN", `${name} holds no reference system that is known here.`, {
      hint: "Correct the .prj file, or give `crs`.",
      cause,
    });
  }
}

async function smallText(path: string): Promise<string | null> {
  const known = await stat(path).catch(() => null);
  return known !== null && known.isFile() && known.size <= MAX_TEXT_BYTES ? readFile(path, "utf8") : null;
}

async function isFile(path: string): Promise<boolean> {
  const known = await stat(path).catch(() => null);
  return known !== null && known.isFile();
}
