/** Models out to ONNX and back in, by method and by command. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseOnnxModel, startEngine } from "@geolearn/engine";
import { type ModelManifest, createRetinaNet, createUNet, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "./cli/run.ts";
import { exportOnnxResult, importOnnxResult } from "./cli/results.ts";
import { fromModel } from "./from-model.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-onnx-"));
const model = join(folder, "buildings.dlpk");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifest: Omit<ModelManifest, "config"> = {
  task: "pixelClassification",
  name: "buildings",
  modelType: "unet",
  backbone: null,
  classes: [
    { value: 0, name: "background", color: [0, 0, 0] },
    { value: 7, name: "building", color: [255, 0, 0] },
  ],
  bandNames: ["red", "green", "blue"],
  bandIndices: [0, 1, 2],
  sampleType: "uint8",
  statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
  chipWidth: 64,
  chipHeight: 64,
  resolution: 1,
  metrics: {},
  training: {},
};

beforeAll(async () => {
  await startEngine({ threads: 1 });
  const network = createUNet(
    { bands: 3, classes: 2, base: 4, depth: 2, normalization: { mean: [127.5, 127.5, 127.5], std: [73.6, 73.6, 73.6] } },
    { seed: 3 },
  );
  await writeModelPackage(model, { manifest: { ...manifest, config: network.config }, weights: network.weights() });
  network.dispose();
});

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const text = { out: "", err: "" };
  const status = await runCli(args, {
    signal: new AbortController().signal,
    out: (more) => void (text.out += more),
    err: { write: (more: string) => (text.err += more) },
  });
  return { status, ...text };
}

describe("export", () => {
  test("the command and the method write the same file", async () => {
    const [byCommand, byMethod] = [join(folder, "deep/command.onnx"), join(folder, "method.onnx")];
    const { status, out, err } = await run(
      "export-onnx",
      "--model",
      model,
      "--out",
      byCommand,
      "--stac",
      join(folder, "item.json"),
      "--json",
    );
    expect(err).toBe("");
    expect(status).toBe(0);
    expect(exportOnnxResult.parse(JSON.parse(out))).toMatchObject({ opset: 18, inputShape: ["batch", 3, "height", "width"] });
    // @ts-expect-error JavaScript lets the task be left out
    await expect(fromModel(model)).rejects.toMatchObject({ code: "TASK_MISMATCH", hint: expect.stringContaining("pixelClassification") });
    const saved = await (await fromModel(model, { task: "pixelClassification" })).toOnnx(byMethod);
    const shape = ["batch", 2, "height", "width"];
    const outputs = [{ name: "output", type: "float32", shape }];
    expect(saved).toMatchObject({ out: byMethod, stac: null, outputShape: shape, outputs });
    expect(readFileSync(byCommand).equals(readFileSync(byMethod))).toBe(true);
    const item = JSON.parse(readFileSync(join(folder, "item.json"), "utf8")) as { assets: { model: { href: string } } };
    expect(item.assets.model.href).toBe("./deep/command.onnx");
  });

  test("sizes, batch and logits as asked", async () => {
    const path = join(folder, "fixed.onnx");
    expect(await run("export-onnx", "--model", model, "--out", path, "--size", "chip", "--batch", "1", "--output", "logits")).toMatchObject(
      { status: 0 },
    );
    const { graph } = parseOnnxModel(readFileSync(path));
    expect(graph.inputs[0]!.dims).toEqual([1, 3, 64, 64]);
    expect(graph.nodes.at(-1)!.type).toBe("Conv");
  });

  test("a detector without options: one chip, and every output is named", async () => {
    const detector = join(folder, "detector.dlpk");
    const network = createRetinaNet({ bands: 3, classes: 2, backbone: "resnet18", fpnWidth: 16 }, { seed: 3 });
    const { modelType, config } = network;
    await writeModelPackage(detector, {
      manifest: { ...manifest, task: "objectDetection", modelType, config },
      weights: network.weights(),
    });
    network.dispose();
    const path = join(folder, "detector.onnx");
    const { status, out, err } = await run("export-onnx", "--model", detector, "--out", path);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out.split("\n").map((line) => line.replace(/^\S+ +/, ""))).toEqual([
      expect.stringMatching(/detector\.onnx, [\d.]+ MB, opset 18$/),
      "input: float32 [1, 3, 64, 64], raw pixel values",
      "boxes: float32 [100, 4]",
      "labels: int32 [100]",
      "scores: float32 [100]",
      "",
    ]);
    expect(parseOnnxModel(readFileSync(path)).graph.outputs).toMatchObject([
      { name: "boxes", dims: [100, 4] },
      { name: "labels", dims: [100] },
      { name: "scores", dims: [100] },
    ]);
    const free = await run("export-onnx", "--model", detector, "--out", path, "--batch", "free");
    expect(free).toMatchObject({ status: 1, err: expect.stringContaining("Leave out --batch, or give a number.") as string });
    // The file inside a package is written as it is, and told in the same words.
    const imported = join(folder, "imported-detector.dlpk");
    expect(await run("import-onnx", "--onnx", path, "--out", imported)).toMatchObject({ status: 0 });
    const again = await run("export-onnx", "--model", imported, "--out", join(folder, "same.onnx"));
    expect(again.out.split("\n").slice(1)).toEqual(out.split("\n").slice(1));
  });

  test("help tells what is written without options", async () => {
    const { out } = await run("export-onnx", "--help");
    const words = out.replace(/\s+/g, " ");
    expect(words).toContain("default: free; chip for networks that find objects");
    expect(words).toContain("default: free; 1 for networks that find objects");
  });

  test("wrong usage and other extensions are refused, and leave nothing", async () => {
    expect(await run("export-onnx", "--model", model, "--out", join(folder, "x.onnx"), "--batch", "0")).toMatchObject({ status: 2 });
    const wrong = await run("export-onnx", "--model", model, "--out", join(folder, "x.pt"));
    expect(wrong).toMatchObject({ status: 1, err: expect.stringContaining("UNSUPPORTED_FORMAT") as string });
    writeFileSync(join(folder, "text.dlpk"), "no package");
    expect(await run("export-onnx", "--model", join(folder, "text.dlpk"), "--out", join(folder, "x.onnx"))).toMatchObject({
      status: 1,
      err: expect.stringContaining("MODEL_CORRUPT") as string,
    });
  });
});

describe("import", () => {
  const [onnx, spec, out] = [join(folder, "plain.onnx"), join(folder, "spec.json"), join(folder, "deep/imported.dlpk")];
  beforeAll(async () => {
    await (await fromModel(model, { task: "pixelClassification" })).toOnnx(onnx, { output: "logits" });
  });

  test("a file of ours needs no spec; the package gives the file back", async () => {
    const { status, out: text, err } = await run("import-onnx", "--onnx", onnx, "--out", out, "--json");
    expect(err).toBe("");
    expect(status).toBe(0);
    expect(importOnnxResult.parse(JSON.parse(text))).toEqual({
      ...{ out, task: "pixelClassification", name: "buildings", classes: manifest.classes },
      ...{ bands: [0, 1, 2], chipWidth: 64, chipHeight: 64, resolution: 1 },
    });
    const imported = await fromModel(out, { task: "pixelClassification" });
    expect(imported.manifest).toMatchObject({ modelType: "onnx", statistics: manifest.statistics });
    const again = join(folder, "again.onnx");
    expect(await imported.toOnnx(again)).toMatchObject({ opset: 18, inputShape: ["batch", 3, "height", "width"] });
    expect(readFileSync(again).equals(readFileSync(onnx))).toBe(true);
    await expect(imported.toOnnx(again, { size: "chip" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { field: "size" } });
  });

  test("info tells what is in the file", async () => {
    const { status, out: text, err } = await run("info", onnx);
    expect([status, err]).toEqual([0, ""]);
    for (const line of [
      /model "buildings"/,
      /described by +geolearn/,
      /task +pixelClassification/,
      /chip +64 x 64 pixels/,
      /7 +building +255 0 0/,
    ])
      expect(text).toMatch(line);
    expect(text).toMatch(/input +input: float32 \[batch, 3, height, width\]/);
    expect(text).toMatch(/output +output: float32 \[batch, 2, height, width\]/);
    expect(text).toMatch(/0 +red +0 +255 +127.5/);
    const info: unknown = JSON.parse((await run("info", onnx, "--json")).out);
    expect(info).toMatchObject({ kind: "onnx", origin: "geolearn", opset: 18, metadata: {}, manifest: { name: "buildings" } });
    const broken = join(folder, "broken.onnx");
    writeFileSync(broken, readFileSync(onnx).subarray(0, 1000));
    expect(await run("info", broken)).toMatchObject({ status: 1, out: "", err: expect.stringContaining("MODEL_CORRUPT") as string });
    expect(await run("info", join(folder, "nowhere.onnx"))).toMatchObject({
      status: 1,
      err: expect.stringContaining("FILE_NOT_FOUND") as string,
    });
  });

  test("a spec says otherwise, and is told where it is wrong", async () => {
    writeFileSync(
      spec,
      JSON.stringify({ name: "mine", classes: ["other", { name: "house", value: 3, color: [1, 2, 3] }], chipSize: 128, cellSize: 0.5 }),
    );
    const { out: text } = await run("import-onnx", "--onnx", onnx, "--spec", spec, "--out", out, "--json");
    expect(JSON.parse(text)).toMatchObject({
      name: "mine",
      chipWidth: 128,
      resolution: 0.5,
      classes: [{ value: 0 }, { value: 3, color: [1, 2, 3] }],
    });
    writeFileSync(spec, JSON.stringify({ chipsize: 128 }));
    const wrong = await run("import-onnx", "--onnx", onnx, "--spec", spec, "--out", join(folder, "none.dlpk"));
    expect(wrong).toMatchObject({ status: 1, err: expect.stringContaining("INVALID_ARGUMENT") as string });
    writeFileSync(spec, "{");
    expect(await run("import-onnx", "--onnx", onnx, "--spec", spec, "--out", out)).toMatchObject({ status: 1 });
    expect(await run("import-onnx", "--out", out)).toMatchObject({ status: 2 });
    expect(existsSync(join(folder, "none.dlpk"))).toBe(false);
  });
});
