/** The layer's verbs. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCrs } from "@geolearn/core";
import type { Polygon } from "geojson";
import { afterAll, describe, expect, test } from "vitest";
import { FeatureLayer } from "./feature-layer.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-layer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A square of 100 m in UTM zone 33 north, on the central meridian, where the scale is 0.9996. */
const square = new FeatureLayer({
  name: "square",
  crs: parseCrs(32633),
  features: [
    {
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [500_000, 5_200_000],
            [500_100, 5_200_000],
            [500_100, 5_200_100],
            [500_000, 5_200_100],
            [500_000, 5_200_000],
          ],
        ],
      },
      properties: { class: "building" },
    },
  ],
});

function area({ coordinates }: Polygon): number {
  return coordinates.reduce((sum, ring, r) => {
    let twice = 0;
    for (let i = 1; i < ring.length; i++) twice += ring[i - 1]![0]! * ring[i]![1]! - ring[i]![0]! * ring[i - 1]![1]!;
    return sum + (r === 0 ? 1 : -1) * Math.abs(twice / 2);
  }, 0);
}

describe("buffer", () => {
  test("grows by metres on the ground: the square, four strips and a circle", async () => {
    const { features } = await square.buffer(10);
    const expected = 100 * 100 + 4 * 100 * 10 + Math.PI * 10 * 10;
    // turf works on a sphere and with arcs of straight pieces: 1 %
    expect(Math.abs(area(features[0]!.geometry as Polygon) / expected - 1)).toBeLessThan(0.01);
    expect(features[0]!.properties).toEqual({ class: "building" });
  });

  test("shrinks, and leaves out what vanishes", async () => {
    const smaller = await square.buffer(-10);
    expect(Math.abs(area(smaller.features[0]!.geometry as Polygon) / 6400 - 1)).toBeLessThan(0.01);
    expect((await square.buffer(-60)).count).toBe(0);
  });
});

test("toGeoJson is in degrees, whatever the layer's system", () => {
  const { features } = square.toGeoJson();
  const [longitude, latitude] = (features[0]!.geometry as Polygon).coordinates[0]![0]!;
  // pyproj 3.7: Transformer.from_crs(32633, 4326, always_xy=True).transform(500000, 5200000)
  expect(longitude).toBeCloseTo(15, 9);
  expect(latitude).toBeCloseTo(46.95352920230119, 9);
});

test("saved and opened again, features are what they were", async () => {
  const path = join(folder, "square.gpkg");
  await square.save(path);
  const again = await FeatureLayer.open(path);
  expect(again.count).toBe(1);
  expect(again.crs?.epsg).toBe(32633);
  expect(again.features[0]!.geometry).toEqual(square.features[0]!.geometry);
  expect(again.filter(({ properties }) => properties["class"] === "road").count).toBe(0);
});
