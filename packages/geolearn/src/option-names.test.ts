/** What users write whose programs are run without a look at their types. */

import { expect, test } from "vitest";

import { FeatureLayer, RetinaNet, describe as describeFile, fromModel } from "./index.ts";

const layer = new FeatureLayer({ name: "none", crs: null, features: [] });
const open = (options: unknown): Promise<unknown> => fromModel("none.dlpk", options as { task: "pixelClassification" });

test.each<[string, () => unknown, string, string]>([
  ["fromModel: taks", () => open({ taks: "pixelClassification" }), "fromModel() has no option `taks`.", "Did you mean `task`?"],
  ["fromModel: Data", () => open({ Data: {} }), "fromModel() has no option `Data`.", "Did you mean `data`?"],
  ["fromModel of text", () => open("pixelClassification"), 'fromModel() got "pixelClassification"', "Give `task`"],
  ["fromModel with data that are none", () => open({ data: "chips" }), 'it got "chips"', "prepareData("],
  ["RetinaNet.create()", () => RetinaNet.create(undefined as never), "it got undefined", "prepareData("],
  [
    "RetinaNet.create with another network",
    () => RetinaNet.create(undefined as never, { modelType: "fcos" } as never),
    "RetinaNet.create() has no option `modelType`.",
    "createLearner(",
  ],
  ["RetinaNet.create of a path", () => RetinaNet.create("chips" as never), 'it got "chips"', "prepareData("],
  ["layer.regularize()", () => layer.regularize(undefined as never), "regularize() got undefined", "`tolerance: 1`"],
  ["layer.regularize", () => layer.regularize({ tolerance: 1, metod: "circle" } as never), "no option `metod`", "Did you mean `method`?"],
  ["layer.save", () => layer.save("none.gpkg", { layr: "trees" } as never), "save() has no option `layr`.", "Did you mean `layer`?"],
  ["layer.save with a crs", () => layer.save("none.gpkg", { crs: 4326 } as never), "save() has no option `crs`.", "`keepCrs`"],
  [
    "describe",
    () => describeFile("none.tif", { netwrok: true } as never),
    "describe() has no option `netwrok`.",
    "Did you mean `network`?",
  ],
])("%s is refused", async (_, work, message, hint) => {
  await expect((async () => work())()).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(message) as string,
    hint: expect.stringContaining(hint) as string,
  });
});

test("fromModel takes data that are undefined for left out", async () => {
  // the file is looked for, so the options were taken
  await expect(open({ task: "pixelClassification", data: undefined })).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
});
