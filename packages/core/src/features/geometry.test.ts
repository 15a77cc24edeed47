import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Geometry } from "geojson";
import { describe, expect, it } from "vitest";

import { parseCrs } from "../crs/parse.ts";
import { geometryArea, planarArea } from "./area.ts";
import { orientation } from "./orientation.ts";
import { requireValid, validGeometry } from "./valid.ts";

interface ValidityCase {
  readonly geometry: Geometry;
  readonly valid: boolean;
  readonly reason: string;
}

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);
if (!withPeers) process.stdout.write("features: tests against shapely are skipped, no Python environment (GEOLEARN_PEERS)\n");

const fixture = JSON.parse(readFileSync(new URL("./fixtures/geometry.json", import.meta.url), "utf8")) as {
  readonly validity: readonly ValidityCase[];
  readonly areas: readonly { readonly crs: number; readonly size: number; readonly geometry: Geometry; readonly area: number }[];
};

function disagreements(cases: readonly ValidityCase[]): string[] {
  return cases
    .filter(({ geometry, valid }) => validGeometry(geometry).valid !== valid)
    .map(({ geometry, reason }) => `${reason}: ${JSON.stringify(geometry)}`);
}

describe("validGeometry", () => {
  it("agrees with shapely", () => {
    expect(disagreements(fixture.validity)).toEqual([]);
    expect(fixture.validity.filter(({ valid }) => valid).length).toBeGreaterThan(50);
  });

  it.runIf(withPeers)(
    "agrees with shapely on 4000 random geometries",
    () => {
      const output = execFileSync(peers, [`${root}tests/oracles/features.py`, "--fuzz", "4000", "11"], {
        maxBuffer: 1 << 28,
        encoding: "utf8",
      });
      expect(disagreements(JSON.parse(output) as ValidityCase[])).toEqual([]);
    },
    60_000,
  );

  it("says why and where", () => {
    const bowtie: Geometry = {
      type: "Polygon",
      coordinates: [
        [
          [0, 0],
          [1, 1],
          [1, 0],
          [0, 1],
          [0, 0],
        ],
      ],
    };
    expect(validGeometry(bowtie)).toEqual({ valid: false, reason: "a ring crosses itself at (0.5, 0.5)", position: [0.5, 0.5] });
    expect(() => requireValid(bowtie, "feature 3 of roads.gpkg")).toThrow(/feature 3 of roads.gpkg/);
    expect(
      validGeometry({
        type: "Polygon",
        coordinates: [
          [
            [0, 0],
            [1, 1],
            [1, 0],
          ],
        ],
      }),
    ).toMatchObject({ reason: "a ring is not closed" });
    expect(validGeometry({ type: "Point", coordinates: [NaN, 0] })).toMatchObject({ valid: false });
  });
});

it("decides the side of a line exactly", () => {
  expect(orientation(0, 0, 1, 3, 0.1, 0.3)).toBeLessThan(0); // as doubles 0.3 is less than three times 0.1
  expect(orientation(0.5, 0.5, 12, 12, 24, 24)).toBe(0);
  expect(orientation(0.5 + 2 ** -53, 0.5, 12, 12, 24, 24)).not.toBe(0);
  expect(Math.sign(orientation(0, 0, 1e-300, 1, 2e-300, 2))).toBe(0);
});

describe("areas", () => {
  it.each(fixture.areas)("on the ground in EPSG:$crs, $size m", ({ crs, size, geometry, area }) => {
    const tolerance = size > 10_000 ? 2e-3 : 1e-5;
    expect(Math.abs(geometryArea(geometry, parseCrs(crs)) / area - 1)).toBeLessThan(tolerance);
  });

  it("on the plane with holes", () => {
    const square = (low: number, high: number): number[][] => [
      [low, low],
      [high, low],
      [high, high],
      [low, high],
      [low, low],
    ];
    expect(planarArea({ type: "Polygon", coordinates: [square(0, 10), square(2, 4)] })).toBe(96);
    expect(planarArea({ type: "MultiPolygon", coordinates: [[square(0, 1)], [square(5, 7)]] })).toBe(5);
    expect(planarArea({ type: "Point", coordinates: [1, 2] })).toBe(0);
  });

  it("across 180 degrees", () => {
    const across: Geometry = {
      type: "Polygon",
      coordinates: [
        [
          [179, 0],
          [-179, 0],
          [-179, 1],
          [179, 1],
          [179, 0],
        ],
      ],
    };
    const beside: Geometry = {
      type: "Polygon",
      coordinates: [
        [
          [9, 0],
          [11, 0],
          [11, 1],
          [9, 1],
          [9, 0],
        ],
      ],
    };
    expect(geometryArea(across, parseCrs(4326))).toBeCloseTo(geometryArea(beside, parseCrs(4326)), 0);
  });
});
