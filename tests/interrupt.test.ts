/** Ctrl-C in the middle of a classification: status 130, a message, and nothing left, whenever it comes. */

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { UNet, exportTrainingData, prepareData, writeSampleTown } from "geolearn";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "geolearn-interrupt-"));
const model = join(scratch, "model.dlpk");
const town = join(scratch, "town");

beforeAll(async () => {
  const { raster, labels } = await writeSampleTown(town, { width: 1536, height: 1024 });
  await exportTrainingData({ raster, labels, out: join(scratch, "chips"), chipSize: 128, stride: 128, workers: 1 });
  const data = await prepareData(join(scratch, "chips"), { task: "pixelClassification", batchSize: 2, workers: 0 });
  const unet = await UNet.create(data, { base: 8, depth: 3 });
  await unet.save(model);
  await unet.dispose();
  await data.close();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Sends SIGINT `delay` milliseconds after the first line of progress. */
function interrupted(delay: number, out: string): Promise<{ status: number | null; err: string }> {
  const entry = join(root, "packages/geolearn/src/cli/main.ts");
  const args = ["classify-pixels", "--model", model, "--raster", join(town, "town.tif"), "--tta", "--out", out];
  const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", entry, ...args], { cwd: root });
  let err = "";
  return new Promise((done) => {
    child.stderr.on("data", (chunk: Buffer) => {
      if (!err.includes("classify-pixels") && String(chunk).includes("classify-pixels")) setTimeout(() => child.kill("SIGINT"), delay);
      err += String(chunk);
    });
    child.on("exit", (status) => done({ status, err }));
  });
}

test.each([0, 200, 700, 1500])("SIGINT %i ms after the first progress", { timeout: 120_000 }, async (delay) => {
  const folder = join(scratch, `out-${delay}`);
  const { status, err } = await interrupted(delay, join(folder, "map.tif"));
  expect(err).toContain("geolearn: interrupted");
  expect(status).toBe(130);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([1, 5, 12])(
  "cancelling a classifier after %i ms waits for its threads, though nothing else keeps the process alive",
  { timeout: 60_000 },
  (delay) => {
    const program = join(root, "tests/programs/cancel-classifier.ts");
    const args = ["--conditions=@geolearn/source", "--import", "tsx", program, model, String(delay)];
    expect(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" })).toBe("ended");
  },
);
