/** What a run will cost. */

import { readdir } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { discData } from "../testing/memory-data.ts";
import { SMALL, temporaryFolder } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";

const folder = temporaryFolder();

describe("estimate", () => {
  test("counts the steps, measures time and memory, and leaves the learner as it was, to the bit", async () => {
    const [learner, other] = [
      await createLearner(discData({ augment: true }), SMALL),
      await createLearner(discData({ augment: true }), SMALL),
    ];
    const before = hashWeights(learner.network);
    const estimate = await learner.estimate({ epochs: 5, checkpoint: folder });
    expect(hashWeights(learner.network)).toBe(before);
    expect(estimate).toMatchObject({ steps: 5 * 4 + 100, measuredBatches: 3 });
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.memoryMb).toBeGreaterThan(process.memoryUsage().rss / 2 ** 21);
    // AdamW: weights twice (the best ones too) and two slots in a checkpoint, at most two checkpoints and a model
    const parameters = learner.network.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
    expect(estimate.diskMb * 2 ** 20).toBeGreaterThan(7 * 4 * parameters);
    expect(estimate.diskMb * 2 ** 20).toBeLessThanOrEqual(9 * 4 * parameters);
    expect((await learner.estimate({ epochs: 2, lr: 1e-3 })).steps).toBe(8);
    expect(await readdir(folder)).not.toContain("checkpoint.safetensors");
    await learner.fit({ epochs: 2, lr: 1e-2 });
    await other.fit({ epochs: 2, lr: 1e-2 });
    expect(hashWeights(learner.network)).toBe(hashWeights(other.network));
    await expect(learner.estimate({ epochs: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await Promise.all([learner.dispose(), other.dispose()]);
  });
});
