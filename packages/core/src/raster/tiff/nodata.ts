/** GDAL's nodata tag: a number as text. */

import { representable } from "../samples.ts";
import type { SampleType } from "../raster.ts";

/**
 * The value of missing samples as the sample type holds it, so that it can be compared with `===` (or `Number.isNaN`); null
 * when there is none or when no sample could have it.
 */
export function parseNodata(text: string | null, type: SampleType): number | null {
  if (text === null) return null;
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return null;
  const value = parseNumber(trimmed);
  return value === undefined ? null : representable(type, value);
}

function parseNumber(text: string): number | undefined {
  if (/^[+-]?nan/.test(text) || text === "-1.#ind" || text === "1.#qnan") return NaN;
  const infinite = /^([+-]?)(inf|infinity|1\.#inf)$/.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/.exec(text);
  return number === null ? undefined : Number(number[0]);
}
