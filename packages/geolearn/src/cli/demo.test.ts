/** The demo as `pnpm demo` runs it, on a town an eighth of the usual size and with eight epochs. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRaster, readFeatures, type Warning } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoResult } from "../demo/demo.ts";
import { fromModel } from "../from-model.ts";
import { demoCommand } from "./commands/demo.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(python);
if (!withPeers) process.stdout.write("demo: the figures are not checked with rasterio, no Python environment (GEOLEARN_PEERS)\n");

const folder = mkdtempSync(join(tmpdir(), "geolearn-demo-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [width, height] = [512, 384];
const out = join(folder, "town");
let result: DemoResult;
let text: string;
const warnings: Warning[] = [];

beforeAll(async () => {
  const context = {
    signal: new AbortController().signal,
    onProgress: () => {},
    onWarning: (warning: Warning) => void warnings.push(warning),
    note: () => {},
    print: (value: unknown, printed: string) => {
      result = value as DemoResult;
      text = printed;
    },
  };
  await demoCommand(() => context, { width, height }).parseAsync(["--out", out, "--epochs", "8", "--seed", "5"], { from: "user" });
}, 300_000);

describe("geolearn demo", () => {
  it("leaves what it names, all of it readable, and nothing else", async () => {
    expect((await readdir(out)).sort()).toEqual(result.files.map((name) => name.replace("/", "")).sort());
    for (const [name, bands] of [
      ["town.tif", 3],
      ["map.tif", 1],
    ] as const) {
      const raster = await openRaster(join(out, name));
      expect(raster).toMatchObject({ width, height, bands, sampleType: "uint8", transform: [0.5, 0, 421_000, 0, -0.5, 5_283_000] });
      await raster.close();
    }
    for (const name of ["scene.png", "map.png"]) {
      const picture = await openRaster(join(out, name));
      expect(picture).toMatchObject({ width, height });
      await picture.close();
    }
    expect(existsSync(join(out, "chips", "esri_model_definition.emd"))).toBe(true);
    expect(readFileSync(join(out, "report.html"), "utf8")).toMatch(/^<!doctype html>/i);
    const { features, crs } = await readFeatures(join(out, "footprints.gpkg"));
    expect([features.length, crs?.epsg]).toEqual([result.polygons, 32633]);
    expect(features.length).toBeGreaterThan(5);
    const model = await fromModel(join(out, "buildings.dlpk"), { task: "pixelClassification" });
    expect(model.manifest.classes.map(({ name }) => name)).toEqual(["background", "building"]);
  });

  it("prints its figures", () => {
    const number = String.raw`\d(\.\d+)?`;
    expect(text).toMatch(/^On the eastern quarter of the town, which training never saw:\n/);
    expect(text).toMatch(
      new RegExp(String.raw`\npixel accuracy +${number}\nmean IoU +${number}\nkappa +-?${number}\npixels +${(width / 4) * height}\n`),
    );
    expect(text).toMatch(new RegExp(String.raw`\n +0 +background( +${number}){4}\n`));
    const iou = `building IoU        ${result.buildingIou.toFixed(3)}   (the best rule on colour alone: ${result.colourOnlyIou.toFixed(3)})`;
    expect(text).toContain(iou);
    expect(text).toMatch(new RegExp(String.raw`\n${result.polygons} footprints, \d+ s in all. In .*town/:\n\n  town\.tif\n`));
    expect(result.epochs).toHaveLength(8);
    expect(warnings.map(({ code }) => code)).toEqual(["CHIPS_ACROSS_BORDER"]);
  });

  it.skipIf(!withPeers)("judges with rasterio's eyes: truth burnt and compared on the eastern quarter", () => {
    const code = `
import json, pyogrio, rasterio, rasterio.features, shapely
with rasterio.open("map.tif") as r:
    predicted, transform = r.read(1), r.transform
_, _, wkb, _ = pyogrio.raw.read("buildings.gpkg")
truth = rasterio.features.rasterize([(g, 1) for g in shapely.from_wkb(wkb)], out_shape=predicted.shape, transform=transform)
east = slice(round(predicted.shape[1] * 0.75), None)
p, t = predicted[:, east] == 1, truth[:, east] == 1
print(json.dumps([int((p & t).sum()) / int((p | t).sum()), float((p == t).mean())]))
`;
    const [iou, accuracy] = JSON.parse(execFileSync(python, ["-W", "ignore", "-c", code], { cwd: out, encoding: "utf8" })) as number[];
    expect(result.buildingIou).toBeCloseTo(iou!, 12);
    expect(result.metrics.pixelAccuracy).toBeCloseTo(accuracy!, 12);
  });
});
