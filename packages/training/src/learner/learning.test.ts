/** What a network learns, what of it is measured, and that it does so alike each time. */

import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { DISC_CLASSES, discChips, discData, memoryData } from "../testing/memory-data.ts";
import { SMALL } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";

describe("a network learns what is there and nothing else", () => {
  test("it overfits four chips", async () => {
    const chips = discChips(4, { side: 32 });
    const data = memoryData({ train: chips, valid: chips, side: 32, bands: 3, classes: DISC_CLASSES, batchSize: 4 });
    const learner = await createLearner(data, { ...SMALL, base: 8 });
    await learner.fit({ epochs: 60, lr: 1e-2 });
    const { meanIou, loss } = await learner.evaluate();
    expect(meanIou).toBeGreaterThan(0.99);
    expect(loss).toBeLessThan(0.05);
    await learner.dispose();
  });

  test("it finds discs on chips it never saw", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, base: 8 });
    await learner.fit({ epochs: 20, lr: 1e-2 });
    expect((await learner.mIOU({ mean: false }))["disc"]).toBeGreaterThan(0.8);
    await learner.dispose();
  });

  test("with labels that mean nothing it does no better than the most frequent class", async () => {
    const learner = await createLearner(discData({ side: 32, shuffled: true }), SMALL);
    await learner.fit({ epochs: 15, lr: 1e-2 });
    const { pixelAccuracy, kappa, classes } = await learner.evaluate();
    const counts = classes.map(({ truthPixels }) => truthPixels);
    const majority = Math.max(...counts) / counts.reduce((a, b) => a + b, 0);
    expect(pixelAccuracy).toBeLessThanOrEqual(majority + 0.01);
    expect(Math.abs(kappa ?? 0)).toBeLessThan(0.03);
    await learner.dispose();
  });
});

describe("repeatability", () => {
  async function train(seed: number): Promise<string> {
    const learner = await createLearner(discData({ seed, augment: true }), SMALL);
    await learner.fit({ epochs: 3, lr: 1e-2 });
    const hash = hashWeights(learner.network);
    await learner.dispose();
    return hash;
  }

  test("one seed gives the same weights to the bit, another gives others", async () => {
    const first = await train(1);
    expect(await train(1)).toBe(first);
    expect(await train(2)).not.toBe(first);
  });

  test("no tensors are left behind", async () => {
    const run = async (): Promise<void> => {
      const learner = await createLearner(discData(), SMALL);
      await learner.lrFind({ steps: 12 });
      await learner.fit({ epochs: 2, lr: 1e-2 });
      await learner.evaluate();
      await learner.showResults();
      await learner.dispose();
    };
    await run();
    const before = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("what counts", () => {
  test("ignored classes and padding take no part in metrics", async () => {
    const learner = await createLearner(discData(), { ...SMALL, ignoreClasses: ["ground"] });
    const { pixels, classes } = await learner.evaluate();
    expect(classes[0]!.truthPixels).toBe(0);
    expect(pixels).toBe(classes[1]!.truthPixels);
    expect(pixels).toBe(discChips(5, { seed: 77 }).reduce((sum, { target }) => sum + target.reduce((a, b) => a + b, 0), 0));
    await learner.dispose();
    await expect(createLearner(discData(), { ...SMALL, ignoreClasses: ["tree"] })).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
  });

  test("predictions are the values of the user's classes, for any number of chips", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, margin: 4 });
    await learner.fit({ epochs: 4, lr: 1e-2 });
    const chips = discChips(6, { side: 32, seed: 30 });
    const together = await learner.predict(Float32Array.from(chips.flatMap(({ image }) => [...image])));
    expect(together).toMatchObject({ count: 6, height: 24, width: 24 });
    expect([...new Set(together.values)].sort((a, b) => a - b)).toEqual([0, 5]);
    for (const [i, { image }] of chips.entries()) {
      expect((await learner.predict(image)).values).toEqual(together.values.slice(i * 576, (i + 1) * 576));
    }
    await expect(learner.predict(new Float32Array(5))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });

  test("a network that scores only the centre is trained and measured there", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, margin: 4 });
    await learner.fit({ epochs: 1, lr: 1e-2 });
    expect((await learner.evaluate()).pixels).toBe(5 * 24 * 24);
    await learner.showResults();
    await learner.dispose();
  });

  test.each(["crossEntropy", "focal", "dice", "mix"] as const)("loss %s falls", async (loss) => {
    const learner = await createLearner(discData(), { ...SMALL, loss, classWeights: "balanced" });
    const { epochs } = await learner.fit({ epochs: 6, lr: 1e-2 });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.9 * epochs[0]!.trainLoss);
    await learner.dispose();
  });

  test("group norm trains at one chip a batch", async () => {
    const learner = await createLearner(discData({ batchSize: 1 }), { ...SMALL, norm: "group", groups: 2 });
    const { epochs } = await learner.fit({ epochs: 4, lr: 1e-2 });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    await learner.dispose();
  });
});
