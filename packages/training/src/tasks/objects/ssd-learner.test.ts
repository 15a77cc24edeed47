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

const SSD: LearnerOptions = { modelType: "ssd", threads: 1 };
/** Squares of 14 to 27 pixels on chips of 64: cells of 16 pixels, and a half more. */
const CELLS: LearnerOptions = { ...SSD, anchors: { grids: [8, 4], zooms: [1.6, 1.3, 2] } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ssd-learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a SingleShotDetector", () => {
  test("learns to find squares on chips it never saw, is saved, comes back the same, and starts another", async () => {
    // From four seeds of weights AP50 ends between 0.62 and 0.72; on 8 chips never seen it would be between 0.27 and 0.75.
    const data = squareData({ train: 96, valid: 32 });
    const learner = await createLearner(data, SSD);
    expect(learner.network.config).toMatchObject({
      maps: [8, 16, 32, 64],
      anchors: { scales: [0.07, 0.15, expect.closeTo(0.45), 0.75, 1.05] },
    });
    const { epochs } = await learner.fit({ epochs: 8, lr: 1e-3, monitor: "AP50" });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss / 2);
    expect(await learner.averagePrecisionScore()).toBeGreaterThan(0.5);

    const path = join(folder, "squares.dlpk");
    await learner.save(path);
    expect((await readModelPackage(path)).manifest).toMatchObject({ task: "objectDetection", modelType: "ssd" });
    const again = await createLearner(data, { threads: 1, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).AP).toBe((await learner.evaluate()).AP);
    await again.dispose();
    await learner.dispose();

    // Chips of another size keep the maps: anchors are shares of the chip.
    const lines: string[] = [];
    const other = squareData({ side: 96, bands: 1, train: 4, valid: 4 });
    const renamed = { ...other, classes: other.classes.map((one) => ({ ...one, name: `other ${one.name}` })) };
    const tuned = await createLearner(renamed, { threads: 1, pretrained: path, log: (line) => lines.push(line) });
    expect(tuned.network.config).toMatchObject({ bands: 1, maps: [8, 16, 32, 64] });
    expect(/begin anew: (.*)\./.exec(lines.join("\n"))![1]!.split(", ").toSorted()).toEqual(
      [
        "encoder.conv1.weight",
        ...[0, 1, 2, 3].flatMap((i) => ["bias", "weight"].map((part) => `head.classification_head.module_list.${i}.${part}`)),
      ].toSorted(),
    );
    const { epochs: more } = await tuned.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(more[0]!.trainLoss) && Number.isFinite(more[0]!.validLoss)).toBe(true);
    await tuned.dispose();
  }, 300_000);

  test("stopped and resumed it ends with the same weights to the bit", async () => {
    await expectExactResume(() => createLearner(squareData({ train: 12, valid: 4, seed: 3 }), CELLS), folder);
  }, 300_000);

  test("grids of arcgis.learn get the maps with enough cells, on 12 bands", async () => {
    const learner = await createLearner(squareData({ bands: 12, train: 4, valid: 4, seed: 2 }), CELLS);
    expect(learner.network.config).toMatchObject({ maps: [8, 16], anchors: { grids: [8, 4] } });
    const { epochs } = await learner.fit({ epochs: 1, lr: 1e-3 });
    expect(Number.isFinite(epochs[0]!.trainLoss) && Number.isFinite(epochs[0]!.validLoss)).toBe(true);
    await learner.dispose();
    await expect(createLearner(squareData(), { ...SSD, anchors: { grids: [17] } })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(createLearner(squareData({ side: 24 }), SSD)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }, 300_000);

  test("SSDLite learns, and batches without any object do no harm", async () => {
    const data = squareData({ train: 8, valid: 4, bands: 1, seed: 5 });
    const learner = await createLearner(data, { ...SSD, variant: "lite" });
    expect(learner.network.config).toMatchObject({ backbone: "mobilenetv3-large", maps: [16, 32, 64], reducedTail: true });
    const { epochs } = await learner.fit({ epochs: 3, lr: 2e-3 });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    await learner.dispose();

    const empty = await createLearner(emptied(data), { ...SSD, variant: "lite" });
    const { epochs: nothing } = await empty.fit({ epochs: 1, lr: 1e-3 });
    expect(nothing[0]!.trainLoss).toBe(0);
    await empty.dispose();
  }, 300_000);
});

/** The same chips without their objects. */
function emptied(data: ReturnType<typeof squareData>): ReturnType<typeof squareData> {
  const without = (set: (typeof data)["train"]): (typeof data)["train"] => ({
    ...set,
    async *read(options) {
      for await (const batch of set.read(options))
        yield { ...batch, classIndices: batch.classIndices.map(() => -1), counts: batch.counts.map(() => 0) };
    },
  });
  return { ...data, train: without(data.train), valid: without(data.valid) };
}
