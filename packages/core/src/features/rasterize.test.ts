import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { FeatureCollection, Geometry, Position } from "geojson";
import { describe, expect, it } from "vitest";

import type { Affine } from "../affine.ts";
import { type Rng, createRng } from "../rng.ts";
import { type Shape, rasterize } from "./rasterize.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(python);
if (!withPeers) process.stdout.write("rasterize: tests against rasterio are skipped, no Python environment (GEOLEARN_PEERS)\n");
const buildings = join(root, "../shared/data/buildings-banepa");
const withData = existsSync(buildings);
if (!withData) process.stdout.write("rasterize: the test on buildings-banepa is skipped, no shared data\n");

interface Case {
  readonly width: number;
  readonly height: number;
  readonly transform: Affine;
  readonly allTouched: boolean;
  readonly fill: number;
  readonly shapes: Shape[];
}

interface Answer {
  readonly burnt: string;
  readonly padded: string;
}

function askRasterio(cases: readonly Case[]): Answer[] {
  const script = join(root, "tests/oracles/rasterize.py");
  return JSON.parse(execFileSync(python, [script], { input: JSON.stringify(cases), encoding: "utf8", maxBuffer: 2 ** 28 })) as Answer[];
}

/** Shapes of every kind, also beyond the grid, with vertices on pixel corners and centres. */
function randomCases(seed: number, count: number, largest: number): Case[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => {
    const width = 1 + rng.int(largest);
    const height = 1 + rng.int(largest);
    const transform = randomTransform(rng);
    const snap = [0, 2, 1, 4][rng.int(4)]!;
    const point = (): Position => {
      let col = (rng.next() * 1.6 - 0.3) * width;
      let row = (rng.next() * 1.6 - 0.3) * height;
      if (snap > 0) [col, row] = [Math.round(col * snap) / snap, Math.round(row * snap) / snap];
      const [a, b, c, d, e, f] = transform;
      return [a * col + b * row + c, d * col + e * row + f];
    };
    const shapes = Array.from({ length: 1 + rng.int(3) }, (_, i) => ({ geometry: randomGeometry(rng, point), value: 10 + i }));
    return { width, height, transform, allTouched: rng.int(2) === 1, fill: rng.int(3), shapes };
  });
}

function randomTransform(rng: Rng): Affine {
  const pixel = [1, 0.5, 10, 0.3, 1e-5][rng.int(5)]!;
  const kind = rng.int(6);
  if (kind === 0) return [pixel, pixel * 0.3, 100, -pixel * 0.2, -pixel, 50];
  return kind === 1 ? [pixel, 0, 3, 0, pixel, 7] : [pixel, 0, 300_000.25, 0, -pixel, 4_000_000.1];
}

function randomGeometry(rng: Rng, point: () => Position): Geometry {
  const points = (count: number): Position[] => Array.from({ length: count }, point);
  const ring = (): Position[] => {
    const open = points(3 + rng.int(rng.int(4) === 0 ? 40 : 6));
    return [...open, open[0]!];
  };
  switch (rng.int(6)) {
    case 0:
      return { type: "MultiPolygon", coordinates: [[ring()], [ring(), ring()]] };
    case 1:
      return { type: "LineString", coordinates: points(2 + rng.int(5)) };
    case 2:
      return { type: "MultiLineString", coordinates: [points(2), points(3)] };
    case 3:
      return { type: "MultiPoint", coordinates: points(3) };
    default:
      return { type: "Polygon", coordinates: Array.from({ length: 1 + rng.int(3) }, ring) };
  }
}

/** Pixels in which we differ from rasterio, leaving out those it burns for shapes beyond the right border. */
function differences(cases: readonly Case[], answers: readonly Answer[]): number {
  let count = 0;
  for (const [i, one] of cases.entries()) {
    const burnt = Buffer.from(answers[i]!.burnt, "hex");
    const padded = Buffer.from(answers[i]!.padded, "hex");
    const ours = rasterize(one.shapes, one);
    for (let k = 0; k < ours.length; k++) if (ours[k] !== burnt[k] && (!one.allTouched || ours[k] !== padded[k])) count++;
  }
  return count;
}

describe("rasterize", () => {
  const grid = { width: 4, height: 3, transform: [1, 0, 0, 0, -1, 3] as Affine };
  const box = (x1: number, y1: number, x2: number, y2: number): Geometry => ({
    type: "Polygon",
    coordinates: [
      [
        [x1, y1],
        [x2, y1],
        [x2, y2],
        [x1, y2],
        [x1, y1],
      ],
    ],
  });

  it("lets the later shape win", () => {
    const shapes = [
      { geometry: box(0, 0, 2, 3), value: 1 },
      { geometry: box(1, 0, 4, 2), value: 2 },
      { geometry: null, value: 3 },
    ];
    expect([...rasterize(shapes, grid)]).toEqual([1, 1, 0, 0, 1, 2, 2, 2, 1, 2, 2, 2]);
  });

  it("burns into an array, or makes one of any type with a fill", () => {
    const out = new Float32Array(12).fill(5);
    expect(rasterize([{ geometry: box(0, 2, 1, 3), value: 0.5 }], { ...grid, out })).toBe(out);
    expect([...out.slice(0, 2)]).toEqual([0.5, 5]);
    expect([...rasterize([], { ...grid, sampleType: "int16", fill: -1 })]).toEqual(Array.from({ length: 12 }, () => -1));
  });

  it("refuses values, arrays and coordinates that do not fit", () => {
    const shape = { geometry: box(0, 0, 1, 1), value: 300 };
    expect(() => rasterize([shape], grid)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => rasterize([], { ...grid, out: new Uint8Array(5) })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => rasterize([], { ...grid, transform: [0, 0, 0, 0, 0, 0] })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => rasterize([{ geometry: { type: "Point", coordinates: [NaN, 0] }, value: 1 }], grid)).toThrow(
      expect.objectContaining({ code: "GEOMETRY_INVALID" }),
    );
  });

  it("is not slowed down by shapes that reach far beyond the grid", () => {
    const far = 1e12;
    const line: Geometry = {
      type: "LineString",
      coordinates: [
        [-far, 1.5],
        [far, 1.5],
      ],
    };
    const started = performance.now();
    for (const allTouched of [false, true]) {
      const shapes = [
        { geometry: line, value: 1 },
        { geometry: box(-far, -far, far, 1), value: 2 },
      ];
      expect([...rasterize(shapes, { ...grid, allTouched }).slice(4)]).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    }
    expect(performance.now() - started).toBeLessThan(500);
  });

  // Made once by rasterio 1.4.4 (GDAL 3.10.3) with tests/oracles/rasterize.py; UPDATE_FIXTURES=1 makes them again.
  it("equals what rasterio burnt", () => {
    const file = fileURLToPath(new URL("fixtures/rasterize.json", import.meta.url));
    const cases = randomCases(20, 150, 12);
    if (process.env["UPDATE_FIXTURES"] === "1") writeFileSync(file, `${JSON.stringify(askRasterio(cases))}\n`);
    expect(differences(cases, JSON.parse(readFileSync(file, "utf8")) as Answer[])).toBe(0);
  });

  it.skipIf(!withPeers)("equals rasterio on random shapes, pixel for pixel", () => {
    const cases = randomCases(21, 3000, 40);
    expect(differences(cases, askRasterio(cases))).toBe(0);
  });

  it.skipIf(!withPeers || !withData)("equals rasterio on the buildings of Banepa", () => {
    const file = readdirSync(buildings).find((name) => /\.geojson$/.test(name));
    const { features } = JSON.parse(readFileSync(join(buildings, file!), "utf8")) as FeatureCollection;
    const shapes = features.map(({ geometry }, i) => ({ geometry, value: 1 + (i % 250) }));
    const points = shapes.flatMap(({ geometry }) => (geometry.type === "Polygon" ? geometry.coordinates[0]! : []));
    const [west, north] = [Math.min(...points.map((p) => p[0]!)), Math.max(...points.map((p) => p[1]!))];
    const [east, south] = [Math.max(...points.map((p) => p[0]!)), Math.min(...points.map((p) => p[1]!))];
    const size = 2000;
    const transform: Affine = [(east - west) / size, 0, west, 0, (south - north) / size, north];
    const cases = [false, true].map((allTouched) => ({ width: size, height: size, transform, allTouched, fill: 0, shapes }));
    expect(differences(cases, askRasterio(cases))).toBe(0);
    expect(rasterize(shapes, cases[0]!).some((value) => value > 0)).toBe(true);
  });
});
