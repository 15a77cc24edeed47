import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exportOnnx, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { describeOnnx } from "./describe-onnx.ts";

let folder: string;
beforeAll(async () => {
  await startEngine({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), "describe-onnx-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of somebody else, with these metadata. */
async function written(name: string, metadata: Record<string, string>): Promise<string> {
  const { bytes } = exportOnnx(({ pixels }) => ({ scores: tf.mul(pixels as tf.Tensor4D, 2) }), {
    inputs: { pixels: { shape: [1, 8, 16, 3], dtype: "float32" } },
    metadata,
  });
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe("an ONNX file of somebody else", () => {
  it("is told by its inputs and outputs, and what it says", async () => {
    expect(await describeOnnx(await written("mine.onnx", { author: "me" }))).toMatchObject({
      ...{ origin: "foreign", name: "mine", opset: 18, task: null, classes: [], bandIndices: null, manifest: null },
      inputs: [{ name: "pixels", type: "float32", shape: [1, 3, 8, 16] }],
      outputs: [{ name: "scores", type: "float32", shape: [1, 3, 8, 16] }],
      metadata: { author: "me" },
    });
  });

  it("is told by the keys of QGIS Deepness", async () => {
    const names = JSON.stringify({ 0: "other", 1: "road" });
    const keys = { model_type: '"Segmentor"', class_names: names, resolution: "30", tile_size: "512" };
    expect(await describeOnnx(await written("roads.onnx", keys))).toMatchObject({
      ...{ origin: "deepness", task: "pixelClassification", chipWidth: 512, chipHeight: 512, resolution: 0.3 },
      classes: [
        { value: 0, name: "other", color: null },
        { value: 1, name: "road", color: null },
      ],
    });
  });

  it("is refused when it is none", async () => {
    const path = join(folder, "text.onnx");
    await writeFile(path, "not a model");
    await expect(describeOnnx(path)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });
});
