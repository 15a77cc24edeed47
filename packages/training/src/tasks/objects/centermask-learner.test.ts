import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import type { LearnerOptions } from "../../learner/options.ts";
import { expectExactResume } from "../../testing/exact-resume.ts";
import { hashWeights } from "../../testing/hash-weights.ts";
import { diskData } from "../../testing/memory-objects.ts";

const SMALL: LearnerOptions = { threads: 2, modelType: "centermask", fpnWidth: 32, headDepth: 1, maskHeadWidth: 32, detections: 20 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centermask-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a CenterMask", () => {
  test("learns to outline shapes on chips it never saw, is saved, comes back the same, and starts another of other bands and classes", async () => {
    const data = diskData({ train: 48, valid: 16 });
    const lines: string[] = [];
    const learner = await createLearner(data, { ...SMALL, log: (line) => lines.push(line) });
    expect(lines.join(" ")).toContain('preset: "compact"');
    await learner.fit({ epochs: 12, lr: 2e-3, monitor: "mask AP50" });
    const evaluation = await learner.evaluate();
    expect(evaluation.masks!.AP50).toBeGreaterThan(0.7);
    expect(await learner.averagePrecisionScore()).toBe(evaluation.masks!.AP50);

    const path = join(folder, "shapes.dlpk");
    await learner.save(path);
    const { manifest } = await readModelPackage(path);
    expect(manifest).toMatchObject({ task: "instanceSegmentation", modelType: "centermask", config: { rois: 16, maskHeadDepth: 2 } });
    const again = await createLearner(data, { threads: 2, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).masks).toEqual(evaluation.masks);
    await again.dispose();
    await learner.dispose();

    const twelve = diskData({ bands: 12, train: 4, valid: 4, seed: 2 });
    const others = { ...twelve, classes: twelve.classes.map((one) => ({ ...one, name: `other ${one.name}` })) };
    const tuned = await createLearner(others, { threads: 2, pretrained: path, log: (line) => lines.push(line) });
    const anew = ["head.classification_head.cls_logits", "roi_heads.mask_predictor.mask_fcn_logits"].flatMap((name) => [`${name}.weight`, `${name}.bias`]); // prettier-ignore
    expect(/begin anew: (.*)\./.exec(lines.join("\n"))![1]!.split(", ")).toEqual(["encoder.conv1.weight", ...anew]);
    const { epochs } = await tuned.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(epochs[0]!.trainLoss) && Number.isFinite(epochs[0]!.validLoss)).toBe(true);
    await tuned.dispose();
  }, 600_000);

  test("stopped and resumed it ends with the same weights to the bit", async () => {
    await expectExactResume(() => createLearner(diskData({ bands: 1, train: 12, valid: 4, seed: 3 }), { ...SMALL, rois: 2 }), folder);
  }, 600_000);
});
