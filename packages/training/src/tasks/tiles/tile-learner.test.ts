import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import type { LearnerOptions } from "../../learner/options.ts";
import { expectExactResume } from "../../testing/exact-resume.ts";
import { hashWeights } from "../../testing/hash-weights.ts";
import { stripeData } from "../../testing/memory-tiles.ts";

/** The smallest encoder; group norm, since batch statistics of so few steps have not settled. */
const SMALL: LearnerOptions = { threads: 1, backbone: "mobilenetv3-small", norm: "group" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tile-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a FeatureClassifier", () => {
  test("learns which stripe is bright on chips it never saw, is saved, and comes back the same", async () => {
    const data = stripeData({ width: 48 });
    const learner = await createLearner(data, SMALL);
    expect(learner.network.modelType).toBe("feature-classifier");
    expect(learner.frozen).toBe(false);
    const { epochs, best } = await learner.fit({ epochs: 12, lr: 2e-3, monitor: "accuracy" });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss / 3);
    expect(Object.keys(epochs[0]!.metrics)).toEqual(["accuracy", "kappa", "meanF1", "f1 stripe 1", "f1 stripe 2", "f1 stripe 3"]);
    expect(epochs[best! - 1]!.metrics["accuracy"]).toBe(Math.max(...epochs.map(({ metrics }) => metrics["accuracy"]!)));
    expect(await learner.accuracy()).toBeGreaterThan(0.9);
    expect((await learner.perClassMetrics()).map(({ truthChips }) => truthChips)).toEqual([6, 5, 5]);

    const path = join(folder, "stripes.dlpk");
    await learner.save(path);
    const { manifest } = await readModelPackage(path);
    expect(manifest).toMatchObject({
      task: "objectClassification",
      modelType: "feature-classifier",
      backbone: "mobilenetv3-small",
      crop: { mode: "fixedSize", blacken: false },
      config: { multiLabel: false, thresholds: null },
    });
    expect(manifest.metrics["accuracy"]).toBe(await learner.accuracy());
    const again = await createLearner(data, { ...SMALL, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect(again.frozen).toBe(true);
    expect(await again.evaluate()).toEqual(await learner.evaluate());

    const batch = (await data.valid.read()[Symbol.asyncIterator]().next()).value!;
    const predicted = await learner.predict(batch.images.slice(0, 3 * 48 * 32 * 3));
    expect(predicted.map(({ values }) => values)).toEqual([[1], [2], [3]]);
    expect(predicted[0]!.classes).toEqual(["stripe 1"]);
    for (const { scores } of predicted) expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);

    expect((await learner.showResults(join(folder, "results.svg"))).svg).toContain("stripe 2");
    expect((await learner.plotConfusionMatrix(join(folder, "confusion.svg"))).svg).toContain("stripe 3");
    await learner.report(join(folder, "report.html"));
    const report = await readFile(join(folder, "report.html"), "utf8");
    expect(report).toContain("Confusion matrix");
    expect(report).toContain("training chips by class");

    // other classes and bands: only first and last layer begin anew
    const lines: string[] = [];
    const other = await createLearner(stripeData({ bands: 12, classes: 7, scale: 16, train: 8, valid: 8 }), {
      ...SMALL,
      pretrained: path,
      log: (line) => lines.push(line),
    });
    expect(lines.join(" ")).toContain("these begin anew: encoder.features.0.0.weight, head.weight, head.bias");
    const { epochs: more } = await other.unfreeze().fit({ epochs: 1, lr: 1e-3 });
    expect(Object.keys(more[0]!.metrics).slice(0, 3)).toEqual(["accuracy", "top5Accuracy", "kappa"]);
    expect(Number.isFinite(more[0]!.trainLoss)).toBe(true);
    await other.dispose();
    await again.dispose();
    await learner.dispose();
  }, 300_000);

  test("learns several classes a chip", async () => {
    const data = stripeData({ multiLabel: true, valid: 17, train: 48 });
    const learner = await createLearner(data, { ...SMALL, thresholds: [0.5, 0.4, 0.5] });
    const { epochs } = await learner.fit({ epochs: 12, lr: 2e-3, monitor: "meanAp" });
    expect(Object.keys(epochs[0]!.metrics).slice(0, 4)).toEqual(["exactMatch", "meanF1", "meanAp", "f1 stripe 1"]);
    const { exactMatch, meanAp, chips, loss } = await learner.evaluate();
    expect(meanAp).toBeGreaterThan(0.9);
    expect(await learner.accuracy()).toBe(exactMatch);
    expect(chips).toBe(17);
    // padding has no say: the loss of 17 chips in batches of 8 is that of the same chips in batches of another size
    const path = join(folder, "several.dlpk");
    await learner.save(path);
    const again = await createLearner(stripeData({ multiLabel: true, valid: 17, train: 48, batchSize: 5 }), { ...SMALL, pretrained: path });
    expect((await again.evaluate()).loss).toBeCloseTo(loss!, 5);
    expect(again.network.config["thresholds"]).toEqual([0.5, 0.4, 0.5]);
    await again.dispose();
    await expect(learner.plotConfusionMatrix()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    // chips without a class come last
    const none = async (rows: number): Promise<boolean> => (await learner.showResults(undefined, { rows })).svg!.includes(">none<");
    expect([await none(4), await none(100)]).toEqual([false, true]);
    await learner.report(join(folder, "several.html"));
    expect(await readFile(join(folder, "several.html"), "utf8")).toContain("average precision");
    await learner.dispose();
  }, 300_000);

  test("stopped and resumed it ends with the same weights to the bit, dropout included", async () => {
    await expectExactResume(() => createLearner(stripeData({ train: 24, valid: 8, seed: 3 }), { ...SMALL, dropout: 0.4 }), folder);
  }, 300_000);

  test("settings that are not for it are refused", async () => {
    const code = async (options: LearnerOptions, multiLabel = false): Promise<unknown> =>
      createLearner(stripeData({ train: 8, valid: 8, multiLabel }), { ...SMALL, ...options }).then(
        () => "none",
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await code({ loss: "dice" })).toBe("INVALID_ARGUMENT");
    expect(await code({ loss: "binaryCrossEntropy" })).toBe("INVALID_ARGUMENT");
    expect(await code({ loss: "crossEntropy" }, true)).toBe("INVALID_ARGUMENT");
    expect(await code({ loss: { type: "crossEntropy", labelSmoothing: 2 } })).toBe("INVALID_ARGUMENT");
    expect(await code({ loss: { type: "crossEntropy", ignoreIndex: 3 } })).toBe("INVALID_ARGUMENT");
    expect(await code({ ignoreClasses: ["stripe 1"] })).toBe("INVALID_ARGUMENT");
    expect(await code({ classWeights: [1] })).toBe("INVALID_ARGUMENT");
    expect(await code({ thresholds: [0.5, 0.5, 0.5] })).toBe("INVALID_ARGUMENT");
    expect(await code({ modelType: "unet" })).toBe("TASK_MISMATCH");
  });
});
