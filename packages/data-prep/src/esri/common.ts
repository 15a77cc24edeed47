/** What the two JSON files of an export share. */

import { GeoLearnError } from "@geolearn/core";

import type { JsonObject } from "./json.ts";

/** Ground size of a pixel in the units of a reference system. */
export interface CellSize {
  readonly x: number;
  readonly y: number;
  /** EPSG code, or null when the system has none. */
  readonly wkid: number | null;
}

/** Esri's own code for a system that EPSG numbers later: Web Mercator. */
const ESRI_WKID = new Map([[3857, 102100]]);

/** A cell size as Esri's files hold it. */
export function cellSizeJson({ x, y, wkid }: CellSize): JsonObject {
  return {
    x,
    y,
    ...(wkid === null ? {} : { spatialReference: { wkid: ESRI_WKID.get(wkid) ?? wkid, latestWkid: wkid } }),
  };
}

/** A damaged metadata file. */
export function corruptChips(path: string, reason: string): GeoLearnError {
  return new GeoLearnError("CHIPS_CORRUPT", `${path}: ${reason}.`, {
    hint: "Export the chips again, or repair the file.",
    data: { path },
  });
}
