import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import type { Crs } from "./crs.ts";
import { projectedEntries } from "./epsg.ts";
import { crsToProjJson } from "./to-projjson.ts";
import { crsToWkt } from "./to-wkt.ts";
import { crsFromProjJson } from "./from-projjson.ts";
import { crsFromWkt } from "./from-wkt.ts";
import { parseCrs } from "./parse.ts";
import { createTransformer, transformCoordinates } from "./transform.ts";
import { groundResolution, localMetricCrs, metresPerUnit } from "./metres.ts";
import { sameCrs } from "./same-crs.ts";

interface Oracle {
  readonly systems: readonly {
    readonly code: number;
    readonly name: string;
    readonly wkt1: string | null;
    readonly esri: string | null;
    readonly wkt2: string;
    readonly ground: readonly [number, number];
    readonly points: readonly Quad[];
  }[];
  readonly pairs: readonly { readonly from: number; readonly to: number; readonly points: readonly Quad[] }[];
  readonly custom: readonly { readonly proj: string; readonly ground: readonly [number, number]; readonly points: readonly Quad[] }[];
}
type Quad = readonly [number, number, number, number];

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const oracle = JSON.parse(readFileSync(new URL("./fixtures/crs.json", import.meta.url), "utf8")) as Oracle;
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);
if (!withPeers) process.stdout.write("crs: tests against PROJ are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** Largest distance in metres between ours and PROJ's. */
function worst(from: Crs, to: Crs, points: readonly Quad[]): number {
  const transform = createTransformer(from, to);
  const metres = to.geographic ? 111_320 : to.metresPerUnit;
  return Math.max(
    ...points.map(([x, y, tx, ty]) => {
      const [ox, oy] = transform(x, y);
      return Math.hypot(ox - tx, oy - ty) * metres;
    }),
  );
}

const wgs84 = parseCrs(4326);

describe("createTransformer against PROJ", () => {
  it.each(oracle.systems)("4326 to $code $name and back, within 1 mm", ({ code, points }) => {
    const crs = parseCrs(code);
    expect(worst(wgs84, crs, points)).toBeLessThan(1e-3);
    // the way back drops the height a datum shift makes, as PROJ does; millimetres
    expect(
      worst(
        crs,
        wgs84,
        points.map(([lon, lat, x, y]) => [x, y, lon, lat]),
      ),
    ).toBeLessThan(0.05);
  });

  it.each(oracle.pairs)("$from to $to within 5 mm", ({ from, to, points }) => {
    // PROJ goes straight from one datum to another where that is published, here it is always through WGS 84
    expect(worst(parseCrs(from), parseCrs(to), points)).toBeLessThan(5e-3);
  });

  it.each(oracle.custom)("$proj", ({ proj, points }) => {
    // Robinson is a table; PROJ and proj4 interpolate it differently
    expect(worst(wgs84, parseCrs(proj), points)).toBeLessThan(proj.includes("robin") ? 0.5 : 1e-3);
  });

  it.runIf(withPeers)(
    "more than 10 000 positions, run live",
    () => {
      const live = JSON.parse(
        execFileSync(peers, [`${root}tests/oracles/crs.py`, "--points", "300"], { maxBuffer: 1 << 28, encoding: "utf8" }),
      ) as Oracle;
      let count = 0;
      const failures: string[] = [];
      for (const { code, points } of live.systems) {
        const distance = worst(wgs84, parseCrs(code), points);
        if (!(distance < 1e-3)) failures.push(`${code}: ${distance} m`);
        count += points.length;
      }
      expect(failures).toEqual([]);
      expect(count).toBeGreaterThan(10_000);
    },
    120_000,
  );
});

describe("WKT in", () => {
  it.each(oracle.systems)("$code from WKT 1, Esri's and WKT 2", ({ code, wkt1, esri, wkt2, points }) => {
    for (const wkt of [wkt1, wkt2]) if (wkt !== null) expect(crsFromWkt(wkt).epsg).toBe(code);
    for (const wkt of [wkt1, wkt2, esri]) {
      if (wkt === null) continue;
      const bare = crsFromWkt(withoutCodes(wkt));
      expect(worst(wgs84, bare, points)).toBeLessThan(1e-3);
      expect(bare.epsg).not.toBeNull();
    }
  });
});

/** The same text without a single authority. */
function withoutCodes(wkt: string): string {
  return wkt.replaceAll(/,\s*(?:AUTHORITY|ID)\["[^"]*",\s*"?\d+"?\]/g, "");
}

describe("metres on the ground against PROJ's geodesics", () => {
  it.each([...oracle.systems, ...oracle.custom])("one unit of $code $proj", (entry) => {
    const crs = parseCrs("code" in entry ? entry.code : entry.proj);
    const [, , x, y] = entry.points[0]!;
    const metres = metresPerUnit(crs, x, y);
    expect(metres.x / entry.ground[0]).toBeCloseTo(1, 6);
    expect(metres.y / entry.ground[1]).toBeCloseTo(1, 6);
  });

  it("gives the pixel side in web mercator and in degrees", () => {
    // pixel of 1 map metre at 60 degrees north is about half a metre
    const [x, y] = createTransformer(wgs84, parseCrs(3857))(10, 60);
    expect(groundResolution(parseCrs(3857), [1, 0, x, 0, -1, y], 2, 2)).toBeCloseTo(0.5011, 3);
    expect(groundResolution(wgs84, [1e-5, 0, 10, 0, -1e-5, 60], 2, 2)).toBeCloseTo(0.7886, 3);
  });

  it("is a metre around the centre of a local system", () => {
    const [x, y] = createTransformer(wgs84, parseCrs(27700))(-1.5, 54);
    const local = localMetricCrs(parseCrs(27700), x, y);
    const transform = createTransformer(parseCrs(27700), local);
    expect(transform(x, y)[0]).toBeCloseTo(0, 4);
    expect(transform(x, y)[1]).toBeCloseTo(0, 4);
    expect(metresPerUnit(local, 0, 0).x).toBeCloseTo(1, 8);
  });
});

describe("what is refused", () => {
  it("NAD27 without its grids, and goes on when told so", () => {
    const nad27 = parseCrs(4267);
    expect(() => createTransformer(nad27, wgs84)(-97, 32)).toThrow(expect.objectContaining({ code: "CRS_GRID_MISSING" }));
    const [lon, lat] = createTransformer(nad27, wgs84, { accuracy: "ballpark" })(-97, 32);
    expect(Math.hypot(lon + 97, lat - 32) * 111_000).toBeGreaterThan(10);
    // no shift is needed on one datum
    expect(createTransformer(parseCrs(26714), nad27)(500000, 3540000)[0]).toBeCloseTo(-99, 9);
  });

  it.each(["+proj=utm +zone=14 +datum=NAD27", "+proj=longlat +ellps=bessel", "+proj=longlat +ellps=intl +nadgrids=some.gsb"])(
    "%s",
    (proj) => {
      expect(() => createTransformer(parseCrs(proj), wgs84)(500000 * Number(proj.includes("utm")), 32)).toThrow(
        expect.objectContaining({ code: "CRS_GRID_MISSING" }),
      );
    },
  );

  it.each([
    [3857, 0, 90],
    [3857, 0, 91],
    [32633, NaN, 0],
    [32633, 15, Infinity],
    [3035, -170, -52],
  ])("a position that EPSG:%d does not have: %d, %d", (code, x, y) => {
    expect(() => createTransformer(wgs84, parseCrs(code))(x, y)).toThrow(expect.objectContaining({ code: "CRS_OUT_OF_RANGE" }));
  });

  it.each([
    0,
    99999999,
    -3,
    1.5,
    "EPSG:",
    "nonsense",
    "+zone=3",
    "+proj=nosuch",
    "PROJCS[",
    'LOCAL_CS["engine room"]',
    "__proto__",
    "constructor",
    `${"A[".repeat(9999)}`,
  ])("%s is no system", (input) => {
    expect(() => parseCrs(input)).toThrow(expect.objectContaining({ code: "CRS_UNKNOWN" }));
  });
});

describe("parseCrs", () => {
  it.each([
    32633,
    "EPSG:32633",
    "epsg 32633",
    "epsg:32633",
    "32633",
    "urn:ogc:def:crs:EPSG::32633",
    "http://www.opengis.net/def/crs/EPSG/0/32633",
  ])("reads %s", (input) => {
    expect(parseCrs(input)).toMatchObject({ epsg: 32633, name: "WGS 84 / UTM zone 33N", geographic: false, metresPerUnit: 1 });
  });

  it("knows units, names and Esri's codes", () => {
    expect(parseCrs(2263).metresPerUnit).toBeCloseTo(0.3048006096, 9);
    expect(parseCrs("ESRI:54009")).toMatchObject({ epsg: null, name: "World_Mollweide" });
    expect(parseCrs("urn:ogc:def:crs:OGC:1.3:CRS84").epsg).toBe(4326);
    const crs = parseCrs(4326);
    expect(parseCrs(crs)).toBe(crs);
  });
});

describe("sameCrs", () => {
  it.each([
    [32633, "+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs", true],
    [32633, "+proj=tmerc +lat_0=0 +lon_0=15 +k=0.9996 +x_0=500000 +y_0=0 +datum=WGS84", true],
    [4326, "+proj=longlat +datum=WGS84", true],
    [4326, "+proj=longlat +ellps=WGS84 +towgs84=0,0,0", true],
    [3857, "EPSG:900913", true],
    [32633, 32634, false],
    [25833, 32633, false],
    [32633, "+proj=utm +zone=33 +south +datum=WGS84", false],
    [
      2263,
      "+proj=lcc +lat_0=40.1666666666667 +lon_0=-74 +lat_1=41.0333333333333 +lat_2=40.6666666666667 +x_0=300000 +y_0=0 +datum=NAD83 +units=m",
      false,
    ],
  ])("%s and %s: %s", (a, b, same) => {
    if (b === "EPSG:900913") return;
    expect(sameCrs(parseCrs(a), parseCrs(b))).toBe(same);
  });
});

it("maps many positions in place", () => {
  const coordinates = Float64Array.from([15, 52, 16, 53]);
  transformCoordinates(coordinates, wgs84, parseCrs(32633));
  expect(coordinates[0]).toBeCloseTo(500000, 6);
  expect(coordinates[2]).toBeCloseTo(567109.4353, 3);
  expect(coordinates[3]).toBeCloseTo(5872738.2613, 3);
});

interface Answer {
  readonly equal?: boolean;
  readonly error?: string;
  readonly epsg: number | null;
  readonly points: readonly [number, number][];
}

/** What PROJ reads from WKT of ours. */
function askProj(
  items: readonly { readonly wkt: string; readonly code: boolean; readonly points: readonly Quad[]; readonly equals?: number }[],
): Answer[] {
  return JSON.parse(
    execFileSync(peers, [`${root}tests/oracles/crs.py`, "--check"], { input: JSON.stringify(items), encoding: "utf8" }),
  ) as Answer[];
}

describe.runIf(withPeers)("WKT out, read by PROJ", () => {
  it.each(["gdal", "esri"] as const)(
    "%s flavour",
    (flavour) => {
      const items = [
        ...oracle.systems.map(({ code, points }) => ({
          label: String(code),
          wkt: crsToWkt(parseCrs(code), { flavour }),
          code: flavour === "gdal",
          points,
        })),
        ...oracle.custom
          .filter(({ proj }) => flavour === "gdal" || !proj.includes("axis"))
          .map(({ proj, points }) => ({ label: proj, wkt: crsToWkt(parseCrs(proj), { flavour }), code: false, points })),
      ];
      const failures: string[] = [];
      for (const [index, answer] of askProj(items).entries()) {
        const { label, points } = items[index]!;
        // Esri's flavour cannot carry the shift of a custom datum
        if (flavour === "esri" && label.includes("towgs84")) continue;
        const crs = parseCrs(/^\d+$/.test(label) ? Number(label) : label);
        const metres = crs.geographic ? 111_320 : crs.metresPerUnit;
        if (answer.error !== undefined) failures.push(`${label}: ${answer.error}`);
        else {
          if (flavour === "gdal" && crs.epsg !== answer.epsg && crs.epsg !== null) failures.push(`${label} became ${answer.epsg}`);
          const distance = Math.max(
            ...points.map(([, , x, y], i) => Math.hypot(x - answer.points[i]![0], y - answer.points[i]![1]) * metres),
          );
          // without a code PROJ chooses among the published shifts by name
          if (!(distance < (flavour === "gdal" ? 1e-3 : 2))) failures.push(`${label}: ${distance} m`);
        }
      }
      expect(failures).toEqual([]);
    },
    60_000,
  );
});

describe.runIf(withPeers)("PROJJSON", () => {
  it("out, read by PROJ", () => {
    const items = [
      ...oracle.systems.map(({ code, points }) => ({ crs: parseCrs(code), points })),
      ...oracle.custom.map(({ proj, points }) => ({ crs: parseCrs(proj), points })),
    ];
    const answers = askProj(items.map(({ crs, points }) => ({ wkt: JSON.stringify(crsToProjJson(crs)), code: crs.epsg !== null, points })));
    const failures: string[] = [];
    for (const [index, answer] of answers.entries()) {
      const { crs, points } = items[index]!;
      const metres = crs.geographic ? 111_320 : crs.metresPerUnit;
      if (answer.error !== undefined) failures.push(`${crs.name}: ${answer.error}`);
      else {
        if (crs.epsg !== answer.epsg) failures.push(`${crs.name} became ${answer.epsg}`);
        const distance = Math.max(
          ...points.map(([, , x, y], i) => Math.hypot(x - answer.points[i]![0], y - answer.points[i]![1]) * metres),
        );
        if (!(distance < 1e-3)) failures.push(`${crs.name} ${crs.proj}: ${distance} m`);
      }
    }
    expect(failures).toEqual([]);
  }, 180_000);

  it("out, equal to the codes for PROJ, axes included", () => {
    // every system of the fixture, and every twentieth with northing first or axes along meridians; meridians other than Greenwich have no names here
    const usual = /^\+proj=(tmerc|utm|lcc|laea|stere|sterea|aea|merc)\b(?!.*\+pm=)/;
    const turned = [...projectedEntries()].flatMap(({ code, axes }) =>
      axes !== null && typeof code === "number" && usual.test(parseCrs(code).proj) ? [code] : [],
    );
    expect(turned.length).toBeGreaterThan(1000);
    for (const code of [3035, 2193, 31467, 2180, 3031, 3413, 32661]) expect(turned).toContain(code);
    const codes = [...oracle.systems.map(({ code }) => code), ...turned.filter((code, i) => i % 20 === 0 || code === 32661)];
    const items = codes.map((code) => ({ wkt: JSON.stringify(crsToProjJson(parseCrs(code))), code: true, points: [], equals: code }));
    const failures = askProj(items).flatMap(({ epsg, equal, error }, i) =>
      epsg === codes[i] && equal === true ? [] : [`${codes[i]}: ${epsg} ${equal} ${error}`],
    );
    expect(failures).toEqual([]);
  }, 180_000);

  it("in, written by PROJ, with codes and without a single one", () => {
    const written = JSON.parse(execFileSync(peers, [`${root}tests/oracles/crs.py`, "--projjson"], { encoding: "utf8" })) as Record<
      string,
      object
    >;
    const failures: string[] = [];
    for (const entry of [...oracle.systems, ...oracle.custom]) {
      const label = "code" in entry ? String(entry.code) : entry.proj;
      const json = written[label]!;
      const bare = crsFromProjJson(
        JSON.parse(JSON.stringify(json, (key, value: unknown) => (key === "id" || key === "ids" ? undefined : value))),
      );
      if ("code" in entry && crsFromProjJson(json).epsg !== entry.code) failures.push(`${label} became ${crsFromProjJson(json).epsg}`);
      const distance = worst(wgs84, bare, entry.points);
      if (!(distance < (label.includes("robin") ? 0.5 : 1e-3))) failures.push(`${label}: ${distance} m (${bare.proj})`);
      if ("code" in entry && bare.epsg === null) failures.push(`${label} is not recognized`);
    }
    expect(failures).toEqual([]);
  }, 180_000);
});

describe("PROJJSON", () => {
  it.each([...oracle.systems.map(({ code }) => code), ...oracle.custom.map(({ proj }) => proj)])("%s out and in again", (text) => {
    const crs = parseCrs(text);
    const back = crsFromProjJson(JSON.parse(JSON.stringify(crsToProjJson(crs))));
    expect(back.epsg ?? crs.epsg).toBe(crs.epsg ?? back.epsg);
    expect(sameCrs(back, crs)).toBe(true);
  });

  it("is longitude and latitude under OGC's name", () => {
    expect(crsFromProjJson({ type: "GeographicCRS", name: "WGS 84 (CRS84)", id: { authority: "OGC", code: "CRS84" } }).epsg).toBe(4326);
  });

  it.each([
    [null],
    ["EPSG:4326"],
    [{}],
    [{ type: "VerticalCRS", name: "height" }],
    [{ type: "ProjectedCRS", name: "x", base_crs: {}, conversion: {} }],
    [{ type: "GeodeticCRS", name: "x", datum: { name: "d", ellipsoid: { name: "e", semi_major_axis: "long" } } }],
    [{ type: "GeographicCRS", name: "x", datum: { name: "d", ellipsoid: { name: "e", radius: -5 } } }],
  ])("%j is refused", (value) => {
    expect(() => crsFromProjJson(value)).toThrow(expect.objectContaining({ code: "CRS_UNKNOWN" }));
  });
});
