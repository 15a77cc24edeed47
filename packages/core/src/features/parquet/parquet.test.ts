import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Geometry } from "geojson";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Bounds } from "../../affine.ts";
import { GeoLearnError } from "../../errors.ts";
import type { Warning } from "../../progress.ts";
import { createRng } from "../../rng.ts";
import type { Feature } from "../features.ts";
import { openFeatures, readFeatures } from "../open.ts";
import { writeFeatures } from "../write.ts";
import { readDeltaPrefixes, readDeltas } from "./delta.ts";
import { readHybrid } from "./hybrid.ts";
import { decodeLz4 } from "./lz4.ts";
import { decodeSnappy } from "./snappy.ts";
import { readThrift } from "./thrift.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
const fixtures = fileURLToPath(new URL("./fixtures/", import.meta.url));
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers) && hasGeopandas();
if (!withPeers) process.stdout.write("geoparquet: tests against geopandas are skipped, no Python environment with it (GEOLEARN_PEERS)\n");

function hasGeopandas(): boolean {
  try {
    execFileSync(peers, ["-c", "import geopandas, pyarrow"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** What pyarrow reads from a file. */
interface Expected {
  readonly file: string;
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
  readonly geometry: readonly (Geometry | null)[];
  readonly found?: readonly { readonly box: Bounds; readonly rows: readonly number[] }[];
  readonly files?: readonly string[];
}
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Expected[];
const fixture = (name: string): string => join(fixtures, name);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-parquet-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function python(...argv: string[]): string {
  const script = `${root}tests/oracles/geoparquet.py`;
  return execFileSync(peers, ["-W", "ignore", script, ...argv], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function checkEqual(features: readonly Feature[], { columns, geometry }: Expected): void {
  for (const [name, values] of Object.entries(columns)) {
    const read = features.map(({ properties }, i) => {
      const value = properties[name];
      // lists, maps and structs are JSON text
      return typeof values[i] === "object" && values[i] !== null ? (JSON.parse(value as string) as unknown) : value;
    });
    expect(read, name).toEqual(values);
  }
  expect(features.map((feature) => feature.geometry)).toEqual(geometry);
}

describe("GeoParquets written by pyarrow and geopandas", () => {
  it.each(expected)("$file", async (layer) => {
    const warnings: Warning[] = [];
    const { features } = await readFeatures(fixture(layer.file), { onWarning: (warning) => warnings.push(warning) });
    checkEqual(features, layer);
    expect(warnings.map(({ message }) => message)).toEqual(
      layer.file === "types.parquet" ? ['The binary field "bytes" of types.parquet is left out.'] : [],
    );
    // the same from memory, by their first bytes
    expect((await readFeatures(await readFile(fixture(layer.file)), { onWarning: () => undefined })).features).toEqual(features);
  });

  it("in systems by PROJJSON, by WKT, by default, compound, and in none", async () => {
    const crsOf = async (name: string) => (await openFeatures(fixture(name), { onWarning: () => undefined })).crs;
    expect((await crsOf("crs84.parquet"))?.epsg).toBe(4326);
    expect(await crsOf("no-crs.parquet")).toBeNull();
    expect((await crsOf("epsg.parquet"))?.epsg).toBe(28992);
    expect((await crsOf("compound.parquet"))?.epsg).toBe(28992);
    expect((await crsOf("custom.parquet"))?.proj).toMatch(/\+proj=tmerc.*\+lat_0=47.*\+lon_0=9/);
    expect((await crsOf("groups.parquet"))?.epsg).toBe(25832);
    expect((await crsOf("legacy.parquet"))?.epsg).toBe(3857);
    expect((await openFeatures(fixture("no-crs.parquet"), { crs: 3035 })).crs?.epsg).toBe(3035);
  });

  it.each(expected.find(({ file }) => file === "groups.parquet")!.found!)("features in the box $box", async ({ box, rows }) => {
    const { features } = await readFeatures(fixture("groups.parquet"), { bounds: box });
    expect(features.map(({ properties }) => properties["i"])).toEqual(rows);
  });

  it("row groups outside of a box are not even decoded", async () => {
    const bytes = await readFile(fixture("groups.parquet"));
    // damages the first pages of the file, which hold features 0 to 19
    bytes.fill(0xff, 4, 400);
    const { features } = await readFeatures(bytes, { bounds: [100.2, 100.2, 100.3, 100.3] });
    expect(features.map(({ properties }) => properties["i"])).toEqual([99, 100]);
    await expect(readFeatures(bytes, { bounds: [0, 0, 5, 5] })).rejects.toMatchObject({ code: "FEATURES_CORRUPT" });
  });

  it.runIf(withPeers)(
    "in every encoding, compression and page version",
    async () => {
      python("--matrix", folder);
      const matrix = JSON.parse(await readFile(join(folder, "expected.json"), "utf8")) as Expected;
      expect(matrix.files!.length).toBe(36);
      for (const file of matrix.files!) {
        try {
          checkEqual((await readFeatures(join(folder, file))).features, matrix);
        } catch (cause) {
          throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
        }
      }
    },
    120_000,
  );
});

/** What geopandas reads from a file of ours. */
interface Read {
  readonly epsg: number | null;
  readonly proj: string | null;
  readonly version: string;
  readonly types: readonly string[];
  readonly bbox: readonly number[] | null;
  readonly column: string;
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
  readonly arrow: Readonly<Record<string, string>>;
  readonly geometry: readonly (Geometry | null)[];
  readonly rowGroups: readonly number[];
  readonly within: readonly number[];
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

describe("GeoParquets of ours", () => {
  const kinds: Feature[] = [
    {
      geometry: SQUARE,
      properties: {
        name: "Größe 東京",
        count: 2 ** 53 - 1,
        height: 0.1,
        flag: true,
        mixed: 1,
        none: null,
        "a.b": 1,
        geometry: "text",
        bbox: 5,
      },
    },
    {
      geometry: {
        type: "MultiPoint",
        coordinates: [
          [-5, 1 / 3],
          [7, 2],
        ],
      },
      properties: { name: "", count: -1, height: 1e-300, flag: false, mixed: "x", none: null },
    },
    { geometry: null, properties: { name: null, count: null, height: NaN, flag: null, mixed: true } },
    {
      geometry: {
        type: "LineString",
        coordinates: [
          [0, 0, 5],
          [1, 2, -6.5],
        ],
      },
      properties: {},
    },
    { geometry: { type: "GeometryCollection", geometries: [{ type: "Point", coordinates: [1, 2] }] }, properties: {} },
  ];

  it("come back as they were", async () => {
    const path = join(folder, "kinds.parquet");
    expect(await writeFeatures(kinds, path, { crs: 28992 })).toBe(kinds.length);
    const back = await readFeatures(path);
    expect(back.crs?.epsg).toBe(28992);
    expect(back.features.map(({ geometry }) => geometry)).toEqual(kinds.map(({ geometry }) => geometry));
    expect(back.features[0]!.properties).toEqual({ ...kinds[0]!.properties, mixed: "1" });
    expect(back.features[2]!.properties).toEqual({
      name: null,
      count: null,
      height: null,
      flag: null,
      mixed: "true",
      none: null,
      "a.b": null,
      geometry: null,
      bbox: null,
    });
    if (!withPeers) return;
    const [read] = JSON.parse(python("--read", path)) as [Read];
    expect(read).toMatchObject({ epsg: 28992, version: "1.1.0", column: "geometry_2", bbox: [-5, 0, -6.5, 7, 3, 5] });
    expect(read.types).toEqual(["Polygon", "MultiPoint", "LineString Z", "GeometryCollection"]);
    expect(read.arrow).toEqual({
      name: "string",
      count: "int64",
      height: "double",
      flag: "bool",
      mixed: "string",
      none: "string",
      "a.b": "int64",
      geometry: "string",
      bbox: "int64",
    });
    expect(read.columns).toEqual({
      name: ["Größe 東京", "", null, null, null],
      count: [2 ** 53 - 1, -1, null, null, null],
      height: [0.1, 1e-300, null, null, null],
      flag: [true, false, null, null, null],
      mixed: ["1", "x", "true", null, null],
      none: [null, null, null, null, null],
      "a.b": [1, null, null, null, null],
      geometry: ["text", null, null, null, null],
      bbox: [5, null, null, null, null],
    });
    expect(read.geometry).toEqual(kinds.map(({ geometry }) => geometry));
  }, 180_000);

  it("in several row groups, in no system and of no feature", async () => {
    const many = join(folder, "many.parquet");
    const empty = join(folder, "empty.parquet");
    const count = 70_000;
    const features = function* (): Generator<Feature> {
      for (let i = 0; i < count; i += 1)
        yield { geometry: { type: "Point", coordinates: [i / 100, i / 100] }, properties: { i, kind: `kind ${i % 5}` } };
    };
    await writeFeatures(features(), many, { crs: null });
    await writeFeatures([], empty, { crs: "+proj=tmerc +lat_0=47 +lon_0=9 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m" });
    let index = 0;
    for await (const { properties, geometry } of await openFeatures(many)) {
      if (
        properties["i"] !== index ||
        properties["kind"] !== `kind ${index % 5}` ||
        (geometry as { coordinates: number[] }).coordinates[0] !== index / 100
      )
        break;
      index += 1;
    }
    expect(index).toBe(count);
    expect((await readFeatures(many, { bounds: [690, 690, 695, 695] })).features.length).toBe(501);
    expect((await readFeatures(empty)).features).toEqual([]);
    expect((await readFeatures(empty)).crs?.proj).toContain("+lat_0=47");
    if (!withPeers) return;
    const [manyRead, emptyRead] = JSON.parse(python("--read", many, empty)) as [Read, Read];
    expect(manyRead).toMatchObject({ epsg: null, proj: null, types: ["Point"], bbox: [0, 0, 699.99, 699.99], rowGroups: [65_536, 4464] });
    expect(manyRead.columns["i"]).toEqual(Array.from({ length: count }, (_, i) => i));
    // geopandas asks for the box 100, 100, 300, 300 by the columns with the boxes
    expect(manyRead.within.length).toBe(20_001);
    expect(emptyRead).toMatchObject({ geometry: [], types: [], bbox: null });
    expect(emptyRead.proj).toContain("+lat_0=47");
  }, 180_000);

  it("leave no temporary file behind", async () => {
    expect((await readdir(folder)).filter((name) => name.startsWith(".") || name.endsWith(".rows"))).toEqual([]);
  });
});

describe("what is refused", () => {
  it("a Parquet file without geometry, of a later version, with an unknown encoding", async () => {
    const bytes = await readFile(fixture("no-crs.parquet"));
    const changed = (from: string, to: string): Uint8Array => Buffer.from(bytes.toString("latin1").replaceAll(from, to), "latin1");
    await expect(readFeatures(changed("\u0003geo", "\u0003xyz"))).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringMatching(/without geometry/) as string,
    });
    await expect(readFeatures(changed('"1.0.0"', '"2.0.0"'))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await expect(readFeatures(changed('"WKB"', '"WKT"'))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  it.each([
    ["an empty file", Buffer.alloc(0)],
    ["only its marks", Buffer.from("PAR1PAR1")],
    ["a footer of four gigabytes", Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(64, 0xff), Buffer.from("PAR1")])],
  ])("%s", async (_, bytes) => {
    const path = join(folder, "bad.parquet");
    await writeFile(path, bytes);
    await expect(readFeatures(path)).rejects.toMatchObject({ code: "FEATURES_CORRUPT" });
  });

  it("runs, differences, copies and lists that claim more than they hold", () => {
    // a run of 2^31 in five bytes fills what there is room for, and no more
    const levels = new Uint8Array(10);
    readHybrid(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, levels);
    expect([...levels]).toEqual(Array.from({ length: 10 }, () => 1));
    expect(() => readHybrid(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 1, levels)).toThrow(/end early/);
    expect(() => readHybrid(Uint8Array.of(0, 0, 0), 1, levels)).toThrow(/no length/);
    // a block of 2^20 differences without a bit each
    expect(() => readDeltas(Uint8Array.of(0x80, 0x80, 0x40, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0), 0, 10)).toThrow(/not 10/);
    expect(() => readDeltas(Uint8Array.of(128, 1, 0, 10, 0), 0, 10)).toThrow(/odd size/);
    expect(() => readDeltaPrefixes(Uint8Array.of(128, 1, 4, 1, 4, 128, 1, 4, 1, 0), 0, 1)).toThrow(/shares/);
    expect(() => decodeSnappy(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 10)).toThrow(/hold/);
    expect(() => decodeSnappy(Uint8Array.of(10, 0x15, 5), 10)).toThrow(/reaches outside/);
    expect(() => decodeLz4(Uint8Array.of(0x1f, 1, 1, 0, 255, 255, 255), 10)).toThrow();
    // a list of 2^31 structs
    expect(readThrift(Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07))).toBeNull();
    expect(() => readThrift(new Uint8Array(1000).fill(0x1c))).toThrow(/nest/);
  });

  it.each(["types.parquet", "legacy.parquet", "native-multipolygon.parquet", "groups.parquet"])(
    "%s with flipped, cut and moved bytes",
    async (file) => {
      const seed = await readFile(fixture(file));
      const rng = createRng(17);
      const seen = new Set<string>();
      for (let round = 0; round < 300; round += 1) {
        let bytes = new Uint8Array(seed);
        for (let edit = 0; edit < 1 + rng.next() * 3; edit += 1) {
          const at = Math.floor(rng.next() * bytes.length);
          const kind = rng.next();
          if (kind < 0.4) bytes[at] = Math.floor(rng.next() * 256);
          else if (kind < 0.85) bytes[at]! ^= 1 << Math.floor(rng.next() * 8);
          else if (kind < 0.95) bytes.copyWithin(at, Math.floor(rng.next() * bytes.length), bytes.length - 8);
          else bytes = bytes.slice(0, at + 1);
        }
        seen.add(await outcome(bytes));
      }
      expect([...seen]).toContain("read");
      expect([...seen]).toContain("FEATURES_CORRUPT");
    },
  );

  /** Reads to the end, or fails with an error of ours that has a hint. */
  async function outcome(bytes: Uint8Array): Promise<string> {
    try {
      let count = 0;
      for await (const feature of await openFeatures(bytes, { format: "parquet", onWarning: () => undefined })) {
        void feature;
        // a damaged file may promise any number of rows without a value
        if ((count += 1) > 10_000) break;
      }
      return "read";
    } catch (error) {
      if (GeoLearnError.is(error) && error.hint !== undefined) return error.code;
      throw error;
    }
  }
});
