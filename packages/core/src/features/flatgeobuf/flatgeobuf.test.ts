import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Builder } from "flatbuffers";
import type { Geometry } from "geojson";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Bounds } from "../../affine.ts";
import { GeoLearnError } from "../../errors.ts";
import { createRng } from "../../rng.ts";
import type { Feature } from "../features.ts";
import { openFeatures, readFeatures } from "../open.ts";
import { writeFeatures } from "../write.ts";
import { encodeHeader } from "./encode.ts";
import { readProperties } from "./properties-reader.ts";
import { COLUMN_TYPE, FEATURE, GEOMETRY, MAGIC } from "./schema.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
const fixtures = fileURLToPath(new URL("./fixtures/", import.meta.url));
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);
if (!withPeers) process.stdout.write("flatgeobuf: tests against GDAL are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** What GDAL reads from a fixture. */
interface Expected {
  readonly file: string;
  readonly fields: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly geometry: readonly (Geometry | null)[] | null;
  readonly found?: readonly { readonly box: Bounds; readonly rows: readonly number[] }[];
}
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Expected[];
const indexed = expected.find(({ file }) => file === "indexed.fgb")!;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-flatgeobuf-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function python(...argv: string[]): unknown {
  const output = execFileSync(peers, ["-W", "ignore", ...argv], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output);
}

function numbersIn(features: readonly Feature[]): number[] {
  return features.map(({ properties }) => properties["i"] as number).sort((a, b) => a - b);
}

describe("FlatGeobufs written by GDAL", () => {
  it.each(expected)("$file: fields and geometry", async ({ file, fields, rows, geometry }) => {
    const { features } = await readFeatures(join(fixtures, file));
    expect(features.map(({ properties }) => fields.map((name) => properties[name]))).toEqual(rows);
    if (geometry !== null) expect(features.map((feature) => feature.geometry)).toEqual(geometry);
    // the same from memory, by their first bytes
    expect((await readFeatures(await readFile(join(fixtures, file)))).features).toEqual(features);
  });

  it("in systems with a code of EPSG, of Esri, without a code and without a system", async () => {
    const crsOf = async (name: string) => (await openFeatures(join(fixtures, name))).crs;
    expect((await crsOf("types.fgb"))?.epsg).toBe(32633);
    expect((await crsOf("types.fgb"))?.wkt).toMatch(/^PROJCRS/);
    expect((await crsOf("empty.fgb"))?.epsg).toBe(4326);
    expect(await crsOf("esri.fgb")).toMatchObject({ epsg: null, proj: expect.stringContaining("+proj=moll") as string });
    expect((await crsOf("custom.fgb"))?.proj).toMatch(/\+proj=tmerc.*\+lat_0=47.*\+lon_0=9/);
    expect(await crsOf("no-crs.fgb")).toBeNull();
    expect((await openFeatures(join(fixtures, "no-crs.fgb"), { crs: 3035 })).crs?.epsg).toBe(3035);
  });

  it.each(indexed.found!)("features in the box $box by the index", async ({ box, rows }) => {
    const path = join(fixtures, "indexed.fgb");
    expect(numbersIn((await readFeatures(path, { bounds: box })).features)).toEqual(rows);
  });

  it("curves are refused", async () => {
    await expect(readFeatures(join(fixtures, "curve.fgb"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });
});

/** Points on a grid of odd steps, so that boxes cut them here and there. */
function scattered(count: number): Feature[] {
  return Array.from({ length: count }, (_, i) => ({
    geometry: { type: "Point" as const, coordinates: [(i * 7919) % 1000, (i * 104729) % 997] },
    properties: { i },
  }));
}

describe("FlatGeobufs of ours", () => {
  // 1 and 16 fill a node, 17 begins another, 257 begins a third level
  const boxes: readonly Bounds[] = [
    [0, 0, 500, 500],
    [300, 0, 310, 997],
    [0, 0, 1000, 1000],
    [2000, 2000, 3000, 3000],
    [0, 0, 0, 0],
  ];

  // 1 and 16 fill a node, 17 begins another, 257 begins a third level
  it.each([1, 2, 16, 17, 257])("%d features: a box finds what a search without an index finds", async (count) => {
    const path = join(folder, `scattered-${count}.fgb`);
    const plain = join(folder, `plain-${count}.fgb`);
    const features = scattered(count);
    await writeFeatures(features, path, { crs: 32633 });
    await writeFeatures(features, plain, { crs: 32633, spatialIndex: false });
    expect((await readFeatures(plain)).features.map(({ properties }) => properties["i"])).toEqual(features.map((_, i) => i));
    expect((await readFeatures(path)).features.length).toBe(count);
    for (const bounds of boxes) {
      expect(numbersIn((await readFeatures(path, { bounds })).features)).toEqual(
        numbersIn((await readFeatures(plain, { bounds })).features),
      );
    }
  });

  it.runIf(withPeers)(
    "answer GDAL's boxes by their index",
    async () => {
      const path = join(folder, "asked.fgb");
      await writeFeatures(scattered(257), path, { crs: 32633 });
      const ours = await Promise.all(boxes.map(async (bounds) => numbersIn((await readFeatures(path, { bounds })).features)));
      expect(python(`${root}tests/oracles/flatgeobuf.py`, "--find", path, JSON.stringify(boxes))).toEqual(ours);
    },
    60_000,
  );

  it("stand along the Hilbert curve as GDAL puts them", async () => {
    const { features, crs } = await readFeatures(join(fixtures, "indexed.fgb"));
    const path = join(folder, "order.fgb");
    const given = [...features].sort((a, b) => Number(a.properties["i"]) - Number(b.properties["i"]));
    await writeFeatures(given, path, { crs });
    expect((await readFeatures(path)).features).toEqual(features);
  });

  it("keep every kind of geometry, heights and fields of every type", async () => {
    const kinds = (await readFeatures(join(fixtures, "kinds.fgb"))).features;
    const high: Geometry = {
      type: "LineString",
      coordinates: [
        [0, 0, 5],
        [1, 2, -6.5],
      ],
    };
    const features: Feature[] = [
      ...kinds,
      { geometry: high, properties: { i: 1.5, "": "unnamed", flag: true, text: "Größe 東京", mixed: 1, none: null } },
      { geometry: null, properties: { i: null, "": null, flag: false, text: "", mixed: "x", none: null } },
      { geometry: { type: "Polygon", coordinates: [] }, properties: {} },
    ];
    const path = join(folder, "kinds.fgb");
    await writeFeatures(features, path, { layer: "all kinds" });
    const back = await readFeatures(path);
    expect(back.crs).toBeNull();
    expect(back.features.map(({ geometry }) => geometry)).toEqual([...kinds.map(({ geometry }) => geometry), high, null, null]);
    const line = { i: 1.5, field: "unnamed", flag: true, text: "Größe 東京", mixed: "1", none: null };
    expect(back.features.at(-3)!.properties).toEqual(line);
    expect(back.features.at(-2)!.properties).toEqual({ ...line, i: null, field: null, flag: false, text: "", mixed: "x" });
  });

  it.runIf(withPeers)(
    "with heights here and there are read by GDAL, which gives every position one",
    async () => {
      const path = join(folder, "heights.fgb");
      const lines: Geometry[] = [
        [
          [0, 0, 5],
          [1, 2, -6.5],
        ],
        [
          [3, 3],
          [4, 5],
        ],
      ].map((coordinates) => ({ type: "LineString", coordinates }));
      const properties = { i: 1.5, flag: true, text: "Größe 東京", mixed: "1", none: null };
      await writeFeatures(
        lines.map((geometry) => ({ geometry, properties })),
        path,
        { layer: "all kinds", crs: 3035, spatialIndex: false },
      );
      expect((await readFeatures(path)).features.map(({ geometry }) => geometry)).toEqual(lines);
      const [layer] = python(`${root}tests/oracles/features.py`, "--read", path) as [Record<string, unknown>];
      expect(layer).toMatchObject({
        epsg: 3035,
        type: "LineString Z",
        fields: Object.keys(properties),
        rows: [Object.values(properties), Object.values(properties)],
      });
      expect(layer["geometry"]).toEqual([
        lines[0],
        {
          type: "LineString",
          coordinates: [
            [3, 3, null],
            [4, 5, null],
          ],
        },
      ]);
    },
    60_000,
  );

  it("of no feature at all", async () => {
    const path = join(folder, "empty.fgb");
    expect(await writeFeatures([], path, { crs: 4326 })).toBe(0);
    expect(await readFeatures(path)).toMatchObject({ crs: { epsg: 4326 }, features: [] });
    expect((await readFeatures(path, { bounds: [0, 0, 1, 1] })).features).toEqual([]);
    if (withPeers) expect(python(`${root}tests/oracles/features.py`, "--read", path)).toMatchObject([{ epsg: 4326, rows: [] }]);
  });

  it("leave no temporary file behind", async () => {
    expect((await readdir(folder)).filter((name) => !/^[a-z].*\.fgb$/.test(name))).toEqual([]);
  });
});

describe("bounds", () => {
  it("hold for every source", async () => {
    const features = scattered(50);
    const path = join(folder, "bounds.geojsonl");
    await writeFeatures(features, path, { crs: null, keepCrs: true });
    const bounds: Bounds = [100, 100, 600, 600];
    const inside = features.filter(({ geometry }) => {
      const [x, y] = (geometry as { coordinates: number[] }).coordinates as [number, number];
      return x >= 100 && x <= 600 && y >= 100 && y <= 600;
    });
    expect(inside.length).toBeGreaterThan(5);
    expect(numbersIn((await readFeatures(path, { bounds })).features)).toEqual(numbersIn(inside));
    expect(numbersIn((await readFeatures({ name: "x", crs: null, features }, { bounds })).features)).toEqual(numbersIn(inside));
  });

  it.each([[[0, 0, NaN, 1]], [[1, 0, 0, 1]], [[0, 0, 1]]])("%j are refused", async (bounds) => {
    await expect(readFeatures(join(fixtures, "types.fgb"), { bounds: bounds as unknown as Bounds })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("fields", () => {
  it("of the types GDAL does not write", () => {
    const bytes = Buffer.alloc(64);
    let at = 0;
    const put = (column: number, write: (at: number) => number): void => {
      at = bytes.writeUInt16LE(column, at);
      at = write(at);
    };
    put(0, (at) => bytes.writeInt8(-128, at));
    put(1, (at) => bytes.writeUInt8(255, at));
    put(2, (at) => bytes.writeUInt16LE(65535, at));
    put(3, (at) => bytes.writeUInt32LE(4294967295, at));
    put(4, (at) => bytes.writeBigUInt64LE(2n ** 64n - 1n, at));
    put(5, (at) => bytes.writeUInt32LE(2, at) + bytes.write("{}", at + 4));
    put(6, (at) => bytes.writeUInt32LE(1, at) + 1);
    const types = ["byte", "ubyte", "ushort", "uint", "ulong", "json", "binary"] as const;
    const properties = {};
    readProperties(
      properties,
      bytes.subarray(0, at),
      types.map((name) => ({ name, type: COLUMN_TYPE[name] })),
      "x",
    );
    expect(properties).toEqual({ byte: -128, ubyte: 255, ushort: 65535, uint: 4294967295, ulong: "18446744073709551615", json: "{}" });
  });
});

describe("hostile FlatGeobufs", () => {
  /** A file with a header and these features. */
  function fileOf(count: number, ...features: Uint8Array[]): Uint8Array {
    const header = encodeHeader(new Builder(), {
      name: "x",
      bounds: null,
      geometryType: null,
      height: false,
      fields: [],
      count,
      nodeSize: 0,
      crs: null,
    });
    return Buffer.concat([Uint8Array.of(...MAGIC, 0), header, ...features]);
  }

  it("parts that refer to the same parts again and again", async () => {
    const builder = new Builder();
    const table = (fill: () => void): number => {
      builder.startObject(GEOMETRY.fields);
      fill();
      return builder.endObject();
    };
    let geometry = table(() => builder.addFieldInt8(GEOMETRY.type, 7, 0));
    for (let depth = 0; depth < 12; depth += 1) {
      builder.startVector(4, 30, 4);
      for (let i = 0; i < 30; i += 1) builder.addOffset(geometry);
      const parts = builder.endVector();
      geometry = table(() => {
        builder.addFieldInt8(GEOMETRY.type, 7, 0);
        builder.addFieldOffset(GEOMETRY.parts, parts, 0);
      });
    }
    builder.startObject(FEATURE.fields);
    builder.addFieldOffset(FEATURE.geometry, geometry, 0);
    builder.finishSizePrefixed(builder.endObject());
    await expect(readFeatures(fileOf(1, builder.asUint8Array()))).rejects.toThrow(/again and again/);
  });

  it.each([
    ["more features than bytes", (bytes: Buffer) => bytes.subarray(0, 400), "FEATURES_CORRUPT"],
    ["a header of four gigabytes", (bytes: Buffer) => (bytes.writeUInt32LE(0xffffffff, 8), bytes), "FEATURES_CORRUPT"],
    ["version 2", (bytes: Buffer) => (bytes.writeUInt8(2, 3), bytes), "UNSUPPORTED_FORMAT"],
    ["only its first bytes", (bytes: Buffer) => bytes.subarray(0, 8), "FEATURES_CORRUPT"],
    ["something else", () => Buffer.from("not a FlatGeobuf at all"), "FEATURES_CORRUPT"],
  ])("%s", async (_, damage, code) => {
    const path = join(folder, "hostile.fgb");
    await writeFile(path, damage(Buffer.from(await readFile(join(fixtures, "indexed.fgb")))));
    await expect(readFeatures(path)).rejects.toMatchObject({ code });
  });

  it("an index that leads in a circle, and a feature it places elsewhere", async () => {
    const path = join(folder, "circle.fgb");
    await writeFeatures(scattered(300), path, { crs: null });
    const bytes = await readFile(path);
    const rootNode = bytes.readUInt32LE(8) + 12;
    bytes.writeBigUInt64LE(0n, rootNode + 32);
    await expect(readFeatures(bytes, { bounds: [0, 0, 1000, 1000] })).rejects.toThrow(/leads to 0/);
    bytes.writeBigUInt64LE(1n, rootNode + 32);
    const lastLeaf = rootNode + 40 * (1 + 2 + 19 + 299);
    bytes.writeBigUInt64LE(2n ** 60n, lastLeaf + 32);
    await expect(readFeatures(bytes, { bounds: [0, 0, 1000, 1000] })).rejects.toMatchObject({ code: "FEATURES_CORRUPT" });
  });

  it.each(["indexed.fgb", "types.fgb", "kinds.fgb", "custom.fgb"])("%s with flipped, cut and moved bytes", async (file) => {
    const seed = await readFile(join(fixtures, file));
    const rng = createRng(11);
    const seen = new Set<string>();
    for (let round = 0; round < 400; round += 1) {
      let bytes = new Uint8Array(seed);
      const within = round % 2 === 0 ? 512 : bytes.length; // every other round in the header
      for (let edit = 0; edit < 1 + rng.next() * 4; edit += 1) {
        const at = Math.floor(rng.next() * Math.min(within, bytes.length));
        const kind = rng.next();
        if (kind < 0.4) bytes[at] = Math.floor(rng.next() * 256);
        else if (kind < 0.8) bytes[at]! ^= 1 << Math.floor(rng.next() * 8);
        else if (kind < 0.9) bytes.copyWithin(at, Math.floor(rng.next() * bytes.length));
        else bytes = bytes.slice(0, at + 1);
      }
      seen.add(await outcome(bytes, round % 3 === 0 ? [100, 100, 600, 600] : undefined));
    }
    expect([...seen]).toContain("read");
    expect([...seen]).toContain("FEATURES_CORRUPT");
  });

  /** Reads to the end, or fails with an error of ours that has a hint. */
  async function outcome(bytes: Uint8Array, bounds: Bounds | undefined): Promise<string> {
    try {
      for await (const feature of await openFeatures(bytes, { format: "fgb", ...(bounds === undefined ? {} : { bounds }) })) void feature;
      return "read";
    } catch (error) {
      if (GeoLearnError.is(error) && error.hint !== undefined) return error.code;
      throw error;
    }
  }
});
