/** Files beside a local raster that add to it: overviews, masks, world files, Esri projection files. */

import { readFile, stat } from "node:fs/promises";

import type { Affine } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { crsFromWkt } from "../crs/from-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import type { ByteSource } from "./sources/byte-source.ts";
import { fileSource } from "./sources/file-source.ts";
import { parseWorldFile, worldFileNames } from "./world-file.ts";

/** What lies beside a raster file. */
export interface Sidecars {
  /** External overviews (`.ovr`). */
  readonly overviews: ByteSource | null;
  /** External mask (`.msk`). */
  readonly mask: ByteSource | null;
  /** Transform of a world file, used when the raster has none. */
  readonly transform: Affine | null;
  /** Reference system of a `.prj` file, used when the raster has none. */
  readonly crs: Crs | null;
}

/** A raster with nothing beside it. */
export const noSidecars: Sidecars = { overviews: null, mask: null, transform: null, crs: null };

/** A world file or projection file is a few lines; anything larger is something else. */
const MAX_TEXT_BYTES = 65536;

/** Finds what lies beside a raster file. */
export async function findSidecars(path: string): Promise<Sidecars> {
  return {
    overviews: await existing(`${path}.ovr`),
    mask: await existing(`${path}.msk`),
    transform: await worldFile(path),
    crs: await projectionFile(path),
  };
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

async function projectionFile(path: string): Promise<Crs | null> {
  const name = path.replace(/\.[^./\\]+$/, ".prj");
  const text = name === path ? null : await smallText(name);
  if (text === null) return null;
  try {
    return crsFromWkt(text);
  } catch (cause) {
    throw new GeoLearnError("CRS_UNKNOWN", `${name} holds no reference system that is known here.`, {
      hint: "Give the system yourself with the option crs.",
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
