/** `train` on the command line: what is told ahead, and what is refused before anything is computed. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRaster, parseCrs } from "@geolearn/core";
import { exportTrainingData } from "@geolearn/data-prep";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainResult } from "./results.ts";
import { runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-train-"));
const chips = join(folder, "chips");

beforeAll(async () => {
  const raster = join(folder, "scene.tif");
  const labels = join(folder, "labels.tif");
  for (const path of [raster, labels]) {
    const writer = await createRaster(path, {
      width: 128,
      height: 128,
      bands: 1,
      sampleType: "uint8",
      transform: [2, 0, 500_000, 0, -2, 5_000_000],
      crs: parseCrs(32633),
    });
    const bright = (i: number): boolean => (Math.floor(i / 128 / 10) + Math.floor((i % 128) / 10)) % 3 === 0;
    await writer.appendRows(
      Uint8Array.from({ length: 128 * 128 }, (_, i) => (path === labels ? (bright(i) ? 3 : 0) : (bright(i) ? 150 : 60) + ((i * 7) % 13))),
      128,
    );
    await writer.close();
  }
  await exportTrainingData({ raster, labels, out: chips, chipSize: 16, stride: 16, workers: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function train(...args: string[]): ReturnType<typeof runText> {
  return runText("train", "--data", chips, "--base", "4", "--depth", "2", "--batch-size", "4", "--epochs", "2", "--threads", "1", ...args);
}

test("--estimate tells steps, time, memory and disk, and writes no model", async () => {
  const model = join(folder, "nowhere", "model.dlpk");
  const { status, out } = await train("--out", model, "--estimate", "--json");
  expect(status).toBe(0);
  const estimate = JSON.parse(out) as { steps: number; seconds: number; memoryMb: number; diskMb: number };
  expect(estimate.steps).toBeGreaterThan(100);
  for (const figure of [estimate.seconds, estimate.memoryMb, estimate.diskMb]) expect(figure).toBeGreaterThan(0);
  expect(existsSync(join(folder, "nowhere"))).toBe(false);
  expect((await train("--out", model, "--estimate", "--lr", "0.01")).out).toMatch(/steps +\d+\ntime +\d+ s\nmemory +\d+ MiB\n/);
});

test("names of outputs are looked at before the work", async () => {
  for (const outputs of [
    ["--out", join(folder, "model.zip")],
    ["--out", join(folder, "m.dlpk"), "--report", join(folder, "report.pdf")],
  ]) {
    const { status, err } = await train(...outputs);
    expect(status).toBe(2);
    expect(err).toMatch(/--(out|report) is/);
  }
});

test("a figure nobody knows is refused before a word is said of an interrupted run", async () => {
  const model = join(folder, "interrupted.dlpk");
  mkdirSync(`${model}.checkpoint`);
  const { status, err } = await train("--out", model, "--lr", "0.01", "--monitor", "map50");
  expect(status).not.toBe(0);
  expect(err).toContain('fit cannot monitor "map50"');
  expect(err).not.toContain("is replaced");
  expect(readdirSync(`${model}.checkpoint`)).toEqual([]);
  const replaced = await train("--out", model, "--lr", "0.01");
  expect(replaced.status, replaced.err).toBe(0);
  expect(replaced.err).toContain("is replaced");
});

test("folders of outputs are made; the result is the published one", async () => {
  const [model, report] = [join(folder, "new", "model.dlpk"), join(folder, "reports", "first", "report.html")];
  const { status, out } = await train("--out", model, "--report", report, "--lr", "0.01", "--json");
  expect(status).toBe(0);
  expect(trainResult.parse(JSON.parse(out))).toMatchObject({ model, modelType: "unet", best: expect.any(Number) as number });
  for (const path of [model, report]) expect(existsSync(path)).toBe(true);
  expect(existsSync(`${model}.checkpoint`)).toBe(false);
});
