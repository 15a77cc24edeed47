import { createRng, type Feature, parseCrs, type Raster, rasterize, showValue } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { BandSimplifier } from "../simplify/band-simplifier.ts";
import { asRaster, type ClassMap, fromRows, hardMaps, judge, withPeers } from "./class-maps.testing.ts";
import { type PolygonizeOptions, polygonize, toPolygons } from "./polygonize.ts";
import { findRuns } from "./runs.ts";
import { RegionTracer } from "./tracer.ts";

async function outline(map: ClassMap, options: PolygonizeOptions = {}): Promise<readonly Feature[]> {
  return (await toPolygons(asRaster(map), options)).features;
}

describe("toPolygons on small maps", () => {
  it("refuses an option that there is not", async () => {
    const refusal = {
      ...{ code: "INVALID_ARGUMENT", message: "toPolygons() has no option `minarea`.", hint: "Did you mean `minArea`?" },
      data: { field: "minarea" },
    };
    const raster = asRaster(fromRows("11"));
    await expect(toPolygons(raster, { minarea: 3 } as PolygonizeOptions)).rejects.toMatchObject(refusal);
    await expect(polygonize(raster, { minarea: 3 } as PolygonizeOptions).next()).rejects.toMatchObject(refusal);
  });

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

  it("refuses a path, which nobody has opened", async () => {
    await expect(toPolygons("map.tif" as never)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'toPolygons() got "map.tif" for the raster; expected an open one.',
      hint: expect.stringContaining("openRaster(") as string,
    });
  });

  it("refuses classes that are no list, and names that are no Map", async () => {
    const outlined = (options: object): Promise<unknown> => toPolygons(asRaster(fromRows("11")), options);
    await expect(outlined({ classes: "building" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'toPolygons(): `classes` is "building"; expected a list of names or values.',
    });
    await expect(outlined({ classNames: { 1: "building" } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'toPolygons(): `classNames` is {"1":"building"}; expected a Map of names by value.',
    });
  });

  it("refuses what makes no sense", async () => {
    const raster = asRaster(fromRows("1"));
    await expect(toPolygons({ ...raster, transform: null })).rejects.toMatchObject({ code: "RASTER_NO_TRANSFORM" });
    for (const [field, value, expected] of [
      ["band", 1, `a band of ${raster.name}, which has 1`],
      ["band", -1, "a whole number from 0"],
      ["connectivity", 6, "4 or 8"],
      ["minArea", -1, 'an area of at least 0, square metres on the ground or such as "20 crs"'],
      ["sieve", "much", 'an area of at least 0, square metres on the ground or such as "20 crs"'],
      ["simplify", -1, 'a length of at least 0, metres on the ground or such as "2 crs"'],
      ["maxVertices", 3, "a number from 16"],
      ["stripRows", 0, "a whole number from 1"],
      ["classes", [null], "a list of names or values"],
    ] as const) {
      await expect(toPolygons(raster, { [field]: value })).rejects.toMatchObject({
        ...{ code: "INVALID_ARGUMENT", message: `toPolygons(): \`${field}\` is ${showValue(value)}; expected ${expected}.` },
        data: { field, value },
      });
    }
  });

  it("refuses a picture as a class raster unless a band is named; alpha is no band of classes", async () => {
    const one = asRaster(fromRows("12"));
    const asked: unknown[] = [];
    const many = (bands: number, alphaBand: number | null): Raster => ({
      ...one,
      bands,
      alphaBand,
      read: (window, options) => {
        asked.push(options?.bands);
        return one.read(window);
      },
    });
    await expect(toPolygons(many(3, null))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "map has 3 bands; a class raster has one.",
      hint: expect.stringContaining("`band: 0`") as string,
    });
    await expect(toPolygons(many(4, 3))).rejects.toThrow("map has 3 bands besides alpha; a class raster has one.");
    expect(asked).toEqual([]);
    expect((await toPolygons(many(3, null), { band: 2 })).features).toHaveLength(2);
    expect((await toPolygons(many(2, 1))).features).toHaveLength(2);
    expect(asked).toEqual([[2], [0]]);
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
      for (const options of [
        { connectivity: 4 },
        { connectivity: 8 },
        { simplify: 2 },
        { simplify: 2, maxVertices: 200 },
        { sieve: 3 },
        { sieve: 3, connectivity: 8, maxVertices: 30 },
      ] as PolygonizeOptions[]) {
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

describe("toPolygons within a limit on memory", () => {
  /** Outlines, and how often regions were cut. */
  async function outlineCut(map: ClassMap, options: PolygonizeOptions): Promise<{ features: readonly Feature[]; warnings: string[] }> {
    const warnings: string[] = [];
    const { features } = await toPolygons(asRaster(map), { ...options, onWarning: ({ code }) => warnings.push(code) });
    return { features, warnings };
  }

  it("cuts the largest regions along rows, says so, and loses nothing", async () => {
    let cut = 0;
    for (const map of hardMaps(19, 60)) {
      for (const connectivity of [4, 8] as const) {
        const { features, warnings } = await outlineCut(map, { connectivity, maxVertices: 40 });
        const whole = (await outline(map, { connectivity })).length;
        // a region may end at the very row it is cut at
        if (features.length !== whole) expect(warnings).toEqual(["POLYGONS_CUT"]);
        if (features.length > whole) cut++;
        const shapes = features.map(({ geometry, properties }) => ({ geometry, value: Number(properties["value"]) }));
        const { width, height } = map;
        const fill = map.nodata ?? -1;
        expect(rasterize(shapes, { width, height, transform: [1, 0, 0, 0, -1, height], sampleType: "int32", fill })).toEqual(map.data);
        const valid = map.data.filter((value) => value !== map.nodata).length;
        expect(features.reduce((sum, { properties }) => sum + Number(properties["area"]), 0)).toBe(valid);
      }
    }
    expect(cut).toBeGreaterThan(20);
  });

  it("keeps every piece of a region that was cut, however small", async () => {
    // a comb whose teeth end at different rows, and speckle that is to be left out
    const map: ClassMap = {
      width: 60,
      height: 60,
      nodata: null,
      data: Int32Array.from({ length: 3600 }, (_, i) => {
        const [x, y] = [i % 60, Math.floor(i / 60)];
        return y < 2 || (x % 2 === 0 && y < 8 + ((x * 7) % 50)) ? 1 : 2 + ((x + y) % 2);
      }),
    };
    const options = { minArea: 50 } as const;
    const whole = (await outline(map, options)).filter(({ properties }) => properties["value"] === 1);
    const { features, warnings } = await outlineCut(map, { ...options, maxVertices: 30 });
    expect(warnings).toEqual(["POLYGONS_CUT"]);
    const pieces = features.filter(({ properties }) => properties["value"] === 1);
    expect(whole).toHaveLength(1);
    expect(pieces.length).toBeGreaterThan(3);
    expect(Math.min(...pieces.map(({ properties }) => Number(properties["area"])))).toBeLessThan(50);
    expect(pieces.reduce((sum, { properties }) => sum + Number(properties["area"]), 0)).toBe(whole[0]!.properties["area"]);
  });

  it.each([null, 500])("holds no more points than allowed, whatever the map (bands: %s)", (bandVertices) => {
    const rng = createRng(23);
    const width = 64;
    const maxVertices = 1500;
    let cuts = 0;
    let most = 0;
    const tracer = new RegionTracer({
      width,
      connectivity: 4,
      maxVertices,
      bands: bandVertices === null ? null : new BandSimplifier({ tolerance: 1.5, metric: [1, 0, 0, -1] }, width, bandVertices, undefined),
      keeps: () => true,
      onRegion: () => undefined,
      onCut: () => cuts++,
    });
    for (let row = 0; row < 2000; row++) {
      const data = Uint8Array.from({ length: width }, () => (rng.next() < 0.6 ? 0 : 1 + rng.int(2)));
      findRuns(tracer.nextRuns, data, 0, width, null, null, null);
      tracer.advance(1);
      most = Math.max(most, tracer.vertices);
    }
    // one row adds at most four points a run, and is let in before it is looked at
    expect(most).toBeLessThanOrEqual(maxVertices + 4 * 2 * width);
    expect(cuts).toBeGreaterThan(5);
    tracer.end();
    expect(tracer.vertices).toBe(0);
  });

  it.skipIf(!withPeers)("stays valid, without gaps or overlaps, when simplified in bands and cut", async () => {
    const cases = [];
    let cut = 0;
    for (const [k, map] of hardMaps(29, 160).entries()) {
      const connectivity = k % 2 === 0 ? 4 : 8;
      const maxVertices = [24, 100, 400][k % 3]!;
      const { features, warnings } = await outlineCut(map, { connectivity, maxVertices, simplify: [0.8, 1.5, 3, 10, 1000][k % 5]! });
      cut += warnings.length;
      cases.push({ ...map, connectivity, features } as const);
    }
    expect(cut).toBeGreaterThan(20);
    for (const [k, verdict] of judge(cases).entries()) {
      expect(verdict.invalid).toEqual([]);
      expect(verdict.winding).toBe(true);
      expect(verdict.sumArea).toBeCloseTo(verdict.unionArea, 6);
      if (cases[k]!.nodata === null) expect(verdict.unionArea).toBeCloseTo(cases[k]!.width * cases[k]!.height, 6);
    }
  });

  it("simplifies in bands nearly as it does at once", async () => {
    const map: ClassMap = {
      width: 60,
      height: 400,
      nodata: null,
      data: Int32Array.from({ length: 24_000 }, (_, i) => (Math.hypot((i % 60) - 30, (Math.floor(i / 60) % 100) - 50) < 28.5 ? 1 : 2)),
    };
    const points = async (options: PolygonizeOptions): Promise<number> => {
      const features = await outline(map, options);
      return features.reduce((sum, { geometry }) => sum + (geometry?.type === "Polygon" ? geometry.coordinates.flat().length : 0), 0);
    };
    const [exact, whole, banded] = [await points({}), await points({ simplify: 1.5 }), await points({ simplify: 1.5, maxVertices: 600 })];
    expect(whole).toBeLessThan(exact / 5);
    expect(banded).toBeGreaterThan(whole);
    expect(banded).toBeLessThan(1.3 * whole);
  });
});
