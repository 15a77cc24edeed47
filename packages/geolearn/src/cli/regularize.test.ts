/** `geolearn regularize` and the method on a layer. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FeatureLayer } from "../feature-layer.ts";
import { regularizeResult } from "./results.ts";
import { runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-regularize-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A ragged building of about 22 by 11 m near the equator, and one too small for the tolerance, in degrees. */
const path = join(folder, "in.geojson");
const polygon = (coordinates: number[][]): object => ({
  type: "Feature",
  properties: {},
  geometry: { type: "Polygon", coordinates: [coordinates] },
});
writeFileSync(
  path,
  JSON.stringify({
    type: "FeatureCollection",
    features: [
      polygon([
        [15, 0],
        [15.0001, 0.000002],
        [15.0002, 0],
        [15.000199, 0.0001],
        [15.0001, 0.000098],
        [15, 0.0001],
        [15, 0],
      ]),
      polygon([
        [15.001, 0],
        [15.001001, 0],
        [15.001001, 0.000001],
        [15.001, 0],
      ]),
    ],
  }),
);

const run = (...args: string[]): ReturnType<typeof runText> => runText("regularize", ...args);

test("regularizes a file, counts what it copied, and agrees with the method on a layer", async () => {
  const target = join(folder, "out.gpkg");
  const { status, out } = await run("--in", path, "--out", target, "--tolerance", "1", "--json");
  expect(status).toBe(0);
  expect(regularizeResult.parse(JSON.parse(out))).toEqual({ out: target, count: 2, regularized: 1, copied: 1 });
  const written = await FeatureLayer.open(target);
  const layer = (await FeatureLayer.open(path)).regularize({ method: "rightAngles", tolerance: 1 });
  expect(written.features.map(({ geometry, properties }) => ({ geometry, properties }))).toEqual(
    layer.features.map(({ geometry, properties }) => ({ geometry, properties })),
  );
  expect((written.features[0]!.geometry as { coordinates: number[][][] }).coordinates[0]).toHaveLength(5);
});

test("walls follow lines of a file, or an angle", async () => {
  const roads = join(folder, "roads.geojson");
  // a road two degrees off the building: 0.0003 degrees are 33.4 m to the east and, at the equator, 33.2 m to the north
  const geometry = { type: "LineString", coordinates: [0, 0.0003].map((east) => [15 + east, -0.00005 + east * Math.tan(Math.PI / 90)]) };
  writeFileSync(roads, JSON.stringify({ type: "Feature", geometry, properties: {} }));
  for (const alignment of [roads, "2"]) {
    const target = join(folder, "aligned.gpkg");
    expect((await run("--in", path, "--out", target, "--tolerance", "1", "--alignment", alignment)).status).toBe(0);
    const { features } = (await FeatureLayer.open(target)).reproject(32633);
    const { coordinates } = features[0]!.geometry as { coordinates: number[][][] };
    const [[ax, ay], [bx, by]] = coordinates[0] as [[number, number], [number, number]];
    const degrees = ((Math.atan2(by - ay, bx - ax) * 180) / Math.PI + 360) % 90;
    // degrees of longitude and latitude differ in length by 0.7 % at the equator
    expect(Math.abs(degrees - 2)).toBeLessThan(0.05);
  }
  const { status, err } = await run("--in", path, "--out", join(folder, "a.gpkg"), "--tolerance", "1", "--alignment", path);
  expect(status).toBe(1);
  expect(err).toContain("INVALID_ARGUMENT: --alignment");
});

test("wrong usage ends with 2, bad lengths with 1 and a hint of flags", async () => {
  expect((await run("--in", path, "--out", join(folder, "a.gpkg"))).status).toBe(2);
  expect((await run("--in", path, "--out", join(folder, "a.gpkg"), "--tolerance", "1", "--method", "squares")).status).toBe(2);
  const { status, err } = await run("--in", path, "--out", join(folder, "a.gpkg"), "--tolerance", "1", "--densification", "2");
  expect(status).toBe(1);
  expect(err).toContain("INVALID_ARGUMENT: --densification is 2");
  const unread = await run("--in", path, "--out", join(folder, "a.gpkg"), "--tolerance", "1", "--diagonal-penalty", "2");
  expect(unread.status).toBe(1);
  expect(unread.err).toContain("--diagonal-penalty is not read with --method right-angles.");
  expect(unread.err).toContain("use it with --method right-angles-and-diagonals or --method any-angles.");
});

test("a layer of points is refused, and nothing is written", async () => {
  const source = join(folder, "points.geojson");
  writeFileSync(source, JSON.stringify({ type: "Feature", geometry: { type: "Point", coordinates: [15, 0] }, properties: {} }));
  const target = join(folder, "points.gpkg");
  const { status, err } = await run("--in", source, "--out", target, "--tolerance", "1");
  expect(status).toBe(1);
  expect(err).toContain("GEOMETRY_INVALID: points.geojson holds no polygon but 1 Point");
  expect(existsSync(target)).toBe(false);
});

test("circles by area: a round tank of which a quarter is missing", async () => {
  const source = join(folder, "tank.geojson");
  // a radius of 6 m near the equator, the quarter to the south-east missing
  const degrees = 6 / 111_195;
  const arc = Array.from({ length: 97 }, (_, k) => [
    15 + degrees * Math.cos((2 * Math.PI * k) / 128),
    degrees * Math.sin((2 * Math.PI * k) / 128),
  ]);
  writeFileSync(source, JSON.stringify({ type: "FeatureCollection", features: [polygon([...arc, [15, 0], arc[0]!])] }));
  const copied = async (...more: string[]): Promise<number> => {
    const { out } = await run(
      "--in",
      source,
      "--out",
      join(folder, "tank.gpkg"),
      "--method",
      "circle",
      "--tolerance",
      "1",
      ...more,
      "--json",
    );
    return regularizeResult.parse(JSON.parse(out)).copied;
  };
  expect([await copied(), await copied("--circle-area-ratio", "0.15"), await copied("--circle-area-ratio", "0.4")]).toEqual([1, 1, 0]);
});
