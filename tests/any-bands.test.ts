/** Every network takes rasters as they come: any number of bands of any kind of number, from the raster over chips to an epoch of training. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type ChipFolderFormat, exportTrainingData, prepareData } from "@geolearn/data-prep";
import { modelTask, modelTypes } from "@geolearn/models";
import { createLearner, type LearnerOptions } from "@geolearn/training";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const data = resolve(import.meta.dirname, "../../shared/data");
const scratch = mkdtempSync(join(tmpdir(), "geolearn-bands-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Each network, as small as it gets, and the layout of its chips. */
const NETWORKS: Readonly<Record<string, readonly [ChipFolderFormat | "pairs", LearnerOptions]>> = (() => {
  const backbone = "mobilenetv3-small";
  const finder: LearnerOptions = { backbone, fpnWidth: 16, headDepth: 1 };
  return {
    unet: ["classifiedTiles", { base: 4, depth: 2 }],
    deeplab: ["classifiedTiles", { backbone, decoderWidth: 16 }],
    pspnet: ["classifiedTiles", { backbone }],
    "change-detector": ["pairs", { backbone }],
    "feature-classifier": ["multiLabeledTiles", { backbone }],
    retinanet: ["pascalVoc", finder],
    fcos: ["pascalVoc", finder],
    ssd: ["pascalVoc", { backbone }],
    "faster-rcnn": ["pascalVoc", { backbone, fpnWidth: 16, boxHeadWidth: 32 }],
    "mask-rcnn": ["rcnnMasks", { backbone, fpnWidth: 16, boxHeadWidth: 32, maskHeadWidth: 16, maskHeadDepth: 1 }],
    centermask: ["rcnnMasks", { ...finder, maskHeadWidth: 16, maskHeadDepth: 1 }],
  };
})();

interface Imagery {
  readonly name: string;
  readonly folder: string;
  readonly bands: number;
  readonly sampleType: string;
  /** What is labelled. */
  readonly label: string;
  /** Rasters with their labels. */
  readonly parts: (folder: string) => readonly (readonly [raster: string, labels: string])[];
}

const imagery: readonly Imagery[] = [
  {
    ...{ name: "ships of Sentinel-2, 12 bands of int16", folder: "ships-sentinel2", bands: 12, sampleType: "int16", label: "ship" },
    parts: (folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(".tif"))
        .sort()
        .slice(0, 4)
        .map((name) => [join(folder, name), join(folder, name.replace(/\.tif$/, "_labels.geojson"))]),
  },
  {
    ...{
      name: "heights of Alexandria, one band of float32",
      folder: "dsm-dtm-alexandria",
      bands: 1,
      sampleType: "float32",
      label: "building",
    },
    parts: (folder) => [[join(folder, "dsm.tif"), join(folder, "buildings.geojson")]],
  },
];

for (const { name, folder } of imagery)
  if (!existsSync(join(data, folder))) process.stdout.write(`any bands: ${name} is skipped, there is no ../shared/data/${folder}\n`);

test("no network is left out", () => {
  expect(Object.keys(NETWORKS).sort()).toEqual([...modelTypes()].sort());
});

for (const { name, folder, bands, sampleType, label, parts } of imagery) {
  describe.skipIf(!existsSync(join(data, folder)))(name, () => {
    const chips = (layout: string): string => join(scratch, folder, layout);

    beforeAll(async () => {
      for (const layout of new Set(Object.values(NETWORKS).map(([own]) => own))) {
        for (const [i, [raster, labels]] of parts(join(data, folder)).entries()) {
          await exportTrainingData({
            ...{ raster, labels, classes: [{ value: 1, name: label }], out: chips(layout), chipSize: 64, stride: 64, allTiles: true },
            ...(layout === "pairs" ? { additionalRaster: raster } : { format: layout }),
            ...(i === 0 ? {} : { startIndex: "next" }),
          });
        }
      }
    }, 120_000);

    test.each(Object.entries(NETWORKS))("%s", { timeout: 120_000 }, async (modelType, [layout, options]) => {
      const prepared = await prepareData(chips(layout), {
        task: modelTask(modelType)!,
        batchSize: 2,
        split: "random",
        valSplit: 0.3,
        seed: 1,
      });
      const dates = layout === "pairs" ? 2 : 1;
      expect(prepared).toMatchObject({ bands: dates * bands, sampleType });
      const learner = await createLearner(prepared, { ...options, modelType, threads: 1, seed: 1 });
      try {
        const { epochs } = await learner.fit({ epochs: 1, lr: 1e-4 });
        expect(epochs.map(({ trainLoss, validLoss }) => [Number.isFinite(trainLoss), Number.isFinite(validLoss)])).toEqual([[true, true]]);
      } finally {
        await learner.dispose();
        await prepared.close();
      }
    });
  });
}
