import { existsSync, readdirSync } from "node:fs";

import type { Features, Warning } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { codeOf, labelsOf, Scratch, square, writeRaster } from "../data-prep.testing.ts";
import { prepareData } from "../prepare-data.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("refusals", () => {
  it.each([
    ["LABELS_EMPTY", { labels: labelsOf([]) }],
    ["LABELS_OUTSIDE", { labels: labelsOf([square(5000, 5000, 10, 10)]) }],
    ["CRS_MISSING", { labels: { ...houses, crs: null } }],
    ["FIELD_MISSING", { classField: "kind" }],
    ["INVALID_ARGUMENT", { labels: labelsOf([square(0, 0, 9, 9, { v: 70_000 })]), classField: "v" }],
    ["INVALID_ARGUMENT", { labels: labelsOf([square(0, 0, 9, 9, { v: 1.5 })]), classField: "v" }],
    ["INVALID_ARGUMENT", { chipSize: 0 }],
    ["INVALID_ARGUMENT", { stride: -1 }],
    ["INVALID_ARGUMENT", { bufferRadius: -2 }],
    ["INVALID_ARGUMENT", { ignoreValue: 1 }],
    ["BANDS_MISMATCH", { bands: [0, 7] }],
    ["WINDOW_OUTSIDE", { extent: [0, 0, 10, 10] as const }],
    ["UNSUPPORTED_FORMAT", { chipFormat: "jpeg" as const, bands: [0, 1] }],
    ["LABELS_EMPTY", { labels: labelsOf([square(10.1, 10.1, 0.2, 0.2)]) }],
  ])("%s", async (code, options) => {
    const out = scratch.path(`refused-${Math.random()}`);
    expect(
      await codeOf(
        exportTrainingData({ raster: await scene(scratch.path("refused.tif")), labels: houses, out, chipSize: 16, workers: 0, ...options }),
      ),
    ).toBe(code);
  });

  it.each([
    ["nodata", 0, { nodata: 0 }],
    ["NaN", NaN, {}],
    ["infinity", -Infinity, {}],
  ])(
    "ALL_NODATA names the raster of which every pixel is %s, with and without a mask, and leaves nothing",
    async (name, value, profile) => {
      const [width, height] = [96, 80];
      const data = new Float32Array(2 * width * height).fill(value);
      const path = scratch.path(`nothing-${name}.tif`);
      const raster = await writeRaster(path, { data, bands: 2, width, height }, { sampleType: "float32", ...profile });
      const out = scratch.path(`nothing-${name}`);
      const mask = labelsOf([square(0, 0, 50, 50)], "mask");
      for (const options of [{}, { mask }, { allTiles: true }, { mask, allTiles: true, rotation: 90 }]) {
        const work = exportTrainingData({ raster, labels: houses, out, chipSize: 16, workers: 0, ...options });
        await expect(work).rejects.toMatchObject({ code: "ALL_NODATA", message: expect.stringContaining(path) as string });
        expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
      }
      const direct = { raster, labels: houses, chipSize: 16 };
      const prepare = { task: "pixelClassification", workers: 0 } as const;
      for (const source of [direct, { ...direct, samples: 4 }, { ...direct, mask, allTiles: true }]) {
        expect(await codeOf(prepareData(source, prepare))).toBe("ALL_NODATA");
      }
    },
  );

  it("LABELS_EMPTY, not ALL_NODATA, where there is imagery but the mask or the labels leave none of it", async () => {
    const raster = await scene(scratch.path("partly.tif"), 0);
    const options = { raster, labels: houses, chipSize: 16, stride: 16, workers: 0 };
    const far = labelsOf([square(200, 0, 5, 5)], "mask");
    expect(await codeOf(exportTrainingData({ ...options, mask: far, out: scratch.path("partly-mask") }))).toBe("LABELS_EMPTY");
    const tiny = labelsOf([square(10.1, 10.1, 0.2, 0.2)]);
    expect(await codeOf(exportTrainingData({ ...options, labels: tiny, out: scratch.path("partly-labels") }))).toBe("LABELS_EMPTY");
  });

  it("LABELS_OUTSIDE tells both extents", async () => {
    const labels = labelsOf([square(5000, 5000, 10, 10)]);
    await expect(
      exportTrainingData({ raster: await scene(scratch.path("extents.tif")), labels, out: scratch.path("extents") }),
    ).rejects.toThrow(/505000.*4994990.*500000.*4999920/s);
  });

  it("warns once of fields that look like classes when none is named, in a folder and in memory", async () => {
    const raster = await scene(scratch.path("unnamed-classes.tif"));
    const kinds = [square(4, 4, 20, 12), square(40, 30, 25, 30), square(70, 4, 9, 9)].map((one, i) => ({ ...one, properties: { kind: i < 2 ? "oak" : "fir", id: i } })); // prettier-ignore
    const labels = labelsOf(kinds, "trees.geojson");
    const heard = async (options: {
      labels: Features;
      classField?: string;
      classes?: { value: number; name: string }[];
    }): Promise<Warning[]> => {
      const warnings: Warning[] = [];
      const onWarning = (warning: Warning): unknown => warnings.push(warning);
      const out = scratch.path(`unnamed-${Math.random()}`);
      await exportTrainingData({ raster, out, chipSize: 32, workers: 0, onWarning, ...options });
      const data = await prepareData({ raster, chipSize: 32, ...options }, { task: "pixelClassification", workers: 0, onWarning });
      await data.close();
      return warnings.filter(({ code }) => code === "CLASS_FIELD_MISSING");
    };
    const warning = { message: "trees.geojson has the field kind; all features become one class.", hint: expect.stringContaining('`classField: "kind"`') as string }; // prettier-ignore
    expect(await heard({ labels })).toMatchObject([warning, warning]);
    expect(await heard({ labels, classField: "kind" })).toEqual([]);
    expect(await heard({ labels, classes: [{ value: 1, name: "tree" }] })).toEqual([]);
    const usual = labelsOf(kinds.map((one) => ({ ...one, properties: { ...one.properties, value: 3 } })));
    expect(await heard({ labels: usual })).toEqual([]);
  });

  it("one raster with and one without a reference system", async () => {
    const bare = await writeRaster(
      scratch.path("bare.tif"),
      { data: new Uint8Array(96 * 80 * 3), bands: 3, width: 96, height: 80 },
      { sampleType: "uint8", crs: null },
    );
    const named = await scene(scratch.path("named.tif"));
    expect(await codeOf(exportTrainingData({ raster: [named, bare], labels: houses, out: scratch.path("mixed") }))).toBe("CRS_MISSING");
    expect(await codeOf(exportTrainingData({ raster: bare, labels: houses, out: scratch.path("none"), chipSize: 16 }))).toBe("CRS_MISSING");
    const given = await exportTrainingData({
      raster: bare,
      labels: houses,
      out: scratch.path("given"),
      chipSize: 16,
      crs: 32633,
      workers: 0,
    });
    expect(given.chips).toBeGreaterThan(0);
  });
});
