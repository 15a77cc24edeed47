/** That a run which was stopped goes on exactly, for the tests of every task. */

import { join } from "node:path";

import { expect } from "vitest";

import type { Learner } from "../learner/learner.ts";
import { hashWeights } from "./hash-weights.ts";

/** Trains two epochs at a stretch, and again stopped after the fourth step and resumed by a new learner: both must end with the same weights to the bit. */
export async function expectExactResume(create: () => Promise<Learner>, folder: string): Promise<void> {
  const run = async (checkpoint: string, stopAfter: number | null): Promise<string> => {
    const learner = await create();
    const controller = new AbortController();
    const options = { epochs: 2, lr: 1e-3, checkpoint: join(folder, checkpoint), resume: true };
    if (stopAfter !== null) {
      const callbacks = [{ onStep: ({ step }: { step: number }) => void (step === stopAfter && controller.abort()) }];
      await expect(learner.fit({ ...options, callbacks, signal: controller.signal })).rejects.toMatchObject({ name: "AbortError" });
      await learner.dispose();
      return run(checkpoint, null);
    }
    await learner.fit(options);
    const hash = hashWeights(learner.network);
    await learner.dispose();
    return hash;
  };
  expect(await run("stopped", 4)).toBe(await run("whole", null));
}
