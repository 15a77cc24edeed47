/** Arrays and types of output samples. */

import type { ClassDefinition, SampleType, Samples } from "@geolearn/core";
import { GeoLearnError } from "@geolearn/core";

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** A new array of samples. */
export function newSamples(type: SampleType, length: number): Samples {
  return new ARRAYS[type](length);
}

/** The array over existing bytes, which must begin at the start of their buffer. */
export function samplesOf(type: SampleType, buffer: ArrayBuffer): Samples {
  return new ARRAYS[type](buffer);
}

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
  for (const [type, limit] of [
    ["uint8", 255],
    ["uint16", 65535],
    ["uint32", 4294967295],
  ] as const) {
    if (highest > limit || used.size > limit) continue;
    let nodata = limit as number;
    while (used.has(nodata)) nodata--;
    return { type, nodata };
  }
  throw new GeoLearnError("INVALID_ARGUMENT", "The class values leave no value free for nodata.");
}

/** The nodata value of rasters of values: not a number for floats, the lowest value of signed and the highest of unsigned types. */
export function valueNodata(type: SampleType): number {
  switch (type) {
    case "float32":
    case "float64":
      return Number.NaN;
    case "int8":
      return -128;
    case "int16":
      return -32768;
    case "int32":
      return -2147483648;
    case "uint8":
      return 255;
    case "uint16":
      return 65535;
    case "uint32":
      return 4294967295;
  }
}
