/** Class maps for tests, and what GDAL and shapely say of their outlines. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Affine, type Crs, type Feature, type Raster, type Rng, createRng } from "@geolearn/core";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");

/** True when GDAL and shapely can be asked. */
export const withPeers: boolean = existsSync(python);
if (!withPeers) process.stdout.write("outlines: tests against GDAL and shapely are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** A small map. */
export interface ClassMap {
  readonly width: number;
  readonly height: number;
  readonly data: Int32Array;
  readonly nodata: number | null;
}

/** A raster in memory. */
export function asRaster(map: ClassMap, more: { transform?: Affine; crs?: Crs; classNames?: ReadonlyMap<number, string> } = {}): Raster {
  const { width, height, data, nodata } = map;
  const transform = more.transform ?? [1, 0, 0, 0, -1, height];
  return {
    name: "map",
    width,
    height,
    bands: 1,
    sampleType: "int32",
    transform,
    crs: more.crs ?? null,
    nodata,
    bandInfo: [{ name: "band 1", interpretation: "gray" }],
    alphaBand: null,
    blockWidth: width,
    blockHeight: 16,
    overviews: [],
    colorTable: null,
    classNames: more.classNames ?? null,
    read: async (window) => {
      const { row, height: rows } = window ?? { row: 0, height };
      return { data: data.slice(row * width, (row + rows) * width), bands: 1, height: rows, width, mask: null, transform };
    },
    close: async () => undefined,
  };
}

/** A map from rows of digits; "." is nodata 9. */
export function fromRows(...rows: string[]): ClassMap {
  const text = rows.join("").replaceAll(".", "9");
  return { width: rows[0]!.length, height: rows.length, data: Int32Array.from(text, Number), nodata: 9 };
}

/** Maps that outlines find hard: noise of every density, checkerboards, spirals, nested rings, single pixels. */
export function hardMaps(seed: number, count: number): ClassMap[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, (_, k) => {
    const width = 1 + rng.int(k % 8 === 0 ? 80 : 14);
    const height = 1 + rng.int(k % 8 === 0 ? 80 : 14);
    const nodata = rng.int(2) === 0 ? 0 : null;
    const value = pattern(k % 6, width, height, rng);
    return { width, height, nodata, data: Int32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))) };
  });
}

function pattern(kind: number, width: number, height: number, rng: Rng): (x: number, y: number) => number {
  const p = 0.05 + 0.9 * rng.next();
  const classes = 2 + rng.int(3);
  const noise = (): number => (rng.next() < p ? 1 : rng.int(classes));
  if (kind === 1) return (x, y) => (x + y) % 2;
  if (kind === 2) return (x, y) => Math.min(x, y, width - 1 - x, height - 1 - y) % classes;
  if (kind === 3) {
    const [cx, cy] = [width / 2 - 0.5, height / 2 - 0.5];
    return (x, y) => Math.floor(Math.hypot(x - cx, y - cy) / 1.5 + Math.atan2(y - cy, x - cx) / Math.PI + 4) % 2;
  }
  if (kind === 4) {
    const blobs = Array.from({ length: 8 }, () => [rng.int(width), rng.int(height), 1 + rng.int(width / 3 + 1), rng.int(classes)] as const);
    return (x, y) => blobs.findLast(([cx, cy, r]) => (x - cx) ** 2 + (y - cy) ** 2 < r * r)?.[3] ?? 1;
  }
  return noise;
}

/** What tests/oracles/outlines.py says. */
export interface Judgement {
  readonly count: number;
  readonly peerCount: number;
  readonly areas: Readonly<Record<string, number>>;
  readonly peerAreas: Readonly<Record<string, number>>;
  readonly invalid: readonly string[];
  readonly burnsBack: boolean;
  readonly winding: boolean;
  readonly points: number;
  readonly sumArea: number;
  readonly unionArea: number;
}

/** Asks GDAL and shapely. */
export function judge(cases: readonly (ClassMap & { connectivity: 4 | 8; features: readonly Feature[]; sieve?: number })[]): Judgement[] {
  const input = JSON.stringify(cases.map((one) => ({ ...one, data: [...one.data] })));
  const output = execFileSync(python, [join(root, "tests/oracles/outlines.py")], { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  return JSON.parse(output) as Judgement[];
}
