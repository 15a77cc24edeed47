import { join } from "node:path";

import { openRaster } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { labelsOf, Scratch, square } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { readPixels, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("turned copies", () => {
  it("turn image and labels together", async () => {
    const out = scratch.path("turned");
    const result = await exportTrainingData({
      raster: await scene(scratch.path("turned.tif")),
      labels: labelsOf([square(40, 30, 16, 16)]),
      out,
      chipSize: 32,
      stride: 96,
      extent: [500_032, 4_999_946, 500_064, 4_999_978],
      rotation: 90,
      workers: 0,
    });
    expect(result.chips).toBe(4);
    const chips = await Promise.all([0, 1, 2, 3].map((i) => readPixels(join(out, `labels/00000000${i}.tif`))));
    const at = (chip: number, col: number, row: number): number => chips[chip]!.data[row * 32 + col]!;
    for (let row = 0; row < 32; row++) {
      for (let col = 0; col < 32; col++) {
        expect(at(2, col, row)).toBe(at(0, 31 - col, 31 - row));
        expect([at(0, 31 - row, col), at(0, row, 31 - col)]).toContain(at(1, col, row));
      }
    }
    const raster = await openRaster(join(out, "images/000000001.tif"));
    expect(Math.abs(raster.transform![1])).toBeCloseTo(1, 9);
    await raster.close();
  });
});
