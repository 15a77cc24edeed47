import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createRng, parseCrs, readFeatures, reprojectFeatures } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { collectWarnings, labelsOf, Scratch, sharedData, square, withData, writeRaster } from "../data-prep.testing.ts";
import { exportTrainingData } from "../export/export-training-data.ts";
import { prepareData } from "../prepare-data.ts";
import { checkTrainingData } from "./check-training-data.ts";
import { describeChips } from "./describe-chips.ts";
import { type ShiftEstimate, ShiftEstimator } from "./label-shift.ts";
import { judgeShift, shiftText } from "./shift-verdict.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Bright squares on a dark, noisy ground. */
async function scene(name: string): Promise<string> {
  const [width, height] = [256, 256];
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const bright = houses.some(
      ([x, y, w, h]) => i % width >= x && i % width < x + w && Math.floor(i / width) >= y && Math.floor(i / width) < y + h,
    );
    data[i] = (bright ? 170 : 60) + ((i * 2654435761) >>> 28);
  }
  return writeRaster(scratch.path(name), { data, bands: 1, width, height }, { sampleType: "uint8" });
}

const houses = [
  [20, 30, 40, 25],
  [120, 20, 30, 60],
  [180, 120, 50, 40],
  [40, 140, 60, 70],
  [150, 190, 20, 30],
] as const;

describe("raster and labels", () => {
  it("are told how they meet", async () => {
    const labels = labelsOf([square(0, 0, 128, 256), square(-40, -40, 10, 10), square(-500, 0, 20, 20)]);
    const { overlap, findings } = await checkTrainingData({ raster: await scene("meet.tif"), labels, chipSize: 128 });
    // the boxes of the labels reach from -500 to 128 across and from -40 to 256 down
    expect(overlap).toEqual({ features: 3, inside: 1, labelledShare: 0.5 });
    expect(findings.find(({ code }) => code === "LABELS_BEYOND")?.message).toBe(
      "2 of 3 label features lie beyond the part of the raster that is looked at.",
    );
    const whole = await checkTrainingData({ raster: await scene("meet.tif"), labels: labelsOf([square(10, 10, 20, 20)]), chipSize: 128 });
    expect(whole.overlap).toEqual({ features: 1, inside: 1, labelledShare: expect.closeTo(400 / 256 ** 2, 9) as number });
    expect(whole.findings.some(({ code }) => code === "LABELS_BEYOND")).toBe(false);
    await expect(checkTrainingData({ raster: await scene("meet.tif"), labels: labelsOf([square(5000, 0, 9, 9)]) })).rejects.toMatchObject({
      code: "LABELS_OUTSIDE",
    });
  });

  it("of a chip folder are not", async () => {
    const chips = scratch.path("no-overlap");
    await exportTrainingData({
      raster: await scene("no-overlap.tif"),
      labels: labelsOf([square(10, 10, 50, 50)]),
      out: chips,
      chipSize: 64,
    });
    expect((await checkTrainingData({ chips })).overlap).toBeNull();
  });
});

describe("label shift", () => {
  it.each([
    [0, 0],
    [3, -2],
    [-7, 5],
  ])("of %i, %i pixels is found", async (dx, dy) => {
    const labels = labelsOf(houses.map(([x, y, w, h]) => square(x + dx, y + dy, w, h)));
    const { labelShift, findings, good } = await checkTrainingData({ raster: await scene(`shift${dx}.tif`), labels, chipSize: 128 });
    expect(labelShift!.dx).toBeCloseTo(-dx, 0);
    expect(labelShift!.dy).toBeCloseTo(-dy, 0);
    expect(labelShift!.metres).toBeCloseTo(Math.hypot(labelShift!.dx, labelShift!.dy) * 1.0004, 2);
    expect(labelShift!.east).toBeCloseTo(dx, 0);
    expect(labelShift!.north).toBeCloseTo(-dy, 0);
    expect(labelShift!.verdict).toBe(dx === 0 ? "fits" : "shifted");
    expect(findings.some(({ code }) => code === "LABEL_SHIFT")).toBe(dx !== 0);
    expect(good).toBe(dx === 0);
  });

  it("says nothing of flat images and of labels without edges", () => {
    const flat = new ShiftEstimator();
    flat.add(
      new Uint8Array(64 * 64),
      Uint16Array.from({ length: 4096 }, (_, i) => (i % 64 < 32 ? 1 : 0)),
      null,
      64,
      64,
    );
    expect(flat.estimate()).toBeNull();
    const even = new ShiftEstimator();
    even.add(Float32Array.from({ length: 4096 }, Math.sin), new Uint16Array(4096), null, 64, 64);
    expect(even.estimate()).toBeNull();
  });

  it("has no confidence where labels have nothing to do with the image", () => {
    const estimator = new ShiftEstimator();
    const rng = createRng(1);
    const image = Uint8Array.from({ length: 128 * 128 }, () => rng.int(256));
    const labels = Uint16Array.from({ length: 128 * 128 }, () => rng.int(2));
    estimator.add(image, labels, null, 128, 128);
    const estimate = estimator.estimate()!;
    expect(estimate.correlation).toBeLessThan(0.05);
    expect(judgeShift(estimate, { transform: null, crs: null, width: 128, height: 128 }).verdict).toBe("unclear");
  });

  it.skipIf(!withData)(
    "is found on real imagery",
    async () => {
      const folder = join(sharedData, "buildings-banepa");
      const raster = join(folder, "image.tif");
      const placed = reprojectFeatures(await readFeatures(join(folder, "buildings.geojson")), parseCrs(3857));
      const [east, south] = [4 * 0.14929, 5 * 0.14929];
      const move = (value: unknown): unknown =>
        Array.isArray(value) && typeof value[0] === "number"
          ? [value[0] + east, (value[1] as number) - south]
          : Array.isArray(value)
            ? value.map(move)
            : value;
      const moved = {
        ...placed,
        features: placed.features.map((feature) => ({
          ...feature,
          geometry: { ...feature.geometry, coordinates: move((feature.geometry as { coordinates: unknown }).coordinates) },
        })),
      } as typeof placed;
      const extent = [9519926, 3202700, 9520231, 3202940] as const;
      const straight = await checkTrainingData({ raster, labels: placed, chipSize: 512, extent });
      const shifted = await checkTrainingData({ raster, labels: moved, chipSize: 512, extent });
      // The extent leaves out a part of the image and so of the labels.
      expect(straight.findings.map(({ code }) => code)).toEqual(["LABELS_BEYOND"]);
      expect(shifted.labelShift!.dx - straight.labelShift!.dx).toBeCloseTo(-4, 0);
      expect(shifted.labelShift!.dy - straight.labelShift!.dy).toBeCloseTo(-5, 0);
      expect(shifted.findings.map(({ code }) => code)).toContain("LABEL_SHIFT");
    },
    120_000,
  );
});

describe("the verdict on a shift", () => {
  const estimate: ShiftEstimate = { dx: 0, dy: 0, correlation: 0.5, correlationAsIs: 0.3, confidence: 9, atLimit: false };
  const metres = { transform: [2, 0, 500_000, 0, -2, 5_000_000] as const, crs: parseCrs(32633), width: 64, height: 64 };
  const nowhere = { ...metres, crs: null };

  it.each([
    [{ dx: 0.04, dy: -0.3 }, metres, "labels fit: best at shift 0,-0.3"],
    [{ dx: -1.6, dy: 0.02 }, metres, "labels seem shifted by 3.2 m east (confidence 9.0)"],
    [{ dx: 0.1, dy: -4 }, metres, "labels seem shifted by 8 m south (confidence 9.0)"],
    [{ dx: 2, dy: 2 }, metres, "labels seem shifted by 4 m west and 4 m north (confidence 9.0)"],
    [{ dx: 2, dy: -3 }, nowhere, "labels seem shifted by 2 pixels left and 3 pixels down (confidence 9.0)"],
    [{ dx: 2, dy: -3, correlationAsIs: 0.48 }, metres, "labels fit: best at shift 2,-3"],
    [{ dx: 10, dy: 0, atLimit: true }, metres, "whether the labels fit cannot be told: no place stands out"],
    [{ dx: 5, dy: 0, confidence: 2 }, metres, "whether the labels fit cannot be told: no place stands out"],
  ])("%j", (change, chip, text) => {
    expect(shiftText(judgeShift({ ...estimate, ...change }, chip))).toBe(text);
  });

  it("without an estimate", () => {
    expect(shiftText(null)).toMatch(/cannot be told/);
  });
});

describe("a chip folder", () => {
  it("is checked for duplicates, leaks, undeclared classes and unlabelled chips", async () => {
    const out = scratch.path("chips");
    const raster = await scene("chips.tif");
    await exportTrainingData({
      raster,
      labels: labelsOf(houses.map(([x, y, w, h]) => square(x, y, w, h))),
      out,
      chipSize: 32,
      stride: 16,
      allTiles: true,
      workers: 0,
    });
    const clean = await checkTrainingData({ chips: out });
    expect(clean).toMatchObject({ duplicates: [], leakage: null, ignoredShare: 0 });
    expect(clean.unlabelledChips).toBeGreaterThan(0);
    expect(clean.findings.map(({ code }) => code)).toEqual(["UNLABELLED"]);

    const data = await prepareData(out, { task: "pixelClassification", split: "random", workers: 0 });
    await data.close();
    cpSync(join(out, "images/000000007.tif"), join(out, "images/000000050.tif"));
    const label = new Uint8Array(32 * 32).fill(9);
    await writeRaster(join(out, "labels/000000001.tif"), { data: label, bands: 1, width: 32, height: 32 }, { sampleType: "uint8" });
    const spoilt = await checkTrainingData({ chips: out });
    expect(spoilt.duplicates).toEqual([["000000007", "000000050"]]);
    expect(spoilt.leakage!.share).toBeGreaterThan(0.5);
    expect(spoilt.findings.map(({ code }) => code)).toEqual(expect.arrayContaining(["DUPLICATES", "LEAKAGE", "UNDECLARED_CLASS"]));
    expect((await describeChips(out)).undeclared).toEqual([9]);
  });

  it.each([
    ["pascalVoc", "hold no object"],
    ["multiLabeledTiles", "hold no class"],
    ["classifiedTiles", "hold background alone"],
  ] as const)("of %s is not praised where most chips are empty", async (format, bare) => {
    const out = scratch.path(`empty-${format}`);
    const raster = await scene(`empty-${format}.tif`);
    const options = { raster, out, format, chipSize: 32, stride: 32, allTiles: true, workers: 0 };
    await exportTrainingData({ ...options, labels: labelsOf([square(2, 2, 20, 12), square(40, 40, 10, 10)]) });
    const { chips, unlabelledChips, findings, good } = await checkTrainingData({ chips: out });
    expect([chips, unlabelledChips, good]).toEqual([64, 62, false]);
    expect(findings).toContainEqual({
      code: "UNLABELLED",
      severity: "warning",
      message: `62 of 64 chips ${bare}: not labelled, or nothing there?`,
    });
  });

  it("of images and label files of their names is told of images without one, by check and before training", async () => {
    const out = scratch.path("unpaired");
    const labels = labelsOf([square(2, 2, 20, 12), square(40, 40, 10, 10), square(100, 40, 10, 10), square(2, 200, 10, 10)]);
    const options = { raster: await scene("unpaired.tif"), labels, out, format: "kitti", chipSize: 32, stride: 32 } as const;
    await exportTrainingData({ ...options, allTiles: true, workers: 0 });
    const files = readdirSync(join(out, "labels")).map((name) => join(out, "labels", name));
    const empty = files.filter((path) => readFileSync(path, "utf8").trim() === "");
    expect([files.length, empty.length]).toEqual([64, 60]);
    for (const name of readdirSync(out)) if (!["images", "labels"].includes(name)) rmSync(join(out, name));

    // four chips with objects, one without, 59 images that nothing says anything of
    for (const path of empty.slice(1)) rmSync(path);
    const most = await checkTrainingData({ chips: out });
    expect(most).toMatchObject({ chips: 5, unlabelledChips: 1, unpairedImages: 59, good: false });
    expect(most.findings.filter(({ severity }) => severity === "warning")).toEqual([
      { code: "UNLABELLED", severity: "warning", message: "1 of 5 chips hold no object: not labelled, or nothing there?" },
      {
        code: "IMAGES_WITHOUT_LABEL",
        severity: "warning",
        message: "59 of 64 images have no label file of their name and take no part in training.",
      },
    ]);
    const { warnings, onWarning } = collectWarnings();
    await (await prepareData(out, { task: "objectDetection", workers: 0, onWarning })).close();
    expect(warnings).toContainEqual({
      code: "IMAGES_WITHOUT_LABEL",
      message: `${out}: 59 of 64 images have no label file of their name and are left out.`,
      hint: "Label them; an image that shows no object takes part with a label file that names none.",
    });

    // few such images are noted
    const images = readdirSync(join(out, "images")).filter((name) => /\.(tif|tfw)$/.test(name));
    const kept = new Set(readdirSync(join(out, "labels")).map((name) => name.slice(0, 9)));
    kept.add(images.map((name) => name.slice(0, 9)).find((stem) => !kept.has(stem))!);
    for (const name of images) if (!kept.has(name.slice(0, 9))) rmSync(join(out, "images", name));
    const few = await checkTrainingData({ chips: out });
    expect([few.chips, few.unpairedImages]).toEqual([5, 1]);
    expect(few.findings.find(({ code }) => code === "IMAGES_WITHOUT_LABEL")?.severity).toBe("note");
  });

  it("is described from the chips themselves", async () => {
    const out = scratch.path("described");
    const result = await exportTrainingData({
      raster: await scene("described.tif"),
      labels: labelsOf(houses.map(([x, y, w, h]) => square(x, y, w, h))),
      mask: labelsOf([square(0, 0, 200, 256)]),
      out,
      chipSize: 64,
      workers: 0,
    });
    writeFileSync(join(out, "stats.txt"), "images = 1 *1*1*1\n");
    const description = await describeChips(out);
    expect(description).toMatchObject({
      format: "Classified_Tiles",
      chips: result.chips,
      width: 64,
      height: 64,
      sampleType: "uint8",
      crs: ["EPSG:32633"],
      extents: [{ crs: "EPSG:32633", bounds: [500_000, 4_999_744, 500_256, 5_000_000] }],
    });
    const building = description.classes.find(({ value }) => value === 1)!;
    expect([building.pixels, building.chips]).toEqual([result.classes[0]!.pixels, result.classes[0]!.chips]);
    expect(description.ignoredPixels).toBeGreaterThan(0);
    expect(description.classes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it("that is none is refused", async () => {
    mkdirSync(scratch.path("nothing"));
    await expect(describeChips(scratch.path("nothing"))).rejects.toMatchObject({ code: "CHIPS_CORRUPT" });
    await expect(checkTrainingData({ chips: scratch.path("nowhere") })).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});
