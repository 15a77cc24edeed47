import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import type { LearnerOptions } from "../../learner/options.ts";
import { expectExactResume } from "../../testing/exact-resume.ts";
import { hashWeights } from "../../testing/hash-weights.ts";
import { squareData } from "../../testing/memory-objects.ts";

const SMALL: LearnerOptions = { threads: 1, modelType: "fcos", fpnWidth: 32, headDepth: 1, objectSizes: [32, 64, 128, 256] };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fcos-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("an FCOS", () => {
  test("learns to find squares on chips it never saw, is saved, comes back the same, and starts another of other bands and classes", async () => {
    const data = squareData({ train: 48 });
    const learner = await createLearner(data, SMALL);
    const before = await learner.averagePrecisionScore();
    const { epochs } = await learner.fit({ epochs: 14, lr: 2e-3, monitor: "AP50" });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.6 * epochs[0]!.trainLoss);
    expect(before ?? 0).toBeLessThan(0.2);
    expect(await learner.averagePrecisionScore()).toBeGreaterThan(0.8);

    const path = join(folder, "squares.dlpk");
    await learner.save(path);
    const { manifest } = await readModelPackage(path);
    expect(manifest).toMatchObject({ task: "objectDetection", modelType: "fcos", config: { objectSizes: SMALL.objectSizes } });
    const again = await createLearner(data, { threads: 1, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).AP).toBe((await learner.evaluate()).AP);
    await again.dispose();
    await learner.dispose();

    const lines: string[] = [];
    const twelve = squareData({ bands: 12, train: 4, valid: 4, seed: 2 });
    const others = { ...twelve, classes: twelve.classes.map((one) => ({ ...one, name: `other ${one.name}` })) };
    const tuned = await createLearner(others, { threads: 1, pretrained: path, log: (line) => lines.push(line) });
    expect(/begin anew: (.*)\./.exec(lines.join("\n"))![1]!.split(", ")).toEqual([
      "encoder.conv1.weight",
      "head.classification_head.cls_logits.weight",
      "head.classification_head.cls_logits.bias",
    ]);
    const { epochs: further } = await tuned.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(further[0]!.trainLoss) && Number.isFinite(further[0]!.validLoss)).toBe(true);
    await tuned.dispose();
  }, 300_000);

  test("stopped and resumed it ends with the same weights to the bit", async () => {
    await expectExactResume(() => createLearner(squareData({ bands: 1, train: 12, valid: 4, seed: 3 }), SMALL), folder);
  }, 300_000);

  test("is not for pixels, and has no loss of another's", async () => {
    await expect(createLearner(squareData(), { ...SMALL, loss: "dice" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(createLearner(squareData(), { ...SMALL, objectSizes: [64, 32, 16, 8] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { field: "objectSizes" } }); // prettier-ignore
  });
});
