/** The generated town as files, for the demo, the notebook and first steps without data of one's own. */

import { join } from "node:path";
import { type Bounds, createRaster, gridBounds, makeFolder, windowTransform, writeFeatures } from "@geolearn/core";
import { type TownOptions, makeTown } from "./town.ts";

/** Where the files of a sample town lie and how it is divided. */
export interface SampleTown {
  /** Path of the imagery: 3 bands uint8, 0.5 m, EPSG:32633, Cloud-Optimized GeoTIFF. */
  readonly raster: string;
  /** Path of the building outlines, GeoPackage in the raster's CRS, fields `class` = 1 and `roof`: tile, concrete, slate, gravel or turf. */
  readonly labels: string;
  /** World bounds of the western three quarters, to train on. */
  readonly trainExtent: Bounds;
  /** World bounds of the eastern quarter, to test on. */
  readonly testExtent: Bounds;
  /** First column of the eastern quarter. */
  readonly testColumn: number;
}

/**
 * Writes a made-up town into a folder, the same bytes for the same seed.
 *
 * @example
 * const town = await writeSampleTown("town");
 * await exportTrainingData({ raster: town.raster, labels: town.labels, extent: town.trainExtent, out: "chips", chipSize: 128, stride: 64 });
 */
export async function writeSampleTown(folder: string, options: TownOptions = {}): Promise<SampleTown> {
  const town = makeTown(options);
  await makeFolder(folder);
  const raster = join(folder, "town.tif");
  const labels = join(folder, "buildings.gpkg");
  const writer = await createRaster(raster, {
    width: town.width,
    height: town.height,
    bands: 3,
    sampleType: "uint8",
    transform: town.transform,
    crs: town.crs,
    bandNames: ["red", "green", "blue"],
  });
  try {
    await writer.appendRows(town.pixels, town.height);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await writeFeatures(town.buildings, labels, { crs: town.crs });
  const testColumn = Math.round(town.width * 0.75);
  return {
    raster,
    labels,
    trainExtent: gridBounds(town.transform, testColumn, town.height),
    testExtent: gridBounds(windowTransform(town.transform, testColumn, 0), town.width - testColumn, town.height),
    testColumn,
  };
}
