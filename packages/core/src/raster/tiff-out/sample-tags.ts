/** What tags say of samples. */

import { GeoLearnError } from "../../errors.ts";
import type { SampleType } from "../raster.ts";
import { isFloat, representable } from "../samples.ts";

/** SampleFormat of TIFF: 1 unsigned, 2 signed, 3 floating point. */
export function sampleFormat(type: SampleType): number {
  return isFloat(type) ? 3 : type.startsWith("u") ? 1 : 2;
}

/**
 * Text of a nodata value as GDAL reads it.
 *
 * @throws INVALID_ARGUMENT when no sample of this type can have the value
 */
export function nodataText(type: SampleType, nodata: number): string {
  const held = representable(type, nodata);
  if (held === null || (Number.isFinite(nodata) && !Number.isFinite(held))) {
    throw new GeoLearnError("INVALID_ARGUMENT", `Nodata ${nodata} is no value of type ${type}.`, {
      hint: "Choose a nodata value in the range of the type, or another type.",
      data: { nodata, sampleType: type },
    });
  }
  if (Number.isNaN(held)) return "nan";
  if (!Number.isFinite(held)) return held > 0 ? "inf" : "-inf";
  return String(held);
}
