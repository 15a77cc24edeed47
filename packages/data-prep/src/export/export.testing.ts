/** What the tests of exports share: a scene whose samples tell their place, houses on it, and files read back. */

import { type Features, openRaster } from "@geolearn/core";

import { labelsOf, square, writeRaster } from "../data-prep.testing.ts";

/** Writes 96 x 80 pixels, three bands that tell their position. */
export function scene(path: string, nodata: number | null = null): Promise<string> {
  const [width, height] = [96, 80];
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    data[i] = i % width;
    data[width * height + i] = Math.floor(i / width);
    data[2 * width * height + i] = (i * 7) % 251;
  }
  return writeRaster(path, { data, bands: 3, width, height }, { sampleType: "uint8", nodata });
}

/** Three houses on the scene, of which two overlap. */
export const houses: Features = labelsOf([square(4, 4, 20, 12), square(40, 30, 25, 30), square(45.5, 35.5, 40, 10)]);

/** The samples of a raster. */
export async function readPixels(path: string): Promise<{ data: number[]; nodata: number | null; sampleType: string }> {
  const raster = await openRaster(path);
  const { data } = await raster.read();
  await raster.close();
  return { data: Array.from(data), nodata: raster.nodata, sampleType: raster.sampleType };
}
