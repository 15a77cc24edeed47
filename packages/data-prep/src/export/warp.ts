import * as core from "@geolearn/core";
import type { Affine, Crs, Raster, Resampling } from "@geolearn/core";
export function warpRaster(
  raster: Raster,
  grid: { crs: Crs | null; transform: Affine; width: number; height: number; resampling: Resampling },
): Raster {
  const warp = (core as unknown as Record<string, (r: Raster, g: unknown) => Raster>)["warpRaster"];
  if (warp === undefined) throw new Error("warpRaster missing");
  return warp(raster, grid);
}
