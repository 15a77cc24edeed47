/** The sweep of learning rates. */

import { describe, expect, test } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { discData } from "../testing/memory-data.ts";
import { SMALL } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";

describe("lrFind", () => {
  test("leaves weights and running statistics as they were, and training after it as if it had not been", async () => {
    const learner = await createLearner(discData(), SMALL);
    const other = await createLearner(discData(), SMALL);
    const before = hashWeights(learner.network);
    const { lr, curve } = await learner.lrFind({ from: 1e-5, to: 10, steps: 60 });
    expect(hashWeights(learner.network)).toBe(before);
    expect(curve.length).toBeGreaterThan(30);
    expect(curve[0]!.lr).toBeCloseTo(1e-5, 12);
    expect(lr).toBeGreaterThan(1e-4);
    expect(lr).toBeLessThan(1);
    await learner.fit({ epochs: 2, lr: 1e-2 });
    await other.fit({ epochs: 2, lr: 1e-2 });
    expect(hashWeights(learner.network)).toBe(hashWeights(other.network));
    await Promise.all([learner.dispose(), other.dispose()]);
  });

  test("fit without a rate looks for one", async () => {
    const learner = await createLearner(discData(), SMALL);
    const stages = new Set<string>();
    const { lr, epochs, lrFindSeconds, seconds } = await learner.fit({ epochs: 4, onProgress: ({ stage }) => stages.add(stage) });
    expect([...stages]).toEqual(["lr-find", "train"]);
    expect(lrFindSeconds).toBeGreaterThan(0);
    expect(lrFindSeconds! + epochs.reduce((sum, record) => sum + record.seconds, 0)).toBeLessThanOrEqual(seconds);
    expect((await learner.plotLr()).svg).toContain("Learning-rate sweep");
    expect((await learner.fit({ epochs: 1, lr })).lrFindSeconds).toBeNull();
    expect(lr).toBeGreaterThan(1e-5);
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    await learner.dispose();
  });

  test("refuses rates that do not grow", async () => {
    const learner = await createLearner(discData(), SMALL);
    await expect(learner.lrFind({ from: 1, to: 0.1 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "lrFind(): `to` is 0.1; expected a number above 1, the first rate.",
    });
    await expect(learner.lrFind({ from: "1e-6" as never })).rejects.toMatchObject({
      message: 'lrFind(): `from` is "1e-6"; expected a number above 0.',
    });
    await expect(learner.lrFind({ clipNorm: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });
});
