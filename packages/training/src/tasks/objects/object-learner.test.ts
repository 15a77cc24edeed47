import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import type { LearnerOptions } from "../../learner/options.ts";
import { expectExactResume } from "../../testing/exact-resume.ts";
import { hashWeights } from "../../testing/hash-weights.ts";
import { squareData } from "../../testing/memory-objects.ts";

const SMALL: LearnerOptions = { threads: 1, fpnWidth: 32, headDepth: 1, anchors: { sizes: [16, 32, 64, 128, 256] } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "object-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a RetinaNet", () => {
  test("learns to find squares on chips it never saw, is saved, and comes back the same", async () => {
    const data = squareData({ train: 48 });
    const learner = await createLearner(data, SMALL);
    expect(learner.network.modelType).toBe("retinanet");
    const before = await learner.averagePrecisionScore();
    const { epochs } = await learner.fit({ epochs: 14, lr: 1e-3, monitor: "AP50" });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss / 3);
    expect(Object.keys(epochs[0]!.metrics)).toEqual(["AP", "AP50", "AP75", "AR100", "AP50 bright", "AP50 dark"]);
    expect(before ?? 0).toBeLessThan(0.2);
    expect(await learner.averagePrecisionScore()).toBeGreaterThan(0.8);
    expect(Object.keys(await learner.averagePrecisionScore({ mean: false }))).toEqual(["bright", "dark"]);

    const path = join(folder, "squares.dlpk");
    await learner.save(path);
    const { manifest } = await readModelPackage(path);
    expect(manifest).toMatchObject({ task: "objectDetection", modelType: "retinanet" });
    expect(manifest.metrics["AP50"]).toBe(await learner.averagePrecisionScore());
    const again = await createLearner(data, { ...SMALL, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect(again.frozen).toBe(true);
    expect((await again.evaluate()).AP).toBe((await learner.evaluate()).AP);

    for (const modelType of ["faster-rcnn", "fcos"]) {
      await expect(createLearner(data, { threads: 1, modelType, pretrained: path })).rejects.toMatchObject({
        code: "WEIGHTS_MISMATCH",
        message: `${path} holds a network of type retinanet; ${modelType} was asked for.`,
      });
    }

    const figure = await learner.showResults(join(folder, "results.svg"));
    expect(figure.svg).toContain("truth");
    await learner.report(join(folder, "report.html"));
    expect(await readFile(join(folder, "report.html"), "utf8")).toContain("Confusion matrix");
    await again.dispose();
    await learner.dispose();
  }, 300_000);

  test("stopped and resumed it ends with the same weights to the bit", async () => {
    await expectExactResume(() => createLearner(squareData({ train: 12, valid: 4, seed: 3 }), SMALL), folder);
  }, 300_000);

  test("12 bands, chips without objects, settings that are not for it", async () => {
    const learner = await createLearner(squareData({ bands: 12, train: 4, valid: 12, seed: 5 }), SMALL);
    const wrong = { iou: "box" } as never;
    for (const refused of [learner.averagePrecisionScore(wrong), learner.perClassMetrics(wrong)]) {
      await expect(refused).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining('(): `iou` is "box"; expected "boxes" or "masks".') as string,
      });
    }
    // Of the validation chips those with objects come first, each with a box of its truth on the left.
    const { svg } = await learner.showResults(undefined, { rows: 12 });
    const rows = [...svg!.matchAll(/<svg x="8".*?<\/svg>/g)].map(([panel]) => panel.includes("<rect"));
    let objects = 0;
    for await (const { counts } of learner.data.valid.read()) objects += counts.filter((count) => count > 0).length;
    expect([objects > 0 && objects < 12, rows]).toEqual([true, rows.map((_, row) => row < objects)]);
    expect(rows).toHaveLength(12);
    const misspelt = { iuo: "boxes" } as never;
    const works = [learner.averagePrecisionScore(misspelt), learner.perClassMetrics(misspelt)];
    works.push(learner.plotPrecisionRecall(undefined, misspelt) as never, learner.plotConfusionMatrix(undefined, misspelt) as never);
    for (const refused of works)
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", hint: "Did you mean `iou`?", data: { field: "iuo" } });
    await expect(learner.plotPrecisionRecall("curve.pdf")).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    const { epochs } = await learner.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(epochs[0]!.trainLoss) && Number.isFinite(epochs[0]!.validLoss)).toBe(true);
    await learner.dispose();
    await expect(createLearner(squareData(), { ...SMALL, loss: "dice" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(createLearner(squareData(), { ...SMALL, modelType: "unet" })).rejects.toMatchObject({ code: "TASK_MISMATCH" });
  });
});
