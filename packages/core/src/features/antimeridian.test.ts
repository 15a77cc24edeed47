import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { Geometry, Polygon } from "geojson";
import { describe, expect, it } from "vitest";

import { bringAround, cutAtAntimeridian } from "./antimeridian.ts";
import { planarArea } from "./area.ts";
import { geometryBounds } from "./bounds.ts";
import { validGeometry } from "./valid.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);

const box = (xmin: number, ymin: number, xmax: number, ymax: number): Polygon["coordinates"][0] => [
  [xmin, ymin],
  [xmax, ymin],
  [xmax, ymax],
  [xmin, ymax],
  [xmin, ymin],
];

describe("cutAtAntimeridian", () => {
  it("leaves what does not cross as it is, a turn back where it must be", () => {
    const inside: Geometry = { type: "Polygon", coordinates: [box(170, 0, 180, 5)] };
    expect(cutAtAntimeridian(inside)).toEqual(inside);
    expect(cutAtAntimeridian({ type: "Polygon", coordinates: [box(181, 0, 185, 5)] })).toEqual({
      type: "Polygon",
      coordinates: [box(-179, 0, -175, 5)],
    });
    const world: Geometry = { type: "Polygon", coordinates: [box(-180, -90, 180, 90)] };
    expect(cutAtAntimeridian(world)).toEqual(world);
  });

  it("cuts a polygon with a hole across the meridian into one on each side", () => {
    const hole = box(179, 1, 181, 2).toReversed();
    const cut = cutAtAntimeridian({ type: "Polygon", coordinates: [box(178, 0, 182, 3), hole] });
    expect(cut).toMatchObject({ type: "MultiPolygon", coordinates: { length: 2 } });
    expect(geometryBounds(cut)).toEqual([-180, 0, 180, 3]);
    expect(planarArea(cut)).toBe(12 - 2);
    expect(validGeometry(cut).valid).toBe(true);
  });

  it("cuts a comb into as many pieces as it has teeth beyond", () => {
    const teeth = [0, 2, 4].flatMap((y) => [
      [182, y],
      [182, y + 1],
      [179, y + 1],
      [179, y + 2],
    ]);
    const ring = [[178, 0], ...teeth.slice(0, -1), [178, 5], [178, 0]];
    const cut = cutAtAntimeridian({ type: "Polygon", coordinates: [ring] });
    expect(cut).toMatchObject({ type: "MultiPolygon", coordinates: { length: 4 } });
    expect(planarArea(cut)).toBe(planarArea({ type: "Polygon", coordinates: [ring] }));
    expect(validGeometry(cut).valid).toBe(true);
  });

  it("cuts lines, also where a vertex lies on the meridian, and keeps heights", () => {
    expect(
      cutAtAntimeridian({
        type: "LineString",
        coordinates: [
          [179, 0, 10],
          [181, 2, 30],
        ],
      }),
    ).toEqual({
      type: "MultiLineString",
      coordinates: [
        [
          [179, 0, 10],
          [180, 1, 20],
        ],
        [
          [-180, 1, 20],
          [-179, 2, 30],
        ],
      ],
    });
    const along = [
      [179, 0],
      [180, 1],
      [180, 2],
      [181, 3],
      [180, 4],
      [181, 5],
    ];
    expect(cutAtAntimeridian({ type: "LineString", coordinates: along })).toEqual({
      type: "MultiLineString",
      coordinates: [
        [
          [179, 0],
          [180, 1],
          [180, 2],
        ],
        [
          [-180, 2],
          [-179, 3],
          [-180, 4],
          [-179, 5],
        ],
      ],
    });
  });

  it("brings points inside", () => {
    const coordinates = [
      [181, 5],
      [-190, 5],
      [180, 5],
    ];
    expect(cutAtAntimeridian({ type: "MultiPoint", coordinates })).toEqual({
      type: "MultiPoint",
      coordinates: [
        [-179, 5],
        [170, 5],
        [180, 5],
      ],
    });
  });

  it.runIf(withPeers)("agrees with shapely on 3000 geometries", { timeout: 120_000 }, () => {
    const oracle = (args: string[], input = ""): unknown =>
      JSON.parse(execFileSync(peers, [`${root}tests/oracles/features.py`, ...args], { input, encoding: "utf8", maxBuffer: 1 << 28 }));
    const cases = oracle(["--around-180", "3000", "5"]) as Geometry[];
    const cuts = cases.map((geometry) => ({ geometry, cut: cutAtAntimeridian(geometry) }));
    const faults = oracle(["--cuts"], JSON.stringify(cuts)) as string[][];
    const wrong = faults.flatMap((list, i) => (list.length > 0 ? [`${list.join()}: ${JSON.stringify(cuts[i])}`] : []));
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});

describe("bringAround", () => {
  it("brings the parts of what was cut together again", () => {
    const whole: Geometry = { type: "Polygon", coordinates: [box(178, 0, 182, 3)] };
    expect(geometryBounds(bringAround(cutAtAntimeridian(whole), 181))).toEqual([178, 0, 182, 3]);
    expect(geometryBounds(bringAround(cutAtAntimeridian(whole), -179))).toEqual([-182, 0, -178, 3]);
    expect(bringAround(whole, 100)).toBe(whole);
  });
});
