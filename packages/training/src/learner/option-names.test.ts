/** An option that there is not is refused before anything is done. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { discData } from "../testing/memory-data.ts";
import { createLearner, type LearnerOf } from "./create-learner.ts";
import { evaluatePackage } from "./evaluate-package.ts";

const SMALL = { base: 4, depth: 2, threads: 1 } as const;

let learner: LearnerOf<"pixelClassification">;
beforeAll(async () => {
  learner = await createLearner(discData(), SMALL);
});
afterAll(() => learner.dispose());

// As somebody writes it whose program is run without a look at its types.
const create = (data: unknown, options?: unknown): Promise<unknown> =>
  createLearner(data as ReturnType<typeof discData>, options as object);
const evaluate = (options: unknown): Promise<unknown> => evaluatePackage("none.dlpk", discData(), options as object);

describe("options that there are not", () => {
  test.each<[string, () => Promise<unknown>, string, string]>([
    ["backbon", () => create(discData(), { ...SMALL, backbon: "resnet18" }), "createLearner()", "Did you mean `backbone`?"],
    ["epoch", () => learner.fit({ epoch: 1 } as object), "fit()", "Did you mean `epochs`?"],
    ["learningRate", () => learner.fit({ learningRate: 1 } as object), "fit()", "`lr`"],
    ["epoch", () => learner.estimate({ epoch: 1 } as object), "fit()", "Did you mean `epochs`?"],
    ["patince", () => learner.fit({ earlyStopping: { patince: 1 } as object }), "`earlyStopping`", "Did you mean `patience`?"],
    ["step", () => learner.lrFind({ step: 10 } as object), "lrFind()", "Did you mean `steps`?"],
    ["devices", () => evaluate({ devices: "cpu" }), "evaluatePackage()", "Did you mean `device`?"],
  ])("%s is refused", async (field, work, where, hint) => {
    await expect(work()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `${where} has no option \`${field}\`.`,
      hint: expect.stringContaining(hint) as string,
      data: { field },
    });
    expect(learner.records).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["createLearner(data, null)", () => create(discData(), null)],
    ["fit(3)", () => learner.fit(3 as unknown as object)],
    ["lrFind(null)", () => learner.lrFind(null as unknown as object)],
    ["evaluatePackage(model, data, null)", () => evaluate(null)],
  ])("%s is refused", async (_, work) => {
    await expect(work()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("expected an object") as string,
    });
  });
});

test.each([
  [undefined, "undefined"],
  ["chips", '"chips"'],
  [Promise.resolve(discData()), "a promise"],
])("%s is no data", async (data, shown) => {
  for (const work of [create(data), evaluatePackage("none.dlpk", data as unknown as ReturnType<typeof discData>)]) {
    await expect(work).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`it got ${shown}`) as string,
      hint: expect.stringContaining("prepareData(") as string,
    });
  }
});
