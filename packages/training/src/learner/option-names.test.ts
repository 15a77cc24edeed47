/** An option that there is not is refused before anything is done. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { discData } from "../testing/memory-data.ts";
import { SMALL } from "../testing/small-learner.ts";
import { createLearner, type LearnerOf } from "./create-learner.ts";
import { evaluatePackage } from "./evaluate-package.ts";

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
    ["onProgres", () => learner.evaluate({ onProgres: () => undefined } as object), "evaluate()", "Did you mean `onProgress`?"],
    ["row", () => learner.showResults(undefined, { row: 2 } as object), "showResults()", "Did you mean `rows`?"],
    ["mena", () => learner.mIOU({ mena: false } as object), "mIOU()", "Did you mean `mean`?"],
    ["ignoreClass", () => learner.perClassMetrics({ ignoreClass: ["disc"] } as object), "perClassMetrics()", "`ignoreClasses`"],
    ["batchSize", () => learner.toOnnx("disc.onnx", { batchSize: 1 } as object), "toOnnx()", "`batch`"],
    ["stack", () => learner.toOnnx("disc.onnx", { stack: "disc.json" } as object), "toOnnx()", "Did you mean `stac`?"],
    ["host", () => create(discData(), { ...SMALL, network: { host: ["example.org"] } }), "`network`", "Did you mean `hosts`?"],
    ["devs", () => create(discData(), { ...SMALL, normalization: { mean: [0], std: [1], devs: 1 } }), "`normalization` of UNet", "`std`"],
    ["gama", () => create(discData(), { ...SMALL, loss: { type: "focal", gama: 1 } }), 'The loss "focal"', "Did you mean `gamma`?"],
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
    ["evaluate(null)", () => learner.evaluate(null as unknown as object)],
    ["showResults(undefined, null)", () => learner.showResults(undefined, null as unknown as object)],
    ["toOnnx(path, null)", () => learner.toOnnx("disc.onnx", null as unknown as object)],
  ])("%s is refused", async (_, work) => {
    await expect(work()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("expected an object") as string,
    });
  });
});

describe("values that are wrong are told before anything is done", () => {
  const wrong = <T>(value: unknown): T => value as T;
  test.each<[string, () => Promise<unknown>, string]>([
    ["callbacks", () => learner.fit({ callbacks: wrong([{ onEpochend: () => undefined }]) }), "fit(): `callbacks` is [{}]"],
    ["signal", () => learner.fit({ signal: wrong("stop") }), 'fit(): `signal` is "stop"'],
    ["onProgress", () => learner.evaluate({ onProgress: wrong("bar") }), 'evaluate(): `onProgress` is "bar"'],
    ["rows", () => learner.showResults(undefined, { rows: 0 }), "showResults(): `rows` is 0; expected a whole number from 1"],
    ["rows", () => learner.showResults(undefined, { rows: wrong("all") }), 'showResults(): `rows` is "all"'],
    ["rgb", () => learner.showResults(undefined, { rgb: [0, 1] }), "`rgb` is [0,1]; expected one band or three."],
    ["mean", () => learner.mIOU({ mean: wrong("no") }), 'mIOU(): `mean` is "no"'],
    ["ignoreClasses", () => learner.perClassMetrics({ ignoreClasses: wrong("disc") }), 'perClassMetrics(): `ignoreClasses` is "disc"'],
    ["freeze", () => create(discData(), { ...SMALL, freeze: "yes" }), 'createLearner(): `freeze` is "yes"'],
    ["seed", () => create(discData(), { ...SMALL, seed: 0.5 }), "createLearner(): `seed` is 0.5"],
    ["log", () => create(discData(), { ...SMALL, log: true }), "createLearner(): `log` is true"],
    ["normalization", () => create(discData(), { ...SMALL, normalization: "imagnet" }), 'createLearner(): `normalization` is "imagnet"'],
    ["classWeights", () => create(discData(), { ...SMALL, classWeights: [1, 2, 3] }), "The loss got 3 class weights for 2 classes."],
    ["classWeights", () => create(discData(), { ...SMALL, classWeights: "balancd" }), 'createLearner(): `classWeights` is "balancd"'],
    ["pretrained", () => create(discData(), { ...SMALL, pretrained: true }), "createLearner(): `pretrained` is true"],
  ])("%s", async (field, work, message) => {
    await expect(work()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message) as string,
      data: expect.objectContaining({ field }) as object,
    });
  });

  test("bands that there are not", async () => {
    for (const rgb of [[3, 2, 1], ["nir"]])
      await expect(learner.showResults(undefined, { rgb })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
  });

  test("classes that there are not", async () => {
    await expect(learner.perClassMetrics({ ignoreClasses: ["disk"] })).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
  });

  test.each<[string, (path: never) => Promise<unknown>]>([
    ["showResults", (path) => learner.showResults(path)],
    ["plotLosses", (path) => learner.plotLosses(path)],
    ["plotLr", (path) => learner.plotLr(path)],
    ["plotConfusionMatrix", (path) => learner.plotConfusionMatrix(path)],
  ])("a path of %s", async (verb, work) => {
    await expect(work("figure.pdf" as never)).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: `${verb}() cannot save its figure as "figure.pdf".`,
    });
    await expect(work({ rows: 2 } as never)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `${verb}() got {"rows":2} for the path, expected text.`,
    });
  });

  test("a path of a report or of an ONNX file, before anything is evaluated", async () => {
    for (const work of [learner.report("report.pdf"), learner.toOnnx("disc.onx"), learner.toOnnx("disc.onnx", { stac: "disc.xml" })])
      await expect(work).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    expect((learner as unknown as { lastEvaluation: unknown }).lastEvaluation).toBeNull();
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
