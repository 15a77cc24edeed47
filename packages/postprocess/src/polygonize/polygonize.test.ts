import { type Feature, parseCrs, rasterize } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { asRaster, type ClassMap, fromRows, hardMaps, judge, withPeers } from "./class-maps.testing.ts";
import { type PolygonizeOptions, polygonize, toPolygons } from "./polygonize.ts";

async function outline(map: ClassMap, options: PolygonizeOptions = {}): Promise<readonly Feature[]> {
  return (await toPolygons(asRaster(map), options)).features;
}

describe("toPolygons on small maps", () => {
  it("outlines a hole, outer ring anticlockwise, hole clockwise", async () => {
    const features = await outline(fromRows("111", "121", "111"));
    expect(features.map(({ properties }) => properties)).toEqual([
      { value: 2, class: "2", area: 1 },
      { value: 1, class: "1", area: 8 },
    ]);
    // Corners only, from the upper left; expected by hand on the grid with y up.
    expect(features[1]!.geometry).toEqual({
      type: "Polygon",
      coordinates: [
        [
          [0, 3],
          [0, 0],
          [3, 0],
          [3, 3],
          [0, 3],
        ],
        [
          [1, 2],
          [2, 2],
          [2, 1],
          [1, 1],
          [1, 2],
        ],
      ],
    });
  });

  it("takes a ring that touches itself apart: a hole may touch the shell", async () => {
    const features = await outline(fromRows("110", "101", "111"), { classes: [1] });
    expect(features).toHaveLength(1);
    expect(features[0]!.geometry).toMatchObject({ type: "Polygon", coordinates: { length: 2 } });
    expect(features[0]!.properties["area"]).toBe(7);
  });

  it("splits at corners with connectivity 4 and keeps them together with 8", async () => {
    const map = fromRows("1.", ".1");
    expect(await outline(map)).toHaveLength(2);
    const [both, ...rest] = await outline(map, { connectivity: 8 });
    expect(rest).toEqual([]);
    expect(both!.geometry).toMatchObject({ type: "MultiPolygon", coordinates: { length: 2 } });
    expect(both!.properties["area"]).toBe(2);
  });

  it("gives nothing for a map without valid pixels, and the whole extent for a map of one class", async () => {
    expect(await outline(fromRows("..", ".."))).toEqual([]);
    const [whole] = await outline(fromRows("77", "77"));
    expect(whole!.geometry).toEqual({
      type: "Polygon",
      coordinates: [
        [
          [0, 2],
          [0, 0],
          [2, 0],
          [2, 2],
          [0, 2],
        ],
      ],
    });
  });

  it("keeps the sense of rotation when the transform does not flip y", async () => {
    const raster = asRaster(fromRows("12"), { transform: [2, 0, 10, 0, 2, 20] });
    const { features } = await toPolygons(raster);
    expect(features[0]!.geometry).toEqual({
      type: "Polygon",
      coordinates: [
        [
          [10, 20],
          [12, 20],
          [12, 22],
          [10, 22],
          [10, 20],
        ],
      ],
    });
  });

  it("names classes, takes them by name, and says which there are", async () => {
    const raster = asRaster(fromRows("0122"), {
      classNames: new Map([
        [1, "building"],
        [2, "road"],
      ]),
    });
    const { features } = await toPolygons(raster, { classes: ["road", 1] });
    expect(features.map(({ properties }) => properties["class"])).toEqual(["building", "road"]);
    await expect(toPolygons(raster, { classes: ["forest"] })).rejects.toMatchObject({
      code: "CLASS_UNKNOWN",
      hint: "It has building (1), road (2).",
    });
  });

  it("measures areas on the ground, not on the map", async () => {
    const one: ClassMap = { width: 1, height: 1, data: Int32Array.of(1), nodata: null };
    // A pixel of 100 m in web mercator at 60 degrees north is about 50 m on the ground; Geod of pyproj 3 gives 2508.389 m2.
    const mercator = await toPolygons(asRaster(one, { crs: parseCrs(3857), transform: [100, 0, 0, 0, -100, 8_399_737.89 + 50] }));
    expect(Math.abs(Number(mercator.features[0]!.properties["area"]) / 2508.389 - 1)).toBeLessThan(1e-4);
    expect(mercator.crs?.epsg).toBe(3857);
    const map = fromRows("1122", "1333");
    expect(await outline(map, { minArea: "3 crs" })).toHaveLength(2);
  });

  it("drops with minArea and merges with sieve", async () => {
    const map = fromRows("1111", "1211", "1111");
    expect((await outline(map, { minArea: 2 })).map(({ properties }) => properties["area"])).toEqual([11]);
    const merged = await outline(map, { sieve: 2 });
    expect(merged.map(({ properties }) => properties["area"])).toEqual([12]);
  });

  it("simplifies a staircase to a line that both sides share", async () => {
    const map: ClassMap = {
      width: 40,
      height: 40,
      nodata: null,
      data: Int32Array.from({ length: 1600 }, (_, i) => (i % 40 > i / 40 ? 1 : 2)),
    };
    const features = await outline(map, { simplify: 1 });
    const rings = features.map(({ geometry }) => (geometry?.type === "Polygon" ? geometry.coordinates[0]! : []));
    expect(Math.max(...rings.map((ring) => ring.length))).toBeLessThan(7);
    const keys = rings.map((ring) => new Set(ring.map(String)));
    expect([...keys[0]!].filter((point) => keys[1]!.has(point)).length).toBeGreaterThanOrEqual(2);
  });

  it("refuses what makes no sense", async () => {
    const raster = asRaster(fromRows("1"));
    await expect(toPolygons({ ...raster, transform: null })).rejects.toMatchObject({ code: "RASTER_NO_TRANSFORM" });
    for (const options of [{ band: 1 }, { connectivity: 6 as 4 }, { minArea: -1 }, { simplify: -1 }, { sieve: "much" }, { stripRows: 0 }]) {
      await expect(toPolygons(raster, options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  it("stops when told to", async () => {
    const controller = new AbortController();
    const map = hardMaps(1, 1)[0]!;
    const work = (async () => {
      for await (const feature of polygonize(asRaster(map), { signal: controller.signal, stripRows: 1 })) {
        expect(feature.geometry).not.toBeNull();
        controller.abort();
      }
    })();
    await expect(work).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("toPolygons on hard maps", () => {
  const maps = hardMaps(7, 120);

  it("gives the same polygons for strips of 1, 7, 64 and all rows", async () => {
    for (const map of maps.slice(0, 40)) {
      for (const options of [{ connectivity: 4 }, { connectivity: 8 }, { simplify: 2 }, { sieve: 3 }] as PolygonizeOptions[]) {
        const whole = JSON.stringify(await outline(map, { ...options, stripRows: map.height }));
        for (const stripRows of [1, 7, 64]) expect(JSON.stringify(await outline(map, { ...options, stripRows }))).toBe(whole);
      }
    }
  });

  it("burns back to the same map, with exact areas", async () => {
    for (const map of maps) {
      for (const connectivity of [4, 8] as const) {
        const features = await outline(map, { connectivity });
        const fill = map.nodata ?? -1;
        const shapes = features.map(({ geometry, properties }) => ({ geometry, value: Number(properties["value"]) }));
        const { width, height } = map;
        const burnt = rasterize(shapes, { width, height, transform: [1, 0, 0, 0, -1, height], sampleType: "int32", fill });
        expect(burnt).toEqual(map.data);
        const valid = map.data.filter((value) => value !== map.nodata).length;
        expect(features.reduce((sum, { properties }) => sum + Number(properties["area"]), 0)).toBe(valid);
      }
    }
  });

  it.skipIf(!withPeers)("agrees with GDAL on counts and areas, and every polygon is valid by shapely", async () => {
    const cases = [];
    for (const map of hardMaps(11, 300)) {
      for (const connectivity of [4, 8] as const) cases.push({ ...map, connectivity, features: await outline(map, { connectivity }) });
    }
    for (const verdict of judge(cases)) {
      expect(verdict.invalid).toEqual([]);
      expect(verdict.count).toBe(verdict.peerCount);
      expect(verdict.areas).toEqual(verdict.peerAreas);
      expect(verdict).toMatchObject({ burnsBack: true, winding: true });
    }
  });

  it.skipIf(!withPeers)("sieves as gdal_sieve does", async () => {
    const cases = [];
    for (const [k, map] of hardMaps(13, 200).entries()) {
      const connectivity = k % 2 === 0 ? 4 : 8;
      const sieve = 2 + (k % 6);
      if (sieve >= map.width * map.height) continue; // GDAL refuses
      cases.push({ ...map, connectivity, sieve, features: await outline(map, { connectivity, sieve: `${sieve} crs` }) } as const);
    }
    for (const verdict of judge(cases)) expect(verdict).toMatchObject({ burnsBack: true, count: verdict.peerCount, invalid: [] });
  });

  it.skipIf(!withPeers)("stays valid, without gaps or overlaps, when simplified", async () => {
    const cases = [];
    const plain = [];
    for (const [k, map] of hardMaps(17, 200).entries()) {
      const connectivity = k % 2 === 0 ? 4 : 8;
      plain.push((await outline(map, { connectivity })).length);
      cases.push({
        ...map,
        connectivity,
        features: await outline(map, { connectivity, simplify: [0.8, 1.5, 3, 10, 1000][k % 5]! }),
      } as const);
    }
    for (const [k, verdict] of judge(cases).entries()) {
      expect(verdict.invalid).toEqual([]);
      expect(verdict.count).toBe(plain[k]);
      expect(verdict.sumArea).toBeCloseTo(verdict.unionArea, 6);
      if (cases[k]!.nodata === null) expect(verdict.unionArea).toBeCloseTo(cases[k]!.width * cases[k]!.height, 6);
    }
  });
});
