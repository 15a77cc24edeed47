/** The whole chain by the command line on real imagery: export, train, evaluate, classify, polygons, accuracy. */

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { resultSchemas } from "../packages/geolearn/src/cli/results.ts";
import { afterAll, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const data = resolve(root, "../shared/data");
const python = resolve(root, process.env["GEOLEARN_PEERS"] ?? "../.venv-peers", "bin/python");
const scratch = mkdtempSync(join(tmpdir(), "geolearn-chain-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What the tests look at in a result. */
interface CommandResult {
  readonly bands: readonly object[];
  readonly chips: number;
  readonly model: string;
  readonly pixelAccuracy: number;
  readonly classes: readonly { readonly value: number }[];
  readonly count: number;
}

/** Runs `geolearn ... --json` as a user would and checks the result against the published schema. */
async function geolearn(command: string, args: readonly string[]): Promise<CommandResult> {
  const entry = join(root, "packages/geolearn/src/cli/main.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@geolearn/source", "--import", "tsx", entry, command, ...args, "--json"],
    { cwd: root, maxBuffer: 1 << 26 },
  );
  const result: unknown = JSON.parse(stdout);
  resultSchemas[command]?.parse(result);
  return result as CommandResult;
}

interface Story {
  readonly name: string;
  readonly raster: string;
  readonly labels: string;
  readonly bands: number;
  readonly export: readonly string[];
  readonly train: readonly string[];
  /** Values the labels hold, background included. */
  readonly values: readonly number[];
  /** Named in the map. */
  readonly epsg: number;
}

const stories: readonly Story[] = [
  {
    name: "buildings-banepa, 3 bands uint8, polygons in another CRS",
    raster: join(data, "buildings-banepa/image.tif"),
    labels: join(data, "buildings-banepa/buildings.geojson"),
    bands: 3,
    export: ["--chip-size", "128", "--stride", "256"],
    train: ["--base", "4", "--depth", "2", "--epochs", "1"],
    values: [0, 1],
    epsg: 3857,
  },
  {
    name: "water-boadella-s2, 12 bands int16 in degrees",
    raster: join(data, "water-boadella-s2/sentinel2_2020-02-02.tif"),
    labels: join(data, "water-boadella-s2/water.geojson"),
    bands: 12,
    export: ["--chip-size", "64", "--stride", "32", "--all-tiles"],
    train: ["--base", "8", "--depth", "2", "--epochs", "4"],
    values: [0, 1],
    epsg: 4326,
  },
  {
    name: "landcover-slovenia-s2, 13 bands float32, class values with gaps",
    raster: join(data, "landcover-slovenia-s2/ndvi_dem.tif"),
    labels: join(data, "landcover-slovenia-s2/lulc_mask.tif"),
    bands: 13,
    export: ["--chip-size", "16", "--stride", "8", "--all-tiles"],
    train: ["--base", "8", "--depth", "2", "--epochs", "4"],
    values: [0, 2, 3, 4, 8],
    epsg: 32633,
  },
];

describe.skipIf(!existsSync(data))("the chain on real imagery (skipped where the real data is absent)", () => {
  for (const [i, story] of stories.entries()) {
    test(story.name, { timeout: 600_000 }, async () => {
      const at = (name: string): string => join(scratch, String(i), name);
      const info = await geolearn("info", [story.raster]);
      expect(info.bands).toHaveLength(story.bands);
      const exported = await geolearn("export-training-data", [
        "--raster",
        story.raster,
        "--labels",
        story.labels,
        "--out",
        at("chips"),
        ...story.export,
      ]);
      expect(exported.chips).toBeGreaterThan(4);
      const trained = await geolearn("train", [
        "--data",
        at("chips"),
        "--out",
        at("model.dlpk"),
        "--lr",
        "0.005",
        "--seed",
        "3",
        ...story.train,
      ]);
      expect(trained.model).toBe(at("model.dlpk"));
      const evaluated = await geolearn("evaluate", ["--model", at("model.dlpk"), "--data", at("chips")]);
      expect(evaluated.pixelAccuracy).toBeGreaterThan(0);
      const classified = await geolearn("classify-pixels", ["--model", at("model.dlpk"), "--raster", story.raster, "--out", at("map.tif")]);
      const classes = classified.classes;
      for (const { value } of classes) expect(story.values).toContain(value);
      const outlined = await geolearn("to-polygons", ["--raster", at("map.tif"), "--out", at("polygons.gpkg")]);
      expect(outlined.count).toBeGreaterThan(0);
      const judged = await geolearn("accuracy", ["--predicted", at("map.tif"), "--truth", story.labels]);
      expect(judged.pixelAccuracy).toBeGreaterThan(0);

      if (!existsSync(python)) {
        process.stderr.write(`no Python environment at ${python}: the files were not checked by rasterio, shapely and rio-cogeo\n`);
        return;
      }
      const seen = JSON.parse(
        execFileSync(python, [join(root, "tests/oracles/check_outputs.py"), at("map.tif"), at("polygons.gpkg")], { encoding: "utf8" }),
      );
      expect(seen.crs).toBe(story.epsg);
      for (const value of seen.values) expect(story.values).toContain(value);
      expect(seen.colormap).toBe("palette");
      expect(seen.cog).toEqual({ valid: true, errors: [], warnings: [] });
      expect(seen.polygons).toMatchObject({ count: outlined.count, invalid: 0 });
      expect(seen.differs).toBe(0);
    });
  }
});
