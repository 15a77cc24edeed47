/** Small questions about a raster. */

import { type Bounds, gridBounds } from "../affine.ts";
import { GeoLearnError } from "../errors.ts";
import { showValue } from "../show-value.ts";
import type { Raster } from "./raster.ts";

/** True for an open raster. */
export function isRaster(source: unknown): source is Raster {
  return typeof source === "object" && source !== null && "read" in source && typeof source.read === "function";
}

/** Indices of the bands that hold an image: all but alpha. */
export function imageBands(raster: Raster): number[] {
  return Array.from({ length: raster.bands }, (_, band) => band).filter((band) => band !== raster.alphaBand);
}

/**
 * Refuses a picture where a class raster is meant.
 *
 * @throws INVALID_ARGUMENT for more than one band besides alpha
 */
export function requireClassRaster(raster: Raster, hint: string): void {
  const { length } = imageBands(raster);
  if (length <= 1) return;
  const besides = raster.alphaBand === null ? "" : " besides alpha";
  throw new GeoLearnError("INVALID_ARGUMENT", `${raster.name} has ${length} bands${besides}; a class raster has one.`, {
    hint,
    data: { bands: raster.bands },
  });
}

/**
 * Positions of bands that are given by position from 0 or by name.
 *
 * @param of what the bands are those of, for messages
 * @throws INVALID_ARGUMENT for what is no list, BANDS_MISMATCH for a band that is not there, or none at all
 */
export function bandPositions(wanted: readonly (number | string)[], names: readonly string[], of: string): number[] {
  if (!Array.isArray(wanted)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`bands\` is ${showValue(wanted)}; expected a list of positions or names.`, {
      hint: `Bands are counted from 0 or named: ${names.join(", ")}.`,
      data: { field: "bands", value: wanted },
    });
  }
  const positions = wanted.map((band) => (typeof band === "number" ? band : names.indexOf(band)));
  const wrong = positions.findIndex((band) => !Number.isInteger(band) || band < 0 || band >= names.length);
  if (wrong < 0 && positions.length > 0) return positions;
  const asked = positions.length === 0 ? "No band" : `Band ${showValue(wanted[wrong])}`;
  throw new GeoLearnError("BANDS_MISMATCH", `${asked} was asked of ${of}, which has ${names.length}.`, {
    hint: `Bands are counted from 0 or named: ${names.join(", ")}.`,
    data: { bands: wanted, available: names },
  });
}

/** World bounds of a raster in the units of its reference system. @throws RASTER_NO_TRANSFORM */
export function rasterBounds(raster: Raster): Bounds {
  if (raster.transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} has no transform from pixels to the world.`, {
      hint: "Give it one: a world file beside it, or gdal_translate -a_ullr ULX ULY LRX LRY -a_srs EPSG:CODE INPUT OUTPUT.tif",
    });
  }
  return gridBounds(raster.transform, raster.width, raster.height);
}
