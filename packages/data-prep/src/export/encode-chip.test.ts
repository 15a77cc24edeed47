import { join } from "node:path";

import { openRaster } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { GRID, Scratch } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("PNG and JPEG chips", () => {
  it("have world files and can be read again", async () => {
    const raster = await scene(scratch.path("png.tif"));
    for (const chipFormat of ["png", "jpeg"] as const) {
      const out = scratch.path(`pictures-${chipFormat}`);
      await exportTrainingData({ raster, labels: houses, out, chipSize: 32, chipFormat, workers: 0 });
      const extension = chipFormat === "png" ? "png" : "jpg";
      const image = await openRaster(join(out, `images/000000000.${extension}`));
      expect(image.transform).toEqual(GRID);
      const { data } = await image.read({ col: 0, row: 0, width: 32, height: 32 }, { bands: [0] });
      const worst = Math.max(...Array.from(data, (value, i) => Math.abs(value - (i % 32))));
      expect(worst).toBeLessThanOrEqual(chipFormat === "png" ? 0 : 32);
      await image.close();
    }
  });
});
