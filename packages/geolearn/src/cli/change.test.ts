/** Change detection from end to end on the command line: chips of two dates, a detector, a map of what was built. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng, encodeGeoTiff, openRaster, parseCrs } from "@geolearn/core";
import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fromModel } from "../index.ts";
import { classifyPixelsResult, exportResult, trainResult } from "./results.ts";
import { runJson, runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-change-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SIDE = 192;
const [LEFT, TOP] = [500_000, 5_000_000];

/** Squares on noisy ground: some stand at both dates, the others only at the later one, and those are the labels. */
beforeAll(async () => {
  const rng = createRng(5);
  const squares = Array.from({ length: 40 }, (_, n) => ({
    col: rng.int(SIDE - 14),
    row: rng.int(SIDE - 14),
    side: 8 + rng.int(6),
    built: n % 2 === 1,
  }));
  const dates = ([false, true] as const).map((later) => {
    const data = new Uint8Array(3 * SIDE * SIDE).map(() => 90 + (later ? 10 : 0) + rng.int(12));
    for (const { col, row, side, built } of squares) {
      if (built && !later) continue;
      for (let band = 0; band < 3; band++)
        for (let y = row; y < row + side; y++) data.fill(200, (band * SIDE + y) * SIDE + col, (band * SIDE + y) * SIDE + col + side);
    }
    return data;
  });
  const write = async (name: string, data: Uint8Array, bands: number): Promise<void> => {
    const profile = { sampleType: "uint8", crs: parseCrs(32633), transform: [1, 0, LEFT, 0, -1, TOP], compression: "deflate" } as const;
    writeFileSync(path(name), await encodeGeoTiff({ data, bands, width: SIDE, height: SIDE }, profile));
  };
  await write("2018.tif", dates[0]!, 3);
  await write("2024.tif", dates[1]!, 3);
  await write("both.tif", new Uint8Array([...dates[0]!, ...dates[1]!]), 6);
  const features = squares
    .filter(({ built }) => built)
    .map(({ col, row, side }) => {
      const [x0, y0, x1, y1] = [LEFT + col, TOP - row, LEFT + col + side, TOP - row - side];
      const ring = [[x0, y0], [x0, y1], [x1, y1], [x1, y0], [x0, y0]]; // prettier-ignore
      return { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } };
    });
  const crs = { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::32633" } };
  writeFileSync(path("built.geojson"), JSON.stringify({ type: "FeatureCollection", crs, features }));
});

async function pixels(file: string): Promise<Buffer> {
  const raster = await openRaster(file);
  const { data } = await raster.read();
  await raster.close();
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

test("chips of two dates, one epoch, and the map that a raster of both dates gives, to the bit", async () => {
  const [chips, model] = [path("chips"), path("change.dlpk")];
  const dates = ["--raster", path("2018.tif"), "--additional-raster", path("2024.tif"), "--labels", path("built.geojson")];
  const exported = await runJson(
    exportResult,
    "export-training-data",
    ...dates,
    "--chip-size",
    "64",
    "--stride",
    "32",
    "--all-tiles",
    "--out",
    chips,
  );
  expect([exported.chips, exported.bands]).toEqual([25, 3]);

  const network = ["--model-type", "change-detector", "--backbone", "mobilenetv3-small", "--norm", "group"];
  const trained = await runJson(
    trainResult,
    "train",
    "--data",
    chips,
    "--out",
    model,
    ...network,
    "--epochs",
    "1",
    "--lr",
    "1e-3",
    "--threads",
    "2",
  );
  expect(trained.modelType).toBe("change-detector");
  const { manifest } = await readModelPackage(model);
  expect(manifest.bandIndices).toHaveLength(6);

  const work = ["--model", model, "--scores", "--workers", "1"];
  const [changed, classified] = [path("change.tif"), path("classified.tif")];
  const scene = ["--earlier", path("2018.tif"), "--later", path("2024.tif")];
  const result = await runJson(classifyPixelsResult, "detect-change", ...work, ...scene, "--out", changed);
  await runJson(
    classifyPixelsResult,
    "classify-pixels",
    ...work,
    "--raster",
    path("both.tif"),
    "--bands",
    "0,1,2,3,4,5",
    "--out",
    classified,
  );
  expect(result.classes.map(({ name }) => name)).toEqual(manifest.classes.map(({ name }) => name));
  for (const file of ["", ".scores"]) {
    const [own, stacked] = [changed, classified].map((map) => map.replace(/\.tif$/, `${file}.tif`));
    expect((await pixels(own!)).equals(await pixels(stacked!)), own).toBe(true);
  }

  const opened = await fromModel(model, { task: "pixelClassification" });
  const map = await opened.detectChange(path("2018.tif"), path("2024.tif"), { workers: 1, out: path("method.tif") });
  expect(readFileSync(map.path).equals(readFileSync(changed))).toBe(true);
  expect((await map.toPolygons()).crs?.epsg).toBe(32633);

  const estimate = await runText("detect-change", ...work, ...scene, "--out", path("none.tif"), "--estimate");
  expect(estimate.out).toContain("windows");
  const wide = await runText("detect-change", ...work, ...scene, "--out", path("none.tif"), "--bands", "0");
  expect([wide.status, wide.err]).toEqual([1, expect.stringMatching(/BANDS_MISMATCH[\s\S]*of each date/)]);
});
