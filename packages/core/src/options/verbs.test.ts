import { existsSync } from "node:fs";
import { expect, test } from "vitest";

import { openFeatures, readFeatures } from "../features/open.ts";
import { writeFeatures } from "../features/write.ts";
import { openRaster } from "../raster/open-raster.ts";

// As somebody writes it whose program is run without a look at its types.
const given = (options: object): never => options as never;

test.each<[string, () => Promise<unknown>, string]>([
  ["openRaster, netwrok", () => openRaster("none.tif", given({ netwrok: true })), "openRaster() has no option `netwrok`."],
  [
    "openRaster, network",
    () => openRaster("none.tif", given({ network: "any" })),
    'openRaster(): `network` is "any"; expected true, false or a policy.',
  ],
  ["openFeatures, bbox", () => openFeatures("none.gpkg", given({ bbox: [0, 0, 1, 1] })), "openFeatures() has no option `bbox`."],
  [
    "readFeatures, format",
    () => readFeatures("none.gpkg", given({ format: "GPKG" })),
    'openFeatures(): `format` is "GPKG"; expected "geojson", ',
  ],
  [
    "writeFeatures, overwite",
    () => writeFeatures([], "none.gpkg", given({ overwite: false })),
    "writeFeatures() has no option `overwite`.",
  ],
  [
    "writeFeatures, decimals",
    () => writeFeatures([], "none.geojson", { crs: 4326, decimals: -1 }),
    "writeFeatures(): `decimals` is -1; expected a whole number from 0 to 17.",
  ],
  ["openRaster()", () => openRaster(undefined as never), "There is no raster: got undefined; expected a path"],
  ["openFeatures()", () => openFeatures(undefined as never), "There are no features: got undefined; expected a path"],
  ["readFeatures of an empty path", () => readFeatures(""), 'There are no features: got ""'],
])("%s is refused before anything is opened or written", async (_, work, message) => {
  await expect(work()).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) as string });
  expect(existsSync("none.gpkg") || existsSync("none.geojson")).toBe(false);
});
