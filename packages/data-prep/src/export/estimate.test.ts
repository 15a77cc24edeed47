import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { Scratch } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("estimate", () => {
  it("tells chips and bytes without writing", async () => {
    const out = scratch.path("estimated");
    const options = { raster: await scene(scratch.path("est.tif")), labels: houses, out, chipSize: 16, stride: 8, allTiles: true };
    const estimate = await exportTrainingData({ ...options, estimate: true });
    expect(existsSync(out)).toBe(false);
    const result = await exportTrainingData({ ...options, workers: 0 });
    expect(estimate.chips).toBe(result.chips);
    const bytes = readdirSync(join(out, "images"), { withFileTypes: true })
      .filter(({ name }) => name.endsWith(".tif"))
      .reduce((sum, { name, parentPath }) => sum + readFileSync(join(parentPath, name)).length, 0);
    expect(estimate.bytes / bytes).toBeGreaterThan(0.7);
    expect(estimate.bytes / bytes).toBeLessThan(1.8);
  });

  it("is a bound when the measured rows hold few labels", async () => {
    const raster = await scene(scratch.path("sparse.tif"));
    const options = { raster, labels: houses, out: scratch.path("bound"), chipSize: 8, stride: 8 };
    const { chips } = await exportTrainingData({ ...options, estimate: true });
    const result = await exportTrainingData({ ...options, workers: 0 });
    expect(result.skipped.unlabelled).toBeGreaterThan(0);
    expect(chips).toBeGreaterThanOrEqual(result.chips);
    expect(chips).toBeLessThan(result.chips + result.skipped.unlabelled + result.skipped.ignored);
  });

  it("says so when the folder cannot be made", async () => {
    const raster = await scene(scratch.path("in-the-way.tif"));
    await expect(exportTrainingData({ raster, labels: houses, out: join(raster, "chips"), chipSize: 16 })).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
  });
});
