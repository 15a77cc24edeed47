/** Lengths as users write them: metres on the ground unless they say otherwise. */

import { GeoLearnError } from "../errors.ts";
import { showValue } from "../show-value.ts";

/** A length with the ruler it is measured by. */
export interface Length {
  readonly value: number;
  /** `"m"`: metres on the ground, `"crs"`: units of the reference system. */
  readonly unit: "m" | "crs";
}

const METRES: Readonly<Record<string, number>> = {
  "": 1,
  m: 1,
  cm: 0.01,
  mm: 0.001,
  km: 1000,
  ft: 0.3048,
  "us-ft": 1200 / 3937,
  yd: 0.9144,
  mi: 1609.344,
};

/**
 * Reads a length: `20` and `"20 m"` are ground metres, `"20 crs"` units of the reference system; also mm, cm, km, ft,
 * us-ft, yd, mi.
 *
 * @throws INVALID_ARGUMENT when it is no finite number with a known unit
 */
export function parseLength(input: number | string | Length): Length {
  if (isLength(input)) return input;
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z-]*)\s*$/i.exec(String(input));
  const unit = match?.[2]?.toLowerCase() ?? "";
  const value = Number(match?.[1]);
  if (match !== null && Number.isFinite(value)) {
    if (unit === "crs") return { value, unit: "crs" };
    if (Object.hasOwn(METRES, unit)) return { value: value * METRES[unit]!, unit: "m" };
  }
  throw new GeoLearnError("INVALID_ARGUMENT", `${showValue(input)} is no length.`, {
    hint: 'Write metres on the ground as 20 or "20 m", units of the reference system as "20 crs".',
  });
}

function isLength(input: unknown): input is Length {
  if (typeof input !== "object" || input === null) return false;
  const { value, unit } = input as Partial<Length>;
  return Number.isFinite(value) && (unit === "m" || unit === "crs");
}
