/** Small questions about a raster. */

import { type Bounds, gridBounds } from "../affine.ts";
import { GeoLearnError } from "../errors.ts";
import type { Raster } from "./raster.ts";

/** Indices of the bands that hold an image: all but alpha. */
export function imageBands(raster: Raster): number[] {
  return Array.from({ length: raster.bands }, (_, band) => band).filter((band) => band !== raster.alphaBand);
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
