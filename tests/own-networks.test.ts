/**
 * Two networks of a user's own from imagery to map: trained by the Learner, saved, and then run by the command line, which has never seen their code.
 */

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { openRaster } from "@geolearn/core";
import {
  type PixelEvaluation,
  type PixelLearner,
  type LearningData,
  type ModelExtension,
  createLearner,
  exportTrainingData,
  fromModel,
  prepareData,
} from "geolearn";
import { describeModel } from "geolearn/testing";
import { afterAll, describe, expect, it, test } from "vitest";
import { edgeNet } from "./networks/edge-net.ts";
import { layersNet } from "./networks/layers-net.ts";

const root = resolve(import.meta.dirname, "..");
const water = resolve(root, "../shared/data/water-boadella-s2");
const python = resolve(root, process.env["GEOLEARN_PEERS"] ?? "../.venv-peers", "bin/python");
const scratch = mkdtempSync(join(tmpdir(), "geolearn-own-networks-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describeModel(layersNet, { describe, it, config: { filters: 4 } });
describeModel(edgeNet, { describe, it, config: { width: 4 } });

/** Runs the command line as a user would: a process that knows no network but geolearn's. */
async function geolearn(...args: readonly string[]): Promise<Record<string, unknown>> {
  const entry = join(root, "packages/geolearn/src/cli/main.ts");
  const command = ["--conditions=@geolearn/source", "--import", "tsx", entry, ...args, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root, maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as Record<string, unknown>;
}

if (!existsSync(water)) process.stderr.write(`no real data at ${water}: networks of one's own were not run on it\n`);

describe.skipIf(!existsSync(water)).each<[string, ModelExtension<never>]>([
  ["layers of TensorFlow.js", layersNet as never],
  ["two heads by hand", edgeNet as never],
])("%s on Sentinel-2 (skipped where the real data is absent)", (_, model) => {
  const raster = join(water, "sentinel2_2020-02-02.tif");
  const at = (name: string): string => join(scratch, model.modelType, name);
  let data: LearningData<"pixelClassification">;
  let learner: PixelLearner;
  let evaluation: PixelEvaluation;

  const trainFurther = async (): Promise<void> => {
    const again = await fromModel(at("model.dlpk"), { data });
    expect((await again.evaluate()).confusion).toEqual(evaluation.confusion);
    await again.fit({ epochs: 1, lr: 1e-3 });
    for (const each of [learner, again]) await each.dispose();
    await data.close();
  };

  test("learns water and is saved", { timeout: 600_000 }, async () => {
    await exportTrainingData({ raster, labels: join(water, "water.geojson"), out: at("chips"), chipSize: 64, stride: 48, allTiles: true });
    data = await prepareData(at("chips"), { task: "pixelClassification", batchSize: 4, seed: 3 });
    learner = await createLearner(data, { model, threads: 2 });
    await learner.fit({ epochs: 15, lr: 1e-2, checkpoint: at("run") });
    evaluation = await learner.evaluate();
    // Water is dark in the infrared: a network that learns at all tells it from land.
    expect(evaluation.classes[1]!.iou).toBeGreaterThan(0.5);
    await learner.save(at("model.dlpk"));
    await learner.report(at("report.html"));
    expect(readFileSync(at("report.html"), "utf8")).toContain(model.modelType);
  });

  test("the command line's map is the Learner's prediction", { timeout: 300_000 }, async () => {
    const scene = await openRaster(raster);
    const [a, , c, , e, f] = scene.transform!;
    const pixels = 2 * 64;
    const extent = [c, f + pixels * e, c + pixels * a, f];
    const window = { col: 0, row: 0, width: pixels, height: pixels };
    await geolearn(
      ...["classify-pixels", "--model", at("model.dlpk"), "--raster", raster, "--out", at("map.tif"), "--extent", extent.join(",")],
      ...["--overlap", "0", "--blend", "none", "--workers", "2"],
    );
    const { data: bands } = await scene.read(window);
    await scene.close();
    const map = await openRaster(at("map.tif"));
    const { data: values } = await map.read();
    await map.close();
    // Four chips side by side.
    const count = scene.bands;
    const chips = new Float32Array(4 * 64 * 64 * count);
    const place = (n: number, row: number, col: number): number => ((n >> 1) * 64 + row) * pixels + (n % 2) * 64 + col;
    for (let n = 0, to = 0; n < 4; n++)
      for (let row = 0; row < 64; row++)
        for (let col = 0; col < 64; col++)
          for (let b = 0; b < count; b++) chips[to++] = Number(bands[b * pixels * pixels + place(n, row, col)]);
    const predicted = await learner.predict(chips);
    let different = 0;
    for (let n = 0, i = 0; n < 4; n++)
      for (let row = 0; row < 64; row++)
        for (let col = 0; col < 64; col++) if (predicted.values[i++] !== values[place(n, row, col)]) different++;
    expect(new Set(predicted.values).size).toBe(2);
    // Two graphs that are optimised differently agree to six digits: a pixel on the fence may fall to either side.
    expect(different).toBeLessThanOrEqual(2);
  });

  if (model.modelType !== edgeNet.modelType) {
    test("with its code it is trained further", { timeout: 300_000 }, trainFurther);
    return;
  }

  test("its package is described and evaluated", { timeout: 300_000 }, async () => {
    const info = await geolearn("info", at("model.dlpk"));
    expect(info).toMatchObject({ origin: "geolearn", modelType: model.modelType, bands: 12 });
    // the chips the Learner validates on
    writeFileSync(at("valid.txt"), data.valid.names.join("\n"));
    const figures = await geolearn(
      "evaluate",
      "--model",
      at("model.dlpk"),
      "--data",
      at("chips"),
      "--side",
      "valid",
      "--split",
      at("valid.txt"),
    );
    expect(figures["pixelAccuracy"]).toBeCloseTo(evaluation.pixelAccuracy!, 3);
    expect(figures["meanIou"]).toBeCloseTo(evaluation.meanIou!, 3);
  });

  test("it is written as ONNX without its code, and cannot be trained without it", { timeout: 300_000 }, async () => {
    expect(await geolearn("export-onnx", "--model", at("model.dlpk"), "--out", at("model.onnx"))).toMatchObject({
      inputShape: ["batch", 12, "height", "width"],
      outputShape: ["batch", 2, "height", "width"],
    });
    const training = geolearn("train", "--data", at("chips"), "--out", at("more.dlpk"), "--pretrained-model", at("model.dlpk"));
    await expect(training).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        new RegExp(`MODEL_NOT_DEFINED: There is no model "${model.modelType}".*\\n.*import the module`),
      ) as string,
    });
    if (!existsSync(python)) return void process.stderr.write(`no Python environment at ${python}: the ONNX file was not run by it\n`);
    // The same chip in ONNX Runtime of Python and here.
    const chip = Float32Array.from({ length: 12 * 64 * 64 }, (_, i) => 500 + 400 * Math.sin(i / 91));
    const input = { shape: [1, 12, 64, 64], data: Buffer.from(chip.buffer).toString("base64") };
    writeFileSync(at("runs.json"), JSON.stringify([{ inputs: { input } }]));
    const told = JSON.parse(
      execFileSync(python, [join(root, "tests/oracles/run_onnx.py"), at("model.onnx"), at("runs.json")], {
        encoding: "utf8",
        maxBuffer: 1 << 28,
      }),
    ) as { domains: string[]; runs: [{ outputs: { output: { data: string } } }] };
    expect(told.domains).toEqual([""]);
    const bytes = Buffer.from(told.runs[0].outputs.output.data, "base64");
    const scores = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const last = Float32Array.from({ length: chip.length }, (_, i) => chip[(i % 12) * 4096 + Math.floor(i / 12)]!);
    const { values } = await learner.predict(last);
    const differing = values.filter(
      (value, p) => value !== (scores[4096 + p]! > scores[p]! ? data.classes[1]!.value : data.classes[0]!.value),
    );
    expect(differing.length).toBeLessThanOrEqual(2);
  });

  test("with its code it is trained further", { timeout: 300_000 }, trainFurther);
});
