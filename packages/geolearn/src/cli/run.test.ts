/** The command line's promises: exit statuses, where things are printed, published schemas. */

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createRaster, encodeGeoTiff, parseCrs, writeFeatures } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelManifest, createUNet, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../version.ts";
import { publishedSchemas } from "./results.ts";
import { runCli } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-cli-"));
const scene = join(folder, "scene.tif");

beforeAll(async () => {
  const writer = await createRaster(scene, {
    width: 20,
    height: 10,
    bands: 1,
    sampleType: "uint8",
    transform: [2, 0, 500_000, 0, -2, 5_000_000],
    crs: parseCrs(32633),
    nodata: 255,
  });
  await writer.appendRows(
    Uint8Array.from({ length: 200 }, (_, i) => (i % 20 < 5 ? 7 : 0)),
    10,
  );
  await writer.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const status = await runCli(args, {
    signal: new AbortController().signal,
    out: (text) => {
      out += text;
    },
    err: {
      write: (text: string) => {
        err += text;
      },
    },
  });
  return { status, out, err };
}

describe("exit status", () => {
  test("0 and the version", async () => {
    expect(await run("--version")).toMatchObject({ status: 0, out: `${version}\n` });
  });

  test("0 and help that names every option on stdout", async () => {
    const { status, out } = await run("train", "--help");
    expect(status).toBe(0);
    for (const option of ["--data", "--backbone", "--epochs", "--lr", "--resume", "--report", "--json"]) expect(out).toContain(option);
  });

  test.each([
    [[]],
    [["no-such-command"]],
    [["train", "--data", "chips"]],
    [["train", "--data", "chips", "--out", "m.dlpk", "--epochs", "many"]],
    [["train", "--data", "chips", "--out", "m.dlpk", "--loss", "guess"]],
    [["export-training-data", "--raster", "a", "--labels", "b", "--out", "c", "--extent", "1,2,3"]],
    [["to-polygons", "--raster", "a", "--out", "b", "--connectivity", "6"]],
    [["classify-pixels", "--model", "a", "--raster", "b", "--out", "c", "--cell-size", "large"]],
    [["check"]],
    [["info"]],
  ])("2 for wrong usage: %j", async (args) => {
    const { status, out, err } = await run(...args);
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).not.toBe("");
  });

  test.each([
    [["info", join(folder, "nowhere.tif")], "FILE_NOT_FOUND"],
    [["to-polygons", "--raster", scene, "--out", join(folder, "a.kml")], "UNSUPPORTED_FORMAT"],
    [["to-polygons", "--raster", scene, "--out", join(folder, "a.gpkg"), "--classes", "castle"], "CLASS_UNKNOWN"],
    [["classify-pixels", "--model", scene, "--raster", scene, "--out", join(folder, "m.tif")], "MODEL_CORRUPT"],
  ])("1 with code and hint on stderr: %j", async (args, code) => {
    const { status, out, err } = await run(...args);
    expect(status).toBe(1);
    expect(out).toBe("");
    expect(err).toMatch(new RegExp(`^geolearn: ${code}: .+\\n {2}\\S`, "m"));
    expect(readdirSync(folder)).toEqual(["scene.tif"]);
  });

  test.each([
    [
      "raster.geojson",
      '{ "type": "FeatureCollection", "features": [] }',
      "--raster",
      "it is vector data",
      "as labels; were raster and labels swapped?",
    ],
    ["raster.md", "# Read me", "--raster", "it is text", "check the path"],
    ["raster.jp2", "\0\0\0\x0cjP  ", "--raster", "it is of another format", "gdal_translate"],
    ["raster.onnx", "\x08\x08\x12\x07", "--raster", "it is a model file", "`geolearn import-onnx`"],
    ["raster.pth", "\x80\x02", "--raster", "it is a PyTorch weight file", "`geolearn train --weights`"],
    ["model.pth", "\x80\x02", "--model", "is a PyTorch weight file", "`geolearn train --weights FILE`"],
    [
      "model.onnx",
      "\x08\x08\x12\x07",
      "--model",
      "is an ONNX file",
      "package of it: `geolearn import-onnx --onnx FILE --out MODEL.dlpk`.\n",
    ],
    ["onnx.pth", "\x80\x02", "--onnx", "is a PyTorch weight file", "`geolearn train --weights FILE`"],
  ])("1 and what the file is: %s", async (name, content, option, what, hint) => {
    const path = join(folder, name);
    writeFileSync(path, content, "latin1");
    const commands: Record<string, string[]> = {
      "--raster": ["to-polygons", "--raster", path],
      "--model": ["classify-pixels", "--model", path, "--raster", scene],
      "--onnx": ["import-onnx", "--onnx", path],
    };
    const { status, err } = await run(...commands[option]!, "--out", join(folder, option === "--raster" ? "a.gpkg" : "a.tif"));
    rmSync(path);
    expect(status).toBe(1);
    expect(err).toMatch(/^geolearn: UNSUPPORTED_FORMAT: /);
    expect(err).toContain(what);
    expect(err).toContain(hint);
    expect(err.includes("gdal_translate")).toBe(hint === "gdal_translate");
  });

  test("a missing file is looked for in a folder that can be read in a sentence", async () => {
    const { err } = await run("export-training-data", "--raster", scene, "--labels", "missing.geojson", "--out", join(folder, "never"));
    expect(err).toBe(`geolearn: FILE_NOT_FOUND: There is no file missing.geojson.\n  Look into the folder "${resolve(".")}".\n`);
  });

  test("messages and hints name flags", async () => {
    const files = ["--raster", scene, "--labels", scene, "--out", join(tmpdir(), "never-written")];
    const wrong = await run("export-training-data", ...files, "--cell-size", "0");
    expect(wrong.err).toContain("INVALID_ARGUMENT: --cell-size is 0;");
    const blank = join(folder, "blank.tif");
    writeFileSync(
      blank,
      await encodeGeoTiff(
        { data: new Uint8Array(64), width: 8, height: 8, bands: 1 },
        { sampleType: "uint8", transform: [1, 0, 0, 0, -1, 8], crs: null },
      ),
    );
    const unplaced = await run("export-training-data", "--raster", blank, "--labels", scene, "--out", join(tmpdir(), "never-written"));
    expect(unplaced.err).toContain("such as --crs 32633");
    rmSync(blank);
  });

  test("130 when interrupted", async () => {
    const controller = new AbortController();
    controller.abort(new DOMException("Interrupted.", "AbortError"));
    const status = await runCli(["to-polygons", "--raster", scene, "--out", join(folder, "b.gpkg")], {
      signal: controller.signal,
      out: () => {},
      err: { write: () => {} },
    });
    expect(status).toBe(130);
    expect(readdirSync(folder)).toEqual(["scene.tif"]);
  });
});

describe("chips of objects and of whole classes", () => {
  const labels = join(tmpdir(), `geolearn-cli-${process.pid}-things.geojson`);
  const chips = (format: string): string => join(tmpdir(), `geolearn-cli-${process.pid}-${format}`);
  const formats = ["rcnn-masks", "multi-labeled-tiles"];

  beforeAll(async () => {
    const ring = (x: number): [number, number][] => [
      [500_000 + x, 4_999_984],
      [500_008 + x, 4_999_984],
      [500_008 + x, 4_999_992],
      [500_000 + x, 4_999_992],
      [500_000 + x, 4_999_984],
    ];
    const things = [4, 24].map((x, i) => ({
      geometry: { type: "Polygon" as const, coordinates: [ring(x)] },
      properties: { value: i + 1 },
    }));
    await writeFeatures({ name: "things", crs: parseCrs(32633), features: things }, labels);
  });
  afterAll(() => [labels, ...formats.map(chips)].forEach((path) => rmSync(path, { recursive: true, force: true })));

  test("are exported, described and checked in their own words", async () => {
    for (const format of formats) {
      const files = ["--raster", scene, "--labels", labels, "--out", chips(format)];
      const exported = await run("export-training-data", ...files, "--format", format, "--chip-size", "10", "--stride", "10", "--json");
      expect(exported).toMatchObject({ status: 0 });
      expect(JSON.parse(exported.out)).toMatchObject({ chips: 2, classes: [{ objects: 1 }, { objects: 1 }] });
    }
    const [masks, tiles] = formats.map(chips) as [string, string];
    expect((await run("info", masks)).out).toMatch(/value +class +objects +share +chips/);
    expect((await run("info", tiles)).out).toMatch(/value +class +share +chips/);
    const checked = (await run("check", masks)).out;
    expect(checked).toMatch(/value +class +objects +share\n +1 +1 +1 +50 %/);
    expect(checked).toMatch(/^chips +2\nwith objects +2 chips$/m);
    expect(checked).not.toMatch(/label shift|ignored pixels|images without label/);
    expect((await run("check", tiles)).out).toMatch(/with a class +2 chips[^]*value +class +chips +share\n +1 +1 +1 +50 %/);
    const refused = await run("train", "--data", masks, "--out", join(folder, "never.dlpk"), "--threads", "1");
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining("CHIP_SIZE_NOT_DIVISIBLE") as string });
  });
});

describe("a model of three bands", () => {
  const model = join(tmpdir(), `geolearn-cli-${process.pid}.dlpk`);
  const wide = join(tmpdir(), `geolearn-cli-${process.pid}.tif`);
  const map = join(tmpdir(), `geolearn-cli-${process.pid}-map.tif`);
  const place = { transform: [20, 0, 500_000, 0, -20, 5_000_000] as const, crs: parseCrs(32633) };
  const classify = ["classify-pixels", "--model", model, "--raster", wide, "--out", map];

  beforeAll(async () => {
    await startEngine({ threads: 1 });
    const statistics = Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 100, std: 50, count: 1000 }));
    const normalization = { mean: [100, 100, 100], std: [50, 50, 50] };
    const network = createUNet({ bands: 3, classes: 2, base: 2, depth: 2, normalization }, { seed: 1 });
    const manifest: ModelManifest = {
      task: "pixelClassification",
      name: "test",
      modelType: "unet",
      backbone: null,
      config: network.config,
      classes: [
        { value: 0, name: "background", color: [0, 0, 0] },
        { value: 5, name: "water", color: [0, 0, 255] },
      ],
      bandNames: ["band 1", "band 2", "band 3"],
      bandIndices: [0, 1, 2],
      sourceBands: 3,
      sampleType: "uint8",
      statistics,
      chipWidth: 32,
      chipHeight: 32,
      resolution: 20,
      metrics: {},
      training: {},
    };
    await writeModelPackage(model, { manifest, weights: network.weights() });
    network.dispose();
    const data = Uint8Array.from({ length: 12 * 40 * 40 }, (_, i) => (i * 37) % 251);
    writeFileSync(wide, await encodeGeoTiff({ data, width: 40, height: 40, bands: 12 }, { sampleType: "uint8", ...place }));
  });
  afterAll(() => {
    for (const path of [model, wide, map]) rmSync(path, { force: true });
  });

  test("refuses to guess among twelve, and takes the bands it is given", async () => {
    const refused = await run(...classify);
    expect(refused).toMatchObject({ status: 1, out: "" });
    expect(refused.err).toMatch(/^geolearn: BANDS_MISMATCH: There are 12 bands .*\n.*such as --bands 0,1,2\.$/m);
    const { status, out } = await run(...classify, "--bands", "3,2,1", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ out: map, classes: [{ value: 0 }, { value: 5 }] });
  });

  test("two bands are refused", async () => {
    const { status, err } = await run(...classify, "--bands", "3,2");
    expect(status).toBe(1);
    expect(err).toMatch(/BANDS_MISMATCH: 2 bands .* were chosen \(3, 2\)/);
    expect(err).toContain("Give --bands as 3 numbers");
  });

  test("evaluate refuses to guess too", async () => {
    const chips = join(tmpdir(), `geolearn-cli-${process.pid}-chips`);
    const labels = join(tmpdir(), `geolearn-cli-${process.pid}-labels.tif`);
    const data = Uint8Array.from({ length: 40 * 40 }, (_, i) => (i % 40 < 20 ? 0 : 5));
    writeFileSync(labels, await encodeGeoTiff({ data, width: 40, height: 40, bands: 1 }, { sampleType: "uint8", ...place }));
    try {
      const cut = ["--chip-size", "32", "--stride", "8", "--all-tiles"];
      expect(await run("export-training-data", "--raster", wide, "--labels", labels, "--out", chips, ...cut)).toMatchObject({ status: 0 });
      const evaluate = ["evaluate", "--model", model, "--data", chips, "--side", "all", "--json"];
      const refused = await run(...evaluate);
      expect(refused).toMatchObject({ status: 1, out: "" });
      expect(refused.err).toContain("such as --bands 0,1,2.");
      expect((await run(...evaluate, "--bands", "3,2")).err).toContain("BANDS_MISMATCH: 2 bands were chosen; the model needs 3.");
      const { status, out } = await run(...evaluate, "--bands", "3,2,1");
      expect(status).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ classes: [{ value: 0 }, { value: 5 }] });
    } finally {
      rmSync(chips, { recursive: true, force: true });
      rmSync(labels, { force: true });
    }
  });
});

describe("results", () => {
  test("JSON alone on stdout", async () => {
    const { status, out } = await run("info", scene, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      kind: "raster",
      width: 20,
      height: 10,
      crs: { epsg: 32633 },
      extent: [500_000, 4_999_980, 500_040, 5_000_000],
      nodata: 255,
      bands: [{ statistics: { min: 0, max: 7, mean: 1.75, count: 200 } }],
    });
  });

  test.each([".geojsonl", ".fgb", ".parquet"])(
    "polygons as %s: counts by class, described, and as the truth of their own map",
    async (extension) => {
      const path = join(folder, `regions${extension}`);
      const { out } = await run("to-polygons", "--raster", scene, "--out", path, "--json");
      expect(JSON.parse(out)).toEqual({ out: path, count: 2, classes: { "0": 1, "7": 1 } });
      expect(JSON.parse((await run("info", path, "--json")).out)).toMatchObject({ kind: "features", count: 2, geometries: { Polygon: 2 } });
      const accuracy = await run("accuracy", "--predicted", scene, "--truth", path, "--json");
      expect(JSON.parse(accuracy.out)).toMatchObject({ pixelAccuracy: 1, meanIou: 1 });
      rmSync(path);
    },
  );

  test("a picture is no class raster, unless one of its bands is named", async () => {
    const [path, out] = [join(folder, "picture.tif"), join(folder, "picture.geojson")];
    writeFileSync(
      path,
      await encodeGeoTiff(
        { data: Uint8Array.from({ length: 48 }, (_, i) => (i < 32 ? i : i % 2)), width: 4, height: 4, bands: 3 },
        { sampleType: "uint8", transform: [1, 0, 500_000, 0, -1, 5_000_000], crs: parseCrs(32633) },
      ),
    );
    const refused = await run("to-polygons", "--raster", path, "--out", out);
    expect(refused).toMatchObject({ status: 1, out: "" });
    expect(refused.err).toMatch(/INVALID_ARGUMENT: .*picture\.tif has 3 bands; a class raster has one\.\n.*--band 0/);
    const { out: json } = await run("to-polygons", "--raster", path, "--out", out, "--band", "2", "--json");
    expect(JSON.parse(json)).toMatchObject({ classes: { "0": 2, "1": 2 } });
    expect((await run("accuracy", "--predicted", scene, "--truth", path)).err).toContain("has 3 bands; a class raster has one.");
    for (const file of [path, out]) rmSync(file);
  });

  test("accuracy of a map against itself", async () => {
    const { out } = await run("accuracy", "--predicted", scene, "--truth", scene, "--json");
    expect(JSON.parse(out)).toMatchObject({ pixelAccuracy: 1, meanIou: 1, kappa: 1 });
  });

  test("accuracy of objects: features on both sides; table, report and marked features", async () => {
    const path = (name: string): string => join(folder, name);
    const box = (x: number, properties: object): object => ({
      type: "Feature",
      properties,
      geometry: { type: "Polygon", coordinates: [[[x, 0], [x + 0.001, 0], [x + 0.001, 0.001], [x, 0.001], [x, 0]]] }, // prettier-ignore
    });
    const collection = (...features: object[]): string => JSON.stringify({ type: "FeatureCollection", features });
    writeFileSync(path("true.geojson"), collection(box(0, { kind: "house" }), box(0.01, { kind: "house" }), box(0.02, { kind: "tree" })));
    writeFileSync(
      path("found.geojson"),
      collection(box(0.0002, { Class: "house", Confidence: 0.9 }), box(0.02, { Class: "house", Confidence: 0.5 })),
    );
    const sides = ["accuracy", "--predicted", path("found.geojson"), "--truth", path("true.geojson")];
    const { out } = await run(...sides, "--json");
    expect(JSON.parse(out)).toEqual({
      truePositives: 2,
      falsePositives: 0,
      falseNegatives: 1,
      precision: 1,
      recall: 2 / 3,
      f1: 0.8,
      ap: expect.closeTo(2 / 3, 12),
    });
    const files = ["--out", path("checked.geojson"), "--table", path("accuracy.csv"), "--report", path("accuracy.html")];
    const classes = await run(...sides, "--class-field", "kind", "--predicted-class-field", "Class", "--min-iou", "0.6", ...files);
    expect(classes.out).toMatch(/^class .*\nhouse +0\.5 +0\.5 +0\.5 +0\.5 +1 +1 +1\ntree +- +0 +0 +0 +0 +0 +1\nall /);
    expect(readFileSync(path("accuracy.csv"), "utf8")).toContain("house,0.5,0.5,0.5,0.5,1,1,1\n");
    expect(readFileSync(path("accuracy.html"), "utf8")).toContain("Accuracy report");
    const marked = JSON.parse(readFileSync(path("checked.geojson"), "utf8")) as { features: { properties: { accuracy: string } }[] };
    expect(marked.features.map(({ properties }) => properties.accuracy)).toEqual(["TP", "FP", "FN", "FN"]);
    expect(JSON.parse((await run(...sides, "--min-iou", "0.9", "--json")).out)).toMatchObject({ truePositives: 1, falsePositives: 1 });
    // a raster is no list of objects, and pixels have no IoU to choose
    expect(await run("accuracy", "--predicted", path("found.geojson"), "--truth", scene)).toMatchObject({ status: 1 });
    const pixels = await run("accuracy", "--predicted", scene, "--truth", scene, "--min-iou", "0.5");
    expect(pixels.status).toBe(1);
    expect(pixels.err).toContain("--min-iou");
    for (const name of ["true.geojson", "found.geojson", "checked.geojson", "accuracy.csv", "accuracy.html"]) rmSync(path(name));
  });

  test("check needs a folder or a raster with labels, not both", async () => {
    writeFileSync(join(folder, "x"), "");
    expect((await run("check", folder, "--raster", scene, "--labels", scene)).status).toBe(2);
    rmSync(join(folder, "x"));
  });
});

test("the published schemas are those the code checks against (pnpm schemas writes them)", () => {
  const published = resolve(import.meta.dirname, "../../schemas");
  const schemas = publishedSchemas();
  expect(readdirSync(published).sort()).toEqual(
    Object.keys(schemas)
      .map((command) => `${command}.json`)
      .sort(),
  );
  for (const [command, schema] of Object.entries(schemas)) {
    expect(JSON.parse(readFileSync(join(published, `${command}.json`), "utf8"))).toEqual(JSON.parse(JSON.stringify(schema)));
  }
});

test("version and package agree", () => {
  const { version: packaged } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8")) as { version: string };
  expect(version).toBe(packaged);
});
