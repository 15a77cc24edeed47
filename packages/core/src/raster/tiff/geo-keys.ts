/** GeoKeys: the reference system of a GeoTIFF (OGC 19-008r4 section 7.1). */

import type { Directory } from "./directories.ts";
import { tags } from "./tags.ts";

/** Values of the keys, by number. */
export type GeoKeys = ReadonlyMap<number, number | string | readonly number[]>;

/** The keys geolearn asks for, by the names of the GeoTIFF standard. */
export const geoKeys = {
  modelType: 1024,
  rasterType: 1025,
  citation: 1026,
  geodeticCrs: 2048,
  geodeticCitation: 2049,
  projectedCrs: 3072,
  projectedCitation: 3073,
  projection: 3074,
  projectionMethod: 3075,
} as const;

/** Reads the key directory; keys that refer to values that are not there are left out. */
export async function readGeoKeys(directory: Directory): Promise<GeoKeys> {
  const keys = new Map<number, number | string | readonly number[]>();
  const table = await directory.numbers(tags.geoKeyDirectory);
  if (table === null || table.length < 4) return keys;
  const doubles = (await directory.numbers(tags.geoDoubleParams)) ?? new Float64Array(0);
  const bytes = await directory.bytes(tags.geoAsciiParams);
  const text = bytes === null ? "" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const count = Math.min(table[3]!, Math.floor(table.length / 4) - 1);
  for (let i = 1; i <= count; i++) {
    const [key, location, length, offset] = table.slice(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    if (location === 0) keys.set(key, offset);
    else if (location === tags.geoDoubleParams && offset + length <= doubles.length) {
      keys.set(key, length === 1 ? doubles[offset]! : [...doubles.subarray(offset, offset + length)]);
    } else if (location === tags.geoAsciiParams && offset + length <= text.length) {
      keys.set(key, text.slice(offset, offset + length).replace(/[|\0]+$/, ""));
    } else if (location === tags.geoKeyDirectory && offset + length <= table.length) {
      keys.set(key, table[offset]!);
    }
  }
  return keys;
}
