/** Sample types and nodata values of results. */

import type { ClassDefinition, SampleType } from "@geolearn/core";
import { GeoLearnError, sampleRange } from "@geolearn/core";

/** Smallest unsigned type that holds all class values and one value more for nodata, and that value: the largest free one. */
export function classSampleType(classes: readonly ClassDefinition[]): {
  readonly type: "uint8" | "uint16" | "uint32";
  readonly nodata: number;
} {
  const used = new Set(classes.map(({ value }) => value));
  for (const { value, name } of classes) {
    if (!Number.isInteger(value) || value < 0 || value > 4294967295) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `The class "${name}" has the value ${value}; class values are whole numbers from 0 to 4294967295.`,
      );
    }
  }
  const highest = Math.max(0, ...used);
  for (const type of ["uint8", "uint16", "uint32"] as const) {
    const [, limit] = sampleRange(type);
    if (highest > limit || used.size > limit) continue;
    let nodata = limit;
    while (used.has(nodata)) nodata--;
    return { type, nodata };
  }
  throw new GeoLearnError("INVALID_ARGUMENT", "The class values leave no value free for nodata.");
}

/** The nodata value of rasters of values: not a number for floats, the lowest value of signed and the highest of unsigned types. */
export function valueNodata(type: SampleType): number {
  if (type.startsWith("float")) return Number.NaN;
  const [min, max] = sampleRange(type);
  return min < 0 ? min : max;
}
