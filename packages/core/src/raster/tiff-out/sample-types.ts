/** Sizes, ranges and arrays of the sample types. */

import { GeoLearnError } from "../../errors.ts";
import type { SampleType, Samples } from "../raster.ts";

/** Bytes of one sample. */
export const SAMPLE_BYTES: Readonly<Record<SampleType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  float64: 8,
};

/** The largest value of each type. */
export const SAMPLE_MAX: Readonly<Record<SampleType, number>> = {
  uint8: 0xff,
  int8: 0x7f,
  uint16: 0xffff,
  int16: 0x7fff,
  uint32: 0xffffffff,
  int32: 0x7fffffff,
  float32: Infinity,
  float64: Infinity,
};

/** SampleFormat of TIFF: 1 unsigned, 2 signed, 3 floating point. */
export function sampleFormat(type: SampleType): number {
  return type.startsWith("float") ? 3 : type.startsWith("u") ? 1 : 2;
}

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

/** A new array of samples, all 0. */
export function newSamples(type: SampleType, length: number): Samples {
  return new ARRAYS[type](length);
}

/** Whether `data` holds samples of this type. */
export function holds(type: SampleType, data: Samples): boolean {
  return data instanceof ARRAYS[type];
}

/** Whether a sample of this type can be exactly this value (nearest float32 counts as exact for float32). */
export function representable(type: SampleType, value: number): boolean {
  if (type === "float64") return true;
  if (type === "float32") return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
  return new ARRAYS[type]([value])[0] === value;
}

/**
 * Text of a nodata value as GDAL reads it.
 *
 * @throws INVALID_ARGUMENT when no sample of this type can have the value
 */
export function nodataText(type: SampleType, nodata: number): string {
  if (!representable(type, nodata)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `Nodata ${nodata} is no value of type ${type}.`, {
      hint: "Choose a nodata value in the range of the type, or another type.",
      data: { nodata, sampleType: type },
    });
  }
  if (Number.isNaN(nodata)) return "nan";
  if (!Number.isFinite(nodata)) return nodata > 0 ? "inf" : "-inf";
  return String(type === "float32" ? Math.fround(nodata) : nodata);
}
