import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { GeoLearnError, writeZip } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { describeModelPackage } from "./describe.ts";
import { readModelPackage } from "./read.ts";

const samples = fileURLToPath(new URL("../../../../../shared/data/esri-emd-samples/raster-deep-learning/", import.meta.url));
const exported = fileURLToPath(
  new URL("../../../../../shared/data/esri-emd-samples/classified-tiles-export-metadata/esri_model_definition.emd", import.meta.url),
);

/** A package as ArcGIS makes it: description, pickled weights, Python. */
async function foreign(emd: Uint8Array | string): Promise<Uint8Array> {
  return writeZip(null, [
    { name: "trained.emd", data: emd },
    { name: "trained.pth", data: Uint8Array.of(0x50, 0x4b, 3, 4, 0x80, 2, 0x7d) },
    { name: "ArcGISImageClassifier.py", data: "import os\nos.abort()\n" },
    { name: "ModelCharacteristics/loss_graph.png", data: Uint8Array.of(0x89, 0x50) },
  ]);
}

/** Keys as arcgis.learn's U-Net writes them. */
const unet = {
  Framework: "arcgis.learn.models._inferencing",
  ModelConfiguration: "_unet",
  ModelType: "ImageClassification",
  ModelFile: "trained.pth",
  InferenceFunction: "ArcGISImageClassifier.py",
  ModelParameters: { backbone: "resnet34", backend: "pytorch" },
  ModelName: "UnetClassifier",
  ImageHeight: 400,
  ImageWidth: 400,
  ExtractBands: [0, 1, 2],
  Classes: [
    { Value: 0, Name: "background", Color: [-1, -1, -1] },
    { Value: 1, Name: "building", Color: [197, 12, 70] },
  ],
};

describe("a package of another tool", () => {
  it("is described", async () => {
    expect(await describeModelPackage(await foreign(JSON.stringify(unet)))).toMatchObject({
      origin: "foreign",
      name: "UnetClassifier",
      framework: "arcgis.learn.models._inferencing",
      task: "pixelClassification",
      modelType: "unet",
      backbone: "resnet34",
      bands: 3,
      chipWidth: 400,
      classes: [
        { value: 0, name: "background", color: null },
        { value: 1, name: "building", color: [197, 12, 70] },
      ],
      inferenceFunction: "ArcGISImageClassifier.py",
      manifest: null,
    });
  });

  it("is not opened, and the error tells what it is and the way through ONNX", async () => {
    const error = await readModelPackage(await foreign(JSON.stringify(unet))).catch((e: unknown) => e);
    expect(GeoLearnError.is(error, "MODEL_FOREIGN")).toBe(true);
    const { message, hint, data } = error as GeoLearnError;
    expect(message).toContain("unet with resnet34, 3 bands, 2 classes (background, building)");
    expect(hint).toContain("torch.onnx.export(model.eval(), torch.zeros(1, 3, 400, 400)");
    expect(hint).toContain("fromOnnx");
    expect(hint).toContain("geolearn import-onnx --onnx model.onnx --spec spec.json --out model.dlpk");
    expect(data).toMatchObject({ backbone: "resnet34", weightsFile: "trained.pth" });
  });

  it.each<[string, object]>([
    ["nothing", {}],
    [
      "wrong types everywhere",
      {
        Framework: 3,
        ModelConfiguration: [1],
        ModelType: null,
        Classes: { Value: 1 },
        ExtractBands: "0,1,2",
        ModelParameters: "resnet",
        ImageHeight: "400",
      },
    ],
    ["classes that are no classes", { Classes: [null, 3, [], { Value: "1" }, { Name: "x" }, { Value: 2, Name: 7, Color: "red" }] }],
  ])("may say %s", async (_, emd) => {
    const described = await describeModelPackage(await foreign(JSON.stringify(emd)));
    expect(described.origin).toBe("foreign");
    expect(described.name).toBe("trained");
    await expect(readModelPackage(await foreign(JSON.stringify(emd)))).rejects.toMatchObject({ code: "MODEL_FOREIGN" });
  });

  it.skipIf(!existsSync(samples))("is described for every generation of Esri's samples (needs the shared data)", async () => {
    const files = (await readdir(samples)).filter((name) => name.endsWith(".emd"));
    expect(files.length).toBeGreaterThanOrEqual(10);
    for (const file of files) {
      const bytes = await foreign(await readFile(samples + file));
      const emd = JSON.parse(await readFile(samples + file, "utf8")) as {
        ModelType: string;
        ExtractBands: number[];
        Classes: { Value: number; Name: string }[];
        ImageWidth: number;
      };
      const described = await describeModelPackage(bytes);
      expect(described, file).toMatchObject({ origin: "foreign", bandIndices: emd.ExtractBands, chipWidth: emd.ImageWidth });
      expect(
        described.classes.map((c) => [c.value, c.name]),
        file,
      ).toEqual(emd.Classes.map((c) => [c.Value, c.Name]));
      expect(described.task, file).toBe(
        { ImageClassification: "pixelClassification", ObjectDetection: "objectDetection", ObjectClassification: "objectClassification" }[
          emd.ModelType
        ],
      );
      await expect(readModelPackage(bytes), file).rejects.toMatchObject({ code: "MODEL_FOREIGN" });
    }
    const fire = await describeModelPackage(
      await foreign(await readFile(`${samples}examples__pytorch__object_classification__woolseyFire_600_50.emd`)),
    );
    expect(fire).toMatchObject({ modelType: "FeatureClassifier", backbone: "resnet34" });
    const masks = await describeModelPackage(await foreign(await readFile(`${samples}examples__keras__mask_rcnn__mask_rcnn.emd`)));
    expect(masks).toMatchObject({ framework: "Keras", modelType: "MaskRCNN" });
  });

  it.skipIf(!existsSync(exported))("takes hints of an export's template for what they are (needs the shared data)", async () => {
    const described = await describeModelPackage(await foreign(await readFile(exported)));
    expect(described).toMatchObject({ framework: null, modelType: null, task: null, bands: null, chipWidth: 4000 });
  });
});
