/** Where a result may be written. */

import { extname, resolve } from "node:path";

import { GeoLearnError, type RasterSource } from "@geolearn/core";

/**
 * Checks the path of a raster to be written, before any work.
 *
 * @throws UNSUPPORTED_FORMAT for an ending that is not GeoTIFF's; INVALID_ARGUMENT when the raster would replace one it is made from
 */
export function checkOutPath(out: string, source: RasterSource = []): void {
  const ending = extname(out);
  if (!/^\.tiff?$/i.test(ending)) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `\`out\` is ${out}; rasters are written as GeoTIFF, to a path that ends in .tif or .tiff.`,
      {
        hint: `Use ${ending === "" ? out : out.slice(0, -ending.length)}.tif, and convert it afterwards if you need another format.`,
      },
    );
  }
  const path = resolve(out);
  if (namesOf(source).some((name) => resolve(name) === path)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`out\` is ${out}, the raster that is to be read; the result would replace it.`, {
      hint: "Give another path.",
    });
  }
}

function namesOf(source: RasterSource): string[] {
  if (typeof source === "string") return [source];
  return Array.isArray(source) ? source.flatMap((one: RasterSource) => namesOf(one)) : [];
}
