import { readFileSync } from "node:fs";

import { type Affine, type Features, parseCrs, writeFeatures } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { codeOf, Scratch, writeRaster } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { readPixels } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("across 180 degrees", () => {
  /** The four corners of a rectangle around a middle. */
  const rectangle = (x: number, y: number, width: number, height: number): number[][] => [
    [x - width / 2, y - height / 2],
    [x + width / 2, y - height / 2],
    [x + width / 2, y + height / 2],
    [x - width / 2, y + height / 2],
    [x - width / 2, y - height / 2],
  ];
  const layer = (name: string, crs: number, rings: number[][][]): Features => ({
    name,
    crs: parseCrs(crs),
    features: rings.map((ring) => ({ geometry: { type: "Polygon", coordinates: [ring] }, properties: {} })),
  });
  const blank = (name: string, crs: number, transform: Affine): Promise<string> =>
    writeRaster(
      scratch.path(name),
      { data: new Uint8Array(96 * 80).fill(9), bands: 1, width: 96, height: 80 },
      { sampleType: "uint8", crs: parseCrs(crs), transform },
    );
  const labelsIn = async (raster: string, labels: Features | string, out: string): Promise<number[]> => {
    await exportTrainingData({ raster, labels, out: scratch.path(out), chipSize: { width: 96, height: 80 }, workers: 0 });
    return (await readPixels(scratch.path(out, "labels/000000000.tif"))).data;
  };

  it("degrees that run on to 181 meet labels at -179, on both sides", async () => {
    const raster = await blank("fiji-degrees.tif", 4326, [0.01, 0, 179.52, 0, -0.01, -16.6]);
    const burnt = await labelsIn(
      raster,
      layer("cut.geojson", 4326, [rectangle(179.9, -17, 0.2, 0.2), rectangle(-179.9, -17, 0.2, 0.2)]),
      "fiji-cut",
    );
    const whole = await labelsIn(raster, layer("whole.geojson", 4326, [rectangle(180, -17, 0.4, 0.2)]), "fiji-whole");
    expect(burnt).toEqual(whole);
    expect(burnt.filter((value) => value === 1)).toHaveLength(40 * 20);
    const far = layer("far.geojson", 4326, [rectangle(-90, -17, 0.2, 0.2)]);
    expect(await codeOf(exportTrainingData({ raster, labels: far, out: scratch.path("fiji-far"), chipSize: 32 }))).toBe("LABELS_OUTSIDE");
  });

  it("metres of a zone at the edge meet labels in degrees that were cut there", async () => {
    // 180 degrees are at about x = 819 480 here
    const raster = await blank("fiji-metres.tif", 32760, [10, 0, 819_350, 0, -10, 8_120_000]);
    const metres = layer("metres.gpkg", 32760, [rectangle(819_482, 8_119_603, 204, 202)]);
    const path = scratch.path("degrees.geojson");
    await writeFeatures(metres, path);
    expect(readFileSync(path, "utf8")).toContain("MultiPolygon");
    const burnt = await labelsIn(raster, path, "fiji-metres-cut");
    expect(burnt).toEqual(await labelsIn(raster, metres, "fiji-metres-whole"));
    expect(burnt.filter((value) => value === 1).length).toBeGreaterThan(350);
    const east = layer("east.geojson", 4326, [rectangle(-179.9985, -16.985, 0.001, 0.001)]);
    expect((await labelsIn(raster, east, "fiji-metres-east")).filter((value) => value === 1).length).toBeGreaterThan(50);
  });
});
