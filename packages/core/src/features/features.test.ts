import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Geometry } from "geojson";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { createRng } from "../rng.ts";
import { planarArea } from "./area.ts";
import { geometryBounds } from "./bounds.ts";
import type { Feature, Features } from "./features.ts";
import type { FeatureFormat } from "./formats.ts";
import { openFeatures, readFeatures } from "./open.ts";
import { reprojectFeatures } from "./reproject.ts";
import { validGeometry } from "./valid.ts";
import { writeFeatures } from "./write.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const data = `${root}../shared/data`;
const withData = existsSync(data);
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);
if (!withPeers) process.stdout.write("features: tests against GDAL are skipped, no Python environment (GEOLEARN_PEERS)\n");
if (!withData) process.stdout.write("features: tests on shared data are skipped, there is no ../shared/data\n");

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-features-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What GDAL makes of a file. */
interface GdalLayer {
  readonly path: string;
  readonly kind: string;
  readonly epsg: number | null;
  readonly proj: string | null;
  readonly type: string;
  readonly fields: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly geometry: readonly (Geometry | null)[];
  readonly valid: readonly boolean[];
}

function gdal(...argv: string[]): string {
  return execFileSync(peers, ["-W", "ignore", `${root}tests/oracles/features.py`, ...argv], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** Geometry as plain lists, without what formats may choose. */
function plain(geometry: Geometry | null): unknown {
  return geometry === null ? null : JSON.parse(JSON.stringify(geometry));
}

const SQUARE: Geometry = {
  type: "Polygon",
  coordinates: [
    [
      [0, 0],
      [0, 3],
      [3, 3],
      [3, 0],
      [0, 0],
    ],
    [
      [1, 1],
      [2, 1],
      [2, 2],
      [1, 1],
    ],
  ],
};

function someFeatures(): Features {
  const features: Feature[] = [
    {
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [500000.1, 5700000.3],
            [500010.7, 5700000.3],
            [500010.7, 5700020.9],
            [500000.1, 5700020.9],
            [500000.1, 5700000.3],
          ],
        ],
      },
      properties: { name: "Größe", count: 7, height: 0.1, flag: true, empty: null },
    },
    {
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [500100, 5700000],
            [500110, 5700000],
            [500110, 5700020],
            [500100, 5700000],
          ],
        ],
      },
      properties: { name: "東京", count: -3, height: 1e-7, flag: false, empty: null },
    },
    { geometry: null, properties: { name: null, count: null, height: 12345.678901234567, flag: null, empty: null } },
  ];
  return { name: "some", crs: parseCrs(32633), features };
}

describe.runIf(withPeers)("files written by GDAL", () => {
  it("are read equal", async () => {
    const target = join(folder, "gdal");
    await mkdir(target);
    gdal("--write", target);
    const expected = JSON.parse(await readFile(join(target, "expected.json"), "utf8")) as GdalLayer[];
    expect(expected.length).toBe(42);
    for (const layer of expected) {
      const read = await readFeatures(layer.path, { onWarning: () => undefined });
      expect(read.crs?.epsg, layer.path).toBe(layer.epsg);
      expect(
        read.features.map(({ geometry }) => plain(geometry)),
        layer.path,
      ).toEqual(layer.geometry.map(plain));
      expect(
        read.features.map(({ properties }) => layer.fields.map((name) => properties[name] ?? null)),
        layer.path,
      ).toEqual(layer.rows);
    }
  }, 60_000);
});

describe.runIf(withPeers)("files of ours, read by GDAL", () => {
  const kinds: Readonly<Record<string, readonly (Geometry | null)[]>> = {
    Point: [{ type: "Point", coordinates: [0.1, 1 / 3] }, null],
    MultiPoint: [
      {
        type: "MultiPoint",
        coordinates: [
          [0.1, 1],
          [2, 3],
        ],
      },
      null,
    ],
    LineString: [
      {
        type: "LineString",
        coordinates: [
          [0.1, 1],
          [2, 3],
          [4, 1],
        ],
      },
      null,
    ],
    MultiLineString: [
      {
        type: "MultiLineString",
        coordinates: [
          [
            [0, 1],
            [2, 3],
          ],
          [
            [5, 5],
            [6, 7],
          ],
        ],
      },
      null,
    ],
    Polygon: [
      SQUARE,
      {
        type: "Polygon",
        coordinates: [
          [
            [9, 9],
            [9, 10],
            [10, 9],
            [9, 9],
          ],
        ],
      },
      null,
    ],
    MultiPolygon: [
      {
        type: "MultiPolygon",
        coordinates: [
          SQUARE.coordinates as never,
          [
            [
              [9, 9],
              [9, 10],
              [10, 9],
              [9, 9],
            ],
          ],
        ],
      },
      null,
    ],
    "Point Z": [{ type: "Point", coordinates: [0.1, 1 / 3, 7.25] }],
    "LineString Z": [
      {
        type: "LineString",
        coordinates: [
          [0.1, 1, 5],
          [2, 3, 6],
        ],
      },
    ],
    "Polygon Z": [
      {
        type: "Polygon",
        coordinates: [
          [
            [0, 0, 1],
            [0, 3, 2],
            [3, 3, 3],
            [0, 0, 1],
          ],
        ],
      },
    ],
  };

  it.each([".gpkg", ".geojson", ".geojsonl", ".shp", ".zip", ".fgb"])(
    "%s of every kind",
    async (extension) => {
      const geojson = extension.includes("geojson");
      const crs = geojson ? 4326 : 32633;
      const paths: string[] = [];
      for (const [kind, geometries] of Object.entries(kinds)) {
        const path = join(folder, `ours-${kind.replace(" ", "")}${extension}`);
        const features = geometries.map((geometry, index) => ({
          geometry,
          properties: { name: `n${index}`, count: index, height: index + 0.1 },
        }));
        expect(await writeFeatures(features, path, { crs, decimals: 17 })).toBe(features.length);
        paths.push(path);
      }
      const layers = JSON.parse(gdal("--read", ...paths)) as GdalLayer[];
      for (const [index, [kind, geometries]] of Object.entries(kinds).entries()) {
        const layer = layers[index]!;
        // GDAL takes GeoJSON with heights for WGS 84 with heights
        expect(layer.epsg, kind).toBe(geojson && kind.endsWith(" Z") ? 4979 : crs);
        expect(layer.valid.every(Boolean), kind).toBe(true);
        expect(layer.fields).toEqual(["name", "count", "height"]);
        expect(layer.rows).toEqual(geometries.map((_, row) => [`n${row}`, row, row + 0.1]));
        if (extension === ".gpkg" || extension === ".fgb") expect(layer.type).toBe(kind);
        // winding and the way back through GDAL aside, the coordinates are the same bits
        expect(layer.geometry.map(bits), kind).toEqual(geometries.map(bits));
        expect(
          (await readFeatures(paths[index]!)).features.map(({ geometry }) => bits(geometry)),
          kind,
        ).toEqual(geometries.map(bits));
      }
    },
    60_000,
  );

  it("fields of every type, odd names and no reference system", async () => {
    const features = someFeatures();
    const paths = [".gpkg", ".shp", ".zip", ".fgb"].map((extension) => join(folder, `fields${extension}`));
    for (const path of paths) await writeFeatures(features, path);
    for (const layer of JSON.parse(gdal("--read", ...paths)) as GdalLayer[]) {
      expect(layer.epsg).toBe(32633);
      const column = (name: string): unknown[] => layer.rows.map((row) => row[layer.fields.indexOf(name)]);
      expect(column("name")).toEqual(["Größe", "東京", null]);
      expect(column("count").slice(0, 2)).toEqual([7, -3]);
      expect(column("height")).toEqual([0.1, 1e-7, 12345.678901234567]);
      expect(column("flag").slice(0, 2).map(Boolean)).toEqual([true, false]);
    }
    const bare = join(folder, "bare.gpkg");
    await writeFeatures(features.features, bare, { layer: 'quoted "layer"' });
    expect((await readFeatures(bare)).crs).toBeNull();
    expect((JSON.parse(gdal("--read", bare)) as GdalLayer[])[0]!.rows.length).toBe(3);
  });

  it("whole numbers beyond 2^53 with all their digits", async () => {
    const code = `
import sys, numpy, pyogrio, shapely
points = shapely.to_wkb(shapely.points([[0, 0], [1, 1], [2, 2]]))
for path in sys.argv[1:]:
    top = 10**17 if path.endswith("shp") else 2**62
    pyogrio.raw.write(path, points, [numpy.array([2**53 + 1, -top - 3, 2**53 - 1], "int64"), numpy.array([1e18, 2.0**60, 0.5])],
                      ["count", "height"], geometry_type="Point", crs="EPSG:32633")`;
    const paths = [".gpkg", ".shp", ".fgb"].map((extension) => join(folder, `digits${extension}`));
    execFileSync(peers, ["-c", code, ...paths]);
    for (const path of paths) {
      const { features } = await readFeatures(path, { crs: 32633 });
      const rows = features.map(({ properties }) => properties);
      const least = path.endsWith(".shp") ? "-100000000000000003" : "-4611686018427387907";
      expect(new Set(rows.map((row) => row["count"])), path).toEqual(new Set(["9007199254740993", least, 2 ** 53 - 1]));
      expect(new Set(rows.map((row) => row["height"])), path).toEqual(new Set([1e18, 2 ** 60, 0.5]));
    }
  });

  it("a GeoPackage in a system without a code", async () => {
    const path = join(folder, "custom.gpkg");
    await writeFeatures(someFeatures().features, path, { crs: "+proj=tmerc +lat_0=47 +lon_0=9 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m" });
    const [layer] = JSON.parse(gdal("--read", path)) as [GdalLayer];
    expect(layer.proj).toContain("+proj=tmerc +lat_0=47 +lon_0=9 +k=1");
    expect((await readFeatures(path)).crs?.proj).toContain("+lat_0=47");
  });
});

/** Positions in an order that does not depend on winding or on a leading ring. */
function bits(geometry: Geometry | null): unknown {
  if (geometry === null) return null;
  const flat: string[] = [];
  const walk = (value: unknown): void => {
    if (!Array.isArray(value)) return;
    if (typeof value[0] === "number") flat.push(value.join(" "));
    else value.forEach(walk);
  };
  walk("coordinates" in geometry ? geometry.coordinates : []);
  return { type: geometry.type, positions: flat.sort() };
}

describe.runIf(withData)("labels of the shared data", () => {
  it.each([
    ["buildings-banepa/buildings.geojson", 971, 4326],
    ["dsm-dtm-alexandria/buildings.geojson", 84, 4326],
    ["water-boadella-s2/water.geojson", 1, 4326],
    ["landcover-slovenia-s2/lulc.geojson", 46, 4326],
    ["eval-footprints-atlanta/gt.geojson", 28, 32616],
    ["eval-footprints-atlanta/pred.geojson", null, 32616],
    ["lidar-delft-ahn3/bgt_pand.gpkg", 25, 28992],
    ["lidar-delft-ahn3/bgt_wegdeel.gpkg", null, 28992],
    ["tabular/georgia/G_utm.shp", 159, null],
    ["tabular/berlin/prenzlauer.zip", 2203, 3857],
    ["tabular/berlin/prenz_bound.zip", 1, 3857],
    ["tabular/shapefile-edge-cases/Polygon_Holes.shp", 3, 4326],
    ["tabular/shapefile-edge-cases/Point.shp", 9, 4326],
    ["tabular/geodanet/streets.shp", 293, null],
  ])("%s", async (name, count, epsg) => {
    const path = join(data, name);
    const read = await readFeatures(path);
    expect(read.crs?.epsg ?? null).toBe(epsg);
    if (count !== null) expect(read.features.length).toBe(count);
    if (!withPeers) return;
    const [layer] = JSON.parse(gdal("--read", path)) as [GdalLayer];
    expect(read.features.map(({ geometry }) => bits(geometry))).toEqual(layer.geometry.map(bits));
    expect(read.features.map(({ geometry }) => geometry === null || validGeometry(geometry).valid)).toEqual(layer.valid);
  });

  it("goes through every format and back", async () => {
    const read = await readFeatures(join(data, "buildings-banepa/buildings.geojson"));
    const utm = reprojectFeatures(read, parseCrs(32645));
    for (const extension of [".gpkg", ".shp", ".zip", ".geojson", ".geojsonl", ".fgb", ".parquet"]) {
      const path = join(folder, `banepa${extension}`);
      await writeFeatures(utm, path, { spatialIndex: false });
      const back = reprojectFeatures(await readFeatures(path), parseCrs(4326));
      const worst = back.features.map(({ geometry }, index) => distance(geometry, read.features[index]!.geometry));
      expect(Math.max(...worst), extension).toBeLessThan(1e-7);
    }
  });
});

/** Largest difference between sorted coordinates. */
function distance(a: Geometry | null, b: Geometry | null): number {
  const numbers = (geometry: Geometry | null): number[] =>
    (JSON.stringify(geometry).match(/-?\d+(\.\d+)?(e-?\d+)?/g) ?? []).map(Number).sort((x, y) => x - y);
  const [one, other] = [numbers(a), numbers(b)];
  expect(one.length).toBe(other.length);
  return Math.max(...one.map((value, index) => Math.abs(value - other[index]!)));
}

describe("GeoJSON", () => {
  const text = (value: unknown): string => JSON.stringify(value);
  const collection = (features: unknown[], rest: object = {}): string => text({ type: "FeatureCollection", ...rest, features });
  const point = (x: number, y: number): object => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [x, y] } });

  it("is WGS 84 without a crs member, and what it says with one", async () => {
    expect((await readFeatures(collection([point(1, 2)]))).crs?.epsg).toBe(4326);
    const crs = (name: string): object => ({ crs: { type: "name", properties: { name } } });
    expect((await readFeatures(collection([point(5e5, 5e6)], crs("urn:ogc:def:crs:EPSG::32633")))).crs?.epsg).toBe(32633);
    expect((await readFeatures(collection([point(1, 2)], crs("urn:ogc:def:crs:OGC:1.3:CRS84")))).crs?.epsg).toBe(4326);
    expect((await readFeatures(collection([point(5e5, 5e6)], { crs: null }))).crs).toBeNull();
    const behind = `{"type":"FeatureCollection","features":[${text(point(5e5, 5e6))}],"crs":{"type":"name","properties":{"name":"EPSG:32633"}}}`;
    expect((await readFeatures(behind)).crs?.epsg).toBe(32633);
    await expect(readFeatures(collection([point(5e5, 5e6)]))).rejects.toMatchObject({ code: "CRS_MISSING" });
    expect((await readFeatures(collection([point(5e5, 5e6)]), { crs: 32633 })).crs?.epsg).toBe(32633);
  });

  it("reads a bare feature, a bare geometry, an object and bytes with a mark", async () => {
    expect((await readFeatures(text(point(1, 2)))).features.length).toBe(1);
    expect((await readFeatures({ type: "Point", coordinates: [1, 2] })).features[0]!.geometry).toEqual({
      type: "Point",
      coordinates: [1, 2],
    });
    const bytes = new TextEncoder().encode(`\uFEFF${collection([point(1, 2), point(3, 4)])}`);
    expect((await readFeatures(bytes)).features.length).toBe(2);
    const sequence = new TextEncoder().encode(`\u001e${text(point(1, 2))}\n\u001e${JSON.stringify(point(3, 4), null, 2)}\n`);
    expect((await readFeatures(sequence)).features.length).toBe(2);
    expect((await readFeatures(new TextEncoder().encode(`${text(point(1, 2))}\n${text(point(3, 4))}\n`))).features.length).toBe(2);
  });

  it("comes in any pieces", async () => {
    const features = Array.from({ length: 5 }, (_, i) => ({
      type: "Feature",
      id: i,
      properties: { name: 'br]ac}k{et["', note: "ü\\" },
      geometry: { type: "Point", coordinates: [i, i] },
    }));
    const bytes = new TextEncoder().encode(
      JSON.stringify({ type: "FeatureCollection", name: "x", bbox: [0, 0, 1, 1], features, more: { a: [1, "]"] } }, null, 1),
    );
    const { GeoJsonScanner } = await import("./geojson-scanner.ts");
    for (const size of [1, 2, 7, 64, 1000]) {
      const scanner = new GeoJsonScanner("x");
      const found: unknown[] = [];
      for (let at = 0; at < bytes.length; at += size)
        for (const part of scanner.push(bytes.subarray(at, at + size))) if (part.kind === "feature") found.push(JSON.parse(part.text));
      scanner.end();
      expect(found).toEqual(features);
    }
  });

  it("is written as RFC 7946 wants it", async () => {
    const path = join(folder, "rfc.geojson");
    await writeFeatures(someFeatures(), path);
    const written = JSON.parse(await readFile(path, "utf8")) as {
      crs?: unknown;
      features: { geometry: { coordinates: number[][][] } | null }[];
    };
    expect(written.crs).toBeUndefined();
    const ring = written.features[0]!.geometry!.coordinates[0]!;
    expect(ring.flat().every((value) => String(value).split(".")[1]!.length <= 7)).toBe(true);
    expect(ring[0]![0]).toBeCloseTo(15, 5);
    // clockwise in, counter-clockwise out
    const clockwise = {
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [0, 0],
            [0, 1],
            [1, 1],
            [0, 0],
          ],
        ],
      } as Geometry,
      properties: {},
    };
    await writeFeatures([clockwise], path, { crs: 4326 });
    expect(JSON.parse(await readFile(path, "utf8")).features[0].geometry.coordinates[0][1]).toEqual([1, 1]);
  });

  it("keeps digits where rounding would flatten a ring", async () => {
    const path = join(folder, "tiny.geojson");
    const tiny: Geometry = {
      type: "Polygon",
      coordinates: [
        [
          [10, 50],
          [10.00000001, 50],
          [10.00000001, 50.00000001],
          [10, 50],
        ],
      ],
    };
    await writeFeatures([{ geometry: tiny, properties: {} }], path, { crs: 4326 });
    expect((await readFeatures(path)).features[0]!.geometry).toEqual(tiny);
  });

  it("keeps its system when asked to", async () => {
    const path = join(folder, "kept.geojson");
    await writeFeatures(someFeatures(), path, { keepCrs: true });
    const back = await readFeatures(path);
    expect(back.crs?.epsg).toBe(32633);
    expect(back.features[0]!.geometry).toEqual(someFeatures().features[0]!.geometry);
  });

  it("is cut at 180 degrees as RFC 7946 wants it, and comes back whole on the other side", async () => {
    const ring = [
      [790000, 8000000],
      [900000, 8000000],
      [900000, 8050000],
      [790000, 8050000],
      [790000, 8000000],
    ];
    const fiji: Feature = { geometry: { type: "Polygon", coordinates: [ring] }, properties: {} };
    for (const name of ["fiji.geojson", "fiji.geojsonl"]) {
      const path = join(folder, name);
      await writeFeatures([fiji], path, { crs: 32760 });
      const back = await readFeatures(path);
      const { geometry } = back.features[0]!;
      expect(geometry).toMatchObject({ type: "MultiPolygon", coordinates: { length: 2 } });
      const [xmin, , xmax] = geometryBounds(geometry)!;
      expect([xmin, xmax]).toEqual([-180, 180]);
      const utm = reprojectFeatures(back, parseCrs(32760)).features[0]!.geometry!;
      expect(planarArea(utm) / planarArea(fiji.geometry!)).toBeCloseTo(1, 3);
    }
    const kept = join(folder, "fiji-kept.geojson");
    await writeFeatures([fiji], kept, { crs: 32760, keepCrs: true });
    expect((await readFeatures(kept)).features[0]!.geometry).toEqual(fiji.geometry);
  });
});

describe("bad input is refused with a reason and a way out", () => {
  it.each([
    ["labels.gdb", /ogr2ogr out\.gpkg in\.gdb/],
    ["a.kml", /ogr2ogr out\.gpkg in\.kml/],
    ["a.dxf", /ogr2ogr/],
    ["a.xyz", /ogr2ogr out\.gpkg in\.xyz/],
  ])("%s", async (name, hint) => {
    const path = join(folder, name);
    await writeFile(path, "x");
    const error = await readFeatures(path).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    expect((error as GeoLearnError).hint).toMatch(hint);
    await expect(writeFeatures([], path, { crs: 4326 })).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  it.each([
    ["", "UNSUPPORTED_FORMAT"],
    ["{", "FEATURES_CORRUPT"],
    ["{}", "FEATURES_CORRUPT"],
    ['{"type":"FeatureCollection"}', "FEATURES_CORRUPT"],
    [
      '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}',
      "FEATURES_CORRUPT",
    ],
    ['{"type":"FeatureCollection","features":[1]}', "FEATURES_CORRUPT"],
    ['{"type":"FeatureCollection","features":[{"type":"Feature","properties":5,"geometry":null}]}', "FEATURES_CORRUPT"],
    ['{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":["a",2]}}]}', "GEOMETRY_INVALID"],
    [
      '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[1e999,2]}}]}',
      "GEOMETRY_INVALID",
    ],
    [
      '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[1,2]]}}]}',
      "GEOMETRY_INVALID",
    ],
    ['{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Circle","coordinates":[1,2]}}]}', "GEOMETRY_INVALID"],
    [
      '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"__proto__":{"polluted":1}},"geometry":null}]}',
      "FEATURES_CORRUPT",
    ],
    [`{"type":"FeatureCollection","features":[${"[".repeat(20000)}]}`, "FEATURES_CORRUPT"],
    [`{"type":"Polygon","coordinates":${"[".repeat(20000)}${"]".repeat(20000)}}`, "FEATURES_CORRUPT"],
    ['{"type":"FeatureCollection","crs":{"type":"link"},"features":[]}', "CRS_UNKNOWN"],
  ])("%s", async (text, code) => {
    await expect(readFeatures(new TextEncoder().encode(text))).rejects.toMatchObject({ code });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("names the feature", async () => {
    const text =
      '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null},{"type":"Feature","geometry":{"type":"Point","coordinates":[null,2]}}]}';
    await expect(readFeatures(text)).rejects.toThrow(/^feature 1 of /);
  });

  it("a missing file, a URL, a missing layer", async () => {
    await expect(readFeatures(join(folder, "none.geojson"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readFeatures("https://example.com/a.geojson")).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
    const path = join(folder, "layers.gpkg");
    await writeFeatures(someFeatures(), path);
    await expect(readFeatures(path, { layer: "nope" })).rejects.toThrow(/it has layers/);
    expect((await readFeatures(path, { layer: "layers" })).features.length).toBe(3);
    expect((await readFeatures(path, { layer: 0 })).features.length).toBe(3);
  });

  it("no reference system where one is needed", async () => {
    await expect(writeFeatures(someFeatures().features, join(folder, "x.geojson"))).rejects.toMatchObject({ code: "CRS_MISSING" });
    expect(() => reprojectFeatures({ name: "x", crs: null, features: [] }, parseCrs(4326))).toThrow(
      expect.objectContaining({ code: "CRS_MISSING" }),
    );
  });

  it("several kinds in a Shapefile, long names and texts", async () => {
    const mixed: Feature[] = [
      { geometry: { type: "Point", coordinates: [1, 2] }, properties: {} },
      { geometry: SQUARE, properties: {} },
    ];
    await expect(writeFeatures(mixed, join(folder, "mixed.shp"), { crs: 4326 })).rejects.toMatchObject({ code: "GEOMETRY_INVALID" });
    const warnings: string[] = [];
    const long: Feature = { geometry: null, properties: { "a very long name": "ä".repeat(300), "a very long note": 1 } };
    const path = join(folder, "long.shp");
    await writeFeatures([long], path, { crs: 4326, onWarning: ({ code }) => warnings.push(code) });
    expect(warnings).toEqual(["FIELD_RENAMED", "FIELD_RENAMED", "FIELD_TRUNCATED"]);
    const [back] = (await readFeatures(path)).features;
    expect(Object.keys(back!.properties)).toEqual(["a very lon", "a very l_1"]);
    expect(back!.properties["a very lon"]).toBe("ä".repeat(127));
  });
});

describe("writing is all or nothing", () => {
  it.each([".geojson", ".geojsonl", ".gpkg", ".fgb", ".parquet", ".shp", ".zip"])("%s", async (extension) => {
    const target = join(folder, `atomic${extension}`);
    await mkdir(target);
    const path = join(target, `out${extension}`);
    await writeFeatures(someFeatures(), path);
    const before = await contents(target);
    const failing = async function* (): AsyncGenerator<Feature> {
      yield someFeatures().features[0]!;
      throw new Error("the source broke");
    };
    await expect(writeFeatures(failing(), path, { crs: 32633 })).rejects.toThrow("the source broke");
    const abort = new AbortController();
    const aborting = async function* (): AsyncGenerator<Feature> {
      yield someFeatures().features[0]!;
      abort.abort();
      yield someFeatures().features[1]!;
    };
    await expect(writeFeatures(aborting(), path, { crs: 32633, signal: abort.signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(await contents(target)).toEqual(before);
    await expect(writeFeatures(someFeatures(), path, { overwrite: false })).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  });
});

async function contents(path: string): Promise<Record<string, string>> {
  const names = (await readdir(path)).sort();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await readFile(join(path, name))).toString("base64")])));
}

describe("damaged files", () => {
  /** Reads to the end, or fails with an error of ours. */
  async function outcome(bytes: Uint8Array, format: FeatureFormat): Promise<string> {
    try {
      const stream = await openFeatures(bytes, { format });
      for await (const feature of stream) void feature;
      return "read";
    } catch (error) {
      if (GeoLearnError.is(error)) return error.code;
      throw error;
    }
  }

  it.each(["geojson", "geojsonl", "gpkg", "fgb", "parquet", "shp-zip"] as const)(
    "%s: flipped, cut and repeated bytes never crash",
    async (format) => {
      const path = join(folder, `fuzz.${format}`);
      await writeFeatures(someFeatures(), path, { format });
      const seed = await readFile(path);
      const rng = createRng(42);
      const seen = new Set<string>();
      for (let round = 0; round < (format === "gpkg" ? 150 : 400); round += 1) {
        let bytes = new Uint8Array(seed);
        const edits = 1 + Math.floor(rng.next() * 6);
        for (let edit = 0; edit < edits; edit += 1) {
          const at = Math.floor(rng.next() * bytes.length);
          const kind = rng.next();
          if (kind < 0.6) bytes[at] = Math.floor(rng.next() * 256);
          else if (kind < 0.8) bytes[at]! ^= 1 << Math.floor(rng.next() * 8);
          else if (kind < 0.9) bytes = bytes.slice(0, at + 1);
          else bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(Math.floor(at / 2), at), ...bytes.subarray(at)]);
        }
        seen.add(await outcome(bytes, format));
      }
      expect(seen.size).toBeGreaterThan(1);
    },
    120_000,
  );

  it.each([".shp", ".dbf", ".prj"])(
    "a Shapefile with a damaged %s",
    async (extension) => {
      const path = join(folder, "broken.shp");
      await writeFeatures(someFeatures(), path);
      const part = path.replace(".shp", extension);
      const seed = await readFile(part);
      const rng = createRng(7);
      for (let round = 0; round < 300; round += 1) {
        const bytes = new Uint8Array(seed).subarray(0, rng.next() < 0.2 ? Math.floor(rng.next() * seed.length) : seed.length);
        for (let edit = 0; edit < 4 && bytes.length > 0; edit += 1)
          bytes[Math.floor(rng.next() * bytes.length)] = Math.floor(rng.next() * 256);
        await writeFile(part, bytes);
        const error = await readFeatures(path).then(
          () => null,
          (caught: unknown) => caught,
        );
        expect(error === null || GeoLearnError.is(error), String(error)).toBe(true);
      }
      await writeFile(part, seed);
    },
    60_000,
  );

  it("a GeoPackage whose layer is a view with endless recursion", async () => {
    const { openDatabase } = await import("./sqlite.ts");
    const path = join(folder, "view.gpkg");
    await writeFeatures(someFeatures(), path, { layer: "real" });
    const database = await openDatabase(await readFile(path));
    database.run("CREATE VIEW evil AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x AS fid, NULL AS geom FROM c");
    database.run("UPDATE gpkg_contents SET table_name='evil'; UPDATE gpkg_geometry_columns SET table_name='evil'");
    const bytes = database.export();
    database.close();
    await expect(readFeatures(bytes)).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  it("well-known binary that claims more than it holds", async () => {
    const { readWkb } = await import("./wkb.ts");
    const bytes = new Uint8Array(9);
    bytes.set([1, 3, 0, 0, 0, 255, 255, 255, 255]);
    expect(() => readWkb(bytes, "x")).toThrow(expect.objectContaining({ code: "FEATURES_CORRUPT" }));
    const nested = new Uint8Array(9 * 2000);
    for (let at = 0; at < nested.length; at += 9) nested.set([1, 7, 0, 0, 0, 1, 0, 0, 0], at);
    expect(() => readWkb(nested, "x")).toThrow(expect.objectContaining({ code: "FEATURES_CORRUPT" }));
  });
});
