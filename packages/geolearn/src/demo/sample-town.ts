/** The generated town as files, for the demo, the notebook and first steps without data of one's own. */

import { join } from "node:path";
import { type Bounds, createRaster, gridBounds, makeFolder, windowTransform, writeFeatures } from "@geolearn/core";
import { type Town, type TownOptions, makeTown } from "./town.ts";

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

/** A sample town at two dates. */
export interface TownOfTwoDates extends SampleTown {
  /** Path of earlier imagery of the same place, on the same grid, in other light and without a third of the buildings. */
  readonly earlier: string;
  /** Path of the outlines of the buildings that the earlier imagery does not show, GeoPackage, fields as in `labels`. */
  readonly newBuildings: string;
}

/**
 * Writes a made-up town into a folder, the same bytes for the same seed.
 *
 * @example
 * const town = await writeSampleTown("town");
 * await exportTrainingData({ raster: town.raster, labels: town.labels, extent: town.trainExtent, out: "chips", chipSize: 128, stride: 64 });
 */
export async function writeSampleTown(folder: string, options: TownOptions = {}): Promise<SampleTown> {
  return writeTown(folder, makeTown(options));
}

/**
 * Writes the town of {@link writeSampleTown} and what it was before a third of its buildings stood there, to learn change from.
 *
 * @example
 * const { earlier, raster, newBuildings } = await writeTownOfTwoDates("town");
 * await exportTrainingData({ raster: earlier, additionalRaster: raster, labels: newBuildings, out: "pairs", chipSize: 128, allTiles: true });
 */
export async function writeTownOfTwoDates(folder: string, options: TownOptions = {}): Promise<TownOfTwoDates> {
  const town = makeTown(options);
  const later = await writeTown(folder, town);
  const [earlier, newBuildings] = [join(folder, "town-earlier.tif"), join(folder, "new-buildings.gpkg")];
  await writeImagery(earlier, town, town.earlier.pixels);
  await writeFeatures(town.earlier.missing, newBuildings, { crs: town.crs });
  return { ...later, earlier, newBuildings };
}

async function writeTown(folder: string, town: Town): Promise<SampleTown> {
  await makeFolder(folder);
  const raster = join(folder, "town.tif");
  const labels = join(folder, "buildings.gpkg");
  await writeImagery(raster, town, town.pixels);
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

async function writeImagery(path: string, { width, height, transform, crs }: Town, pixels: Uint8Array): Promise<void> {
  const writer = await createRaster(path, {
    ...{ width, height, bands: 3, sampleType: "uint8", transform, crs },
    bandNames: ["red", "green", "blue"],
  });
  try {
    await writer.appendRows(pixels, height);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
