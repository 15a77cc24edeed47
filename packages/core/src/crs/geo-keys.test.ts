import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { crsFromGeoKeyValues } from "./from-geo-keys.ts";
import { type GeoKey, crsGeoKeys } from "./geo-keys.ts";
import { parseCrs } from "./parse.ts";
import { createTransformer } from "./transform.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const peers = `${process.env["GEOLEARN_PEERS"] ?? `${root}../.venv-peers`}/bin/python`;
const withPeers = existsSync(peers);

/** A TIFF of one pixel with these GeoKeys. */
function tinyTiff(keys: readonly GeoKey[]): Uint8Array {
  const doubles: number[] = [];
  let text = "";
  const directory = [1, 1, 0, keys.length];
  for (const { id, type, value } of keys) {
    if (type === "short") directory.push(id, 0, 1, Number(value));
    else if (type === "double") {
      const numbers = typeof value === "object" ? value : [Number(value)];
      directory.push(id, 34736, numbers.length, doubles.length);
      doubles.push(...numbers);
    } else {
      directory.push(id, 34737, String(value).length + 1, text.length);
      text += `${String(value)}|`;
    }
  }
  const tags: [tag: number, type: 1 | 2 | 3 | 4 | 12, values: readonly number[]][] = [
    [256, 3, [1]],
    [257, 3, [1]],
    [258, 3, [8]],
    [259, 3, [1]],
    [262, 3, [1]],
    [273, 4, [8]],
    [277, 3, [1]],
    [278, 3, [1]],
    [279, 4, [1]],
    [33550, 12, [1, 1, 0]],
    [33922, 12, [0, 0, 0, 1000, 2000, 0]],
    [34735, 3, directory],
    ...(doubles.length > 0 ? ([[34736, 12, doubles]] as [number, 12, number[]][]) : []),
    ...(text === "" ? [] : ([[34737, 2, [...new TextEncoder().encode(`${text}\0`)]]] as [number, 2, number[]][])),
  ];
  const size = { 1: 1, 2: 1, 3: 2, 4: 4, 12: 8 };
  const start = 10;
  let data = start + 2 + 12 * tags.length + 4;
  const bytes = new Uint8Array(data + tags.reduce((sum, [, type, values]) => sum + size[type] * values.length + 8, 0));
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x49, 42, 0, start, 0, 0, 0]);
  view.setUint16(start, tags.length, true);
  for (const [index, [tag, type, values]] of tags.entries()) {
    const entry = start + 2 + 12 * index;
    view.setUint16(entry, tag, true);
    view.setUint16(entry + 2, type, true);
    view.setUint32(entry + 4, values.length, true);
    const length = size[type] * values.length;
    const at = length <= 4 ? entry + 8 : data;
    if (length > 4) {
      view.setUint32(entry + 8, data, true);
      data += length + (length % 2);
    }
    for (const [i, value] of values.entries()) {
      if (type === 12) view.setFloat64(at + 8 * i, value, true);
      else if (type === 4) view.setUint32(at + 4 * i, value, true);
      else if (type === 3) view.setUint16(at + 2 * i, value, true);
      else bytes[at + i] = value;
    }
  }
  return bytes;
}

const oracle = JSON.parse(readFileSync(new URL("./fixtures/crs.json", import.meta.url), "utf8")) as {
  readonly systems: readonly { readonly code: number; readonly points: readonly (readonly [number, number, number, number])[] }[];
  readonly custom: readonly { readonly proj: string; readonly points: readonly (readonly [number, number, number, number])[] }[];
};

describe("crsGeoKeys", () => {
  it("names a system that has a code by it", () => {
    expect(crsGeoKeys(parseCrs(32633)).keys).toEqual([
      { id: 1024, type: "short", value: 1 },
      { id: 1026, type: "ascii", value: "WGS 84 / UTM zone 33N" },
      { id: 3072, type: "short", value: 32633 },
      { id: 3076, type: "short", value: 9001 },
    ]);
    expect(crsGeoKeys(parseCrs(4326)).keys.map(({ id }) => id)).toEqual([1024, 2048, 2049, 2054]);
  });

  it("is sorted by id, and refuses what GeoTIFF has no word for", () => {
    for (const { proj } of oracle.custom) {
      if (/proj=moll/.test(proj)) {
        expect(() => crsGeoKeys(parseCrs(proj))).toThrow(expect.objectContaining({ code: "CRS_UNKNOWN" }));
        continue;
      }
      const ids = crsGeoKeys(parseCrs(proj)).keys.map(({ id }) => id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it.runIf(withPeers)(
    "is read by rasterio as the same system",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "geolearn-geokeys-"));
      const cases = [
        ...oracle.systems.map(({ code, points }) => ({ label: String(code), crs: parseCrs(code), points })),
        ...oracle.custom
          .filter(({ proj }) => !/proj=moll/.test(proj))
          .map(({ proj, points }) => ({ label: proj, crs: parseCrs(proj), points })),
      ];
      const items = [];
      for (const [index, { crs, points }] of cases.entries()) {
        const path = join(folder, `${index}.tif`);
        await writeFile(path, tinyTiff(crsGeoKeys(crs).keys));
        items.push({ path, points, code: true });
      }
      const answers = JSON.parse(
        execFileSync(peers, ["-W", "ignore", `${root}tests/oracles/crs.py`, "--tiff"], { input: JSON.stringify(items), encoding: "utf8" }),
      ) as {
        readonly error?: string;
        readonly epsg: number | null;
        readonly points: readonly [number, number][];
      }[];
      await rm(folder, { recursive: true });
      const failures: string[] = [];
      for (const [index, { label, crs, points }] of cases.entries()) {
        const { error, epsg, points: found } = answers[index]!;
        if (error !== undefined) failures.push(`${label}: ${error}`);
        else if (crs.epsg !== null && epsg !== crs.epsg) failures.push(`${label} became ${epsg}`);
        else {
          const metres = crs.geographic ? 111_320 : crs.metresPerUnit;
          const distance = Math.max(...points.map(([, , x, y], i) => Math.hypot(x - found[i]![0], y - found[i]![1]) * metres));
          if (!(distance < 1e-3)) failures.push(`${label}: ${distance} m`);
        }
      }
      expect(failures).toEqual([]);
    },
    60_000,
  );
});

describe("crsFromGeoKeyValues", () => {
  it("reads back what is spelled out, with its code where the table has it", () => {
    const wgs84 = parseCrs(4326);
    const cases = [
      ...oracle.systems.map(({ code, points }) => ({ label: String(code), crs: { ...parseCrs(code), epsg: null }, points })),
      ...oracle.custom.map(({ proj, points }) => ({ label: proj, crs: parseCrs(proj), points })),
    ];
    const failures: string[] = [];
    let recognized = 0;
    for (const { label, crs, points } of cases) {
      // GeoTIFF has no Mollweide and no Krovak; without its code MGI has only one of its shifts
      if (/moll|krovak/.test(crs.proj) || label === "31287") continue;
      const back = crsFromGeoKeyValues(new Map(crsGeoKeys(crs).keys.map(({ id, value }) => [id, value])));
      if (back.epsg !== null) recognized += 1;
      const transform = createTransformer(wgs84, back);
      const metres = back.geographic ? 111_320 : back.metresPerUnit;
      const distance = Math.max(
        ...points.map(([lon, lat, x, y]) => Math.hypot(transform(lon, lat)[0] - x, transform(lon, lat)[1] - y) * metres),
      );
      if (!(distance < (label.includes("robin") ? 0.5 : 1e-3))) failures.push(`${label}: ${distance} m, ${back.proj}`);
    }
    expect(failures).toEqual([]);
    expect(recognized).toBeGreaterThan(10);
  });

  it("refuses what it does not know", () => {
    const keys = (entries: [number, number][]): Map<number, number> => new Map([[1024, 1], [2048, 4326], ...entries]);
    for (const entries of [
      [[3075, 999]],
      [
        [3075, 1],
        [3076, 9999],
      ],
      [
        [3075, 1],
        [2054, 9999],
      ],
      [],
    ] as [number, number][][]) {
      expect(() => crsFromGeoKeyValues(keys(entries))).toThrow(expect.objectContaining({ code: "CRS_UNKNOWN" }));
    }
  });
});
