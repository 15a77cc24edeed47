/** The scene a function works on: a raster, perhaps resampled, and the part of it that is asked for. */

import {
  type Affine,
  type Bounds,
  GeoLearnError,
  type OpenRasterOptions,
  type Raster,
  type RasterSource,
  type Window,
  applyAffine,
  groundResolution,
  invertAffine,
  isRaster,
  openRaster,
  warpRaster,
  windowTransform,
} from "@geolearn/core";

import type { SceneInfo } from "../inference-function.ts";

/** A raster and the part of it to work on. */
export interface Scene {
  /** Perhaps resampled; reads go to this. */
  readonly raster: Raster;
  /** The part to work on, in pixels of `raster`. */
  readonly view: Window;
  /** Pixel of the view to world, or null without georeference. */
  readonly transform: Affine | null;
  /** Ground size of a pixel in metres, or null when it cannot be known. */
  readonly resolution: number | null;
}

/** Opens what is not open yet; `close` closes only what was opened here. */
export async function openScene(
  source: RasterSource,
  { network = false, signal }: OpenRasterOptions,
): Promise<{ raster: Raster; close: () => Promise<void> }> {
  if (isRaster(source)) return { raster: source, close: () => Promise.resolve() };
  const raster = await openRaster(source, { network, ...(signal && { signal }) });
  return { raster, close: () => raster.close() };
}

/** Ground size of a pixel in metres, or null without a reference system or when the raster lies outside of it. */
export function resolutionOf(raster: Raster): number | null {
  if (raster.crs === null || raster.transform === null) return null;
  try {
    return groundResolution(raster.crs, raster.transform, raster.width, raster.height);
  } catch (error) {
    if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return null;
    throw error;
  }
}

/** What a function is told of a raster. */
export function sceneInfo(raster: Raster): SceneInfo {
  return {
    bands: raster.bands - (raster.alphaBand === null ? 0 : 1),
    bandNames: raster.bandInfo.filter((_, band) => band !== raster.alphaBand).map(({ name }) => name),
    sampleType: raster.sampleType,
    resolution: resolutionOf(raster),
  };
}

/** The raster at another pixel size, in metres on the ground. @throws CRS_MISSING when its present size is unknown */
export function resampleScene(raster: Raster, cellSize: number): Raster {
  const resolution = resolutionOf(raster);
  if (resolution === null || raster.transform === null || raster.crs === null) {
    throw new GeoLearnError("CRS_MISSING", `${raster.name} has no reference system, so its pixels have no size in metres to change.`, {
      hint: "Give the raster a reference system, or leave out `cellSize`.",
    });
  }
  const factor = cellSize / resolution;
  if (Math.abs(factor - 1) < 1e-3) return raster;
  const width = Math.max(1, Math.round(raster.width / factor));
  const height = Math.max(1, Math.round(raster.height / factor));
  return warpRaster(raster, {
    crs: raster.crs,
    transform: windowTransform(raster.transform, 0, 0, raster.width / width, raster.height / height),
    width,
    height,
    resampling: factor > 1.5 ? "average" : "bilinear",
  });
}

/** The part of a raster inside `extent`. @throws WINDOW_OUTSIDE when they do not meet, RASTER_NO_TRANSFORM */
export function cutScene(raster: Raster, extent: Bounds | undefined): Scene {
  const whole = { col: 0, row: 0, width: raster.width, height: raster.height };
  const view = extent === undefined ? whole : extentWindow(raster, extent);
  const transform = raster.transform === null ? null : windowTransform(raster.transform, view.col, view.row);
  return { raster, view, transform, resolution: resolutionOf(raster) };
}

function extentWindow(raster: Raster, extent: Bounds): Window {
  const [xmin, ymin, xmax, ymax] = extent;
  if (raster.transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} is not georeferenced, so an extent means nothing on it.`, {
      hint: "Leave out `extent`, or georeference the raster.",
    });
  }
  const toPixels = invertAffine(raster.transform);
  const corners = [
    applyAffine(toPixels, xmin, ymin),
    applyAffine(toPixels, xmin, ymax),
    applyAffine(toPixels, xmax, ymin),
    applyAffine(toPixels, xmax, ymax),
  ];
  // An extent that was made from pixel corners must not gain a pixel through rounding.
  const low = (values: readonly number[]): number => Math.max(0, Math.floor(Math.min(...values) + 1e-6));
  const high = (values: readonly number[], limit: number): number => Math.min(limit, Math.ceil(Math.max(...values) - 1e-6));
  const cols = corners.map(([col]) => col);
  const rows = corners.map(([, row]) => row);
  const [col, row] = [low(cols), low(rows)];
  const [width, height] = [high(cols, raster.width) - col, high(rows, raster.height) - row];
  if (width <= 0 || height <= 0) {
    throw new GeoLearnError("WINDOW_OUTSIDE", `The extent [${extent.join(", ")}] does not meet ${raster.name}.`, {
      hint: "Give the extent in the raster's own reference system.",
    });
  }
  return { col, row, width, height };
}
