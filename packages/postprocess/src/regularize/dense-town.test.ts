/** Buildings that stand close together: nearly all are solved, and none is pushed into another. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { type Feature, type Features, parseCrs, readFeatures, reprojectFeatures } from "@geolearn/core";
import { beforeAll, describe, expect, test } from "vitest";

import { type KnownFootprint, judgeFootprints, withPeers } from "./footprints.testing.ts";
import { regularizeFeatures } from "./regularize.ts";

const labels = fileURLToPath(new URL("../../../../../shared/data/buildings-banepa/buildings.geojson", import.meta.url));
const withTown = existsSync(labels);
if (!withTown) process.stdout.write("regularize: the dense town is skipped, there is no ../shared/data/buildings-banepa\n");

const TOLERANCE = 1.5;
const solved = (features: readonly Feature[]): boolean[] => features.map(({ properties }) => properties["STATUS"] === 0);
const count = (status: readonly boolean[]): number => status.filter(Boolean).length;

describe.runIf(withTown)("971 buildings of Banepa, many wall to wall", () => {
  let town: Features;
  let known: KnownFootprint[];

  beforeAll(async () => {
    town = reprojectFeatures(await readFeatures(labels), parseCrs(32645));
    known = town.features.map(({ geometry }) => {
      if (geometry?.type !== "Polygon") throw new Error(`a ${geometry?.type}, where polygons were expected`);
      return { kind: "building", truth: geometry.coordinates, noisy: geometry.coordinates };
    });
  });

  for (const [method, least] of [
    // a few have steps below the tolerance that right angles cannot follow within it, even alone
    ["rightAngles", 0.98],
    ["rightAnglesAndDiagonals", 1],
    ["anyAngles", 1],
  ] as const) {
    test.runIf(withPeers)(`${method}: solved, within the tolerance, and by shapely no farther into each other than before`, () => {
      const { features } = regularizeFeatures(town, { method, tolerance: TOLERANCE });
      const status = solved(features);
      expect(count(status) / status.length).toBeGreaterThanOrEqual(least);
      const { footprints, overlap } = judgeFootprints(known, features);
      for (const [i, { valid, distance, shortest }] of footprints.entries()) {
        if (!status[i]) continue;
        expect(valid).toBe(true);
        expect(distance).toBeLessThanOrEqual(TOLERANCE * (1 + 1e-9));
        // rounding of coordinates of a million metres
        expect(shortest).toBeGreaterThanOrEqual(TOLERANCE * (1 - 1e-6));
      }
      // a pair may share a millionth of the squared tolerance more: rounding
      expect(overlap).toBeLessThanOrEqual(judgeFootprints(known, town.features).overlap + 1e-6 * TOLERANCE ** 2 * status.length);
    });
  }

  test("a direction for all leaves none unsolved that has a solution of its own", () => {
    const own = solved(regularizeFeatures(town, { tolerance: TOLERANCE }).features);
    for (const alignment of [10, 30]) {
      const along = solved(regularizeFeatures(town, { tolerance: TOLERANCE, alignment }).features);
      expect(own.filter((done, i) => done && !along[i]).length).toBe(0);
    }
  });
});
