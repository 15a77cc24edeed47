import { mkdtemp, readFile, stat, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import type { LearnerOptions } from "../../learner/options.ts";
import { expectExactResume } from "../../testing/exact-resume.ts";
import { hashWeights } from "../../testing/hash-weights.ts";
import { diskData, squareData } from "../../testing/memory-objects.ts";

/** A small R-CNN; both kinds read these. */
const SMALL_BOXES: LearnerOptions = {
  ...{ threads: 2, fpnWidth: 32, boxHeadWidth: 64, candidates: [200, 100], proposals: [100, 50], rois: 32, detections: 20 },
};
const SMALL: LearnerOptions = { ...SMALL_BOXES, maskHeadWidth: 32 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "instance-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a Mask R-CNN", () => {
  test("learns to outline shapes on chips it never saw, is saved, and comes back the same", async () => {
    const data = diskData({ train: 48, valid: 16 });
    const lines: string[] = [];
    const learner = await createLearner(data, { ...SMALL, log: (line) => lines.push(line) });
    expect(learner.network.modelType).toBe("mask-rcnn");
    expect(lines.join(" ")).toContain('preset: "compact"');
    const { epochs } = await learner.fit({ epochs: 9, lr: 2e-3, monitor: "mask AP50" });
    expect(Object.keys(epochs[0]!.metrics)).toEqual(
      ["", "mask "].flatMap((of) => ["AP", "AP50", "AP75", "AR100", "AP50 bright", "AP50 dark"].map((name) => of + name)),
    );
    const evaluation = await learner.evaluate();
    expect(evaluation.masks!.AP50).toBeGreaterThan(0.7);
    expect(await learner.averagePrecisionScore()).toBe(evaluation.masks!.AP50);
    expect(await learner.averagePrecisionScore({ iou: "boxes" })).toBe(evaluation.AP50);
    expect(Object.keys(await learner.averagePrecisionScore({ mean: false }))).toEqual(["bright", "dark"]);

    const path = join(folder, "shapes.dlpk");
    await learner.save(path);
    const { manifest } = await readModelPackage(path);
    expect(manifest).toMatchObject({ task: "instanceSegmentation", modelType: "mask-rcnn" });
    expect((manifest.metrics["masks"] as { AP50: number }).AP50).toBe(evaluation.masks!.AP50);
    const again = await createLearner(data, { threads: 2, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect(again.frozen).toBe(true);
    expect((await again.evaluate()).masks).toEqual(evaluation.masks);

    const figure = await learner.showResults(join(folder, "results.svg"));
    expect(figure.svg).toContain("truth");
    // the mean height of a curve is its class's AP50
    for (const { classes, curves } of [evaluation, evaluation.masks!])
      curves.forEach((curve, k) => expect(curve!.precision.reduce((a, b) => a + b, 0) / 101).toBeCloseTo(classes[k]!.AP50!, 12));
    const drawn = await learner.plotPrecisionRecall(join(folder, "curves.svg"));
    for (const { name, AP50 } of evaluation.masks!.classes) expect(drawn.svg).toContain(`${name}, AP50 ${AP50!.toFixed(3)}`);
    expect((await learner.plotPrecisionRecall(undefined, { iou: "boxes" })).svg).toContain(
      `AP50 ${evaluation.classes[0]!.AP50!.toFixed(3)}`,
    );
    // every true object is in a row of its class: found, taken for another, or missed
    const { counts, size } = evaluation.masks!.confusion;
    evaluation.masks!.classes.forEach(({ truthObjects }, k) => {
      expect(counts.slice(k * size, (k + 1) * size).reduce((a, b) => a + b, 0)).toBe(truthObjects);
    });
    const confusion = await learner.plotConfusionMatrix(join(folder, "confusion.png"));
    for (const word of ["bright", "dark", "nothing"]) expect(confusion.svg).toContain(word);
    expect((await stat(join(folder, "confusion.png"))).size).toBeGreaterThan(1000);
    await learner.report(join(folder, "report.html"));
    const report = await readFile(join(folder, "report.html"), "utf8");
    for (const words of [
      "mask AP50",
      "Classes, compared by boxes",
      "Precision and recall, compared by masks",
      "Confusion matrix, compared by masks",
    ])
      expect(report).toContain(words);
    await again.dispose();
    await learner.dispose();
  }, 600_000);

  test("stopped and resumed it ends with the same weights to the bit", async () => {
    await expectExactResume(() => createLearner(diskData({ train: 12, valid: 4, seed: 3 }), { ...SMALL, rois: 8, rpnSamples: 16 }), folder);
  }, 600_000);

  test("12 bands; another's classes and bands are learnt anew, the rest is kept; settings that are not for it", async () => {
    const learner = await createLearner(diskData({ bands: 12, train: 4, valid: 4, seed: 2 }), SMALL);
    const { epochs } = await learner.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(epochs[0]!.trainLoss) && Number.isFinite(epochs[0]!.validLoss)).toBe(true);
    const path = join(folder, "twelve.dlpk");
    await learner.save(path);
    const lines: string[] = [];
    const data = diskData({ train: 4, valid: 4 });
    const tuned = await createLearner({ ...data, classes: data.classes.map((one) => ({ ...one, name: `other ${one.name}` })) }, { threads: 2, pretrained: path, log: (line) => lines.push(line) }); // prettier-ignore
    const anew = /begin anew: (.*)\./.exec(lines.join("\n"))![1]!.split(", ");
    expect(anew.toSorted()).toEqual(
      [
        "encoder.conv1.weight",
        ...["box_predictor.bbox_pred", "box_predictor.cls_score", "mask_predictor.mask_fcn_logits"].flatMap((name) =>
          ["bias", "weight"].map((part) => `roi_heads.${name}.${part}`),
        ),
      ].toSorted(),
    );
    await tuned.dispose();
    await learner.dispose();
    await expect(createLearner(diskData(), { ...SMALL, loss: "dice" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(createLearner(diskData(), { ...SMALL, modelType: "retinanet" })).rejects.toMatchObject({ code: "TASK_MISMATCH" });
  }, 600_000);
});

test("a Faster R-CNN learns to find squares on chips it never saw", async () => {
  const learner = await createLearner(squareData({ train: 48 }), { ...SMALL_BOXES, modelType: "faster-rcnn" });
  await learner.fit({ epochs: 6, lr: 2e-3, monitor: "AP50" });
  expect(await learner.averagePrecisionScore()).toBeGreaterThan(0.5);
  await expect(learner.averagePrecisionScore({ iou: "masks" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await learner.dispose();
}, 600_000);
