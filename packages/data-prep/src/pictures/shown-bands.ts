/** Which bands of chips are shown as red, green and blue. */

import { bandPositions, GeoLearnError, showValue } from "@geolearn/core";

import { bandsByDate } from "../bands-by-date.ts";
import type { PreparedData } from "../learning-data.ts";

/** What is known of the bands of chips. */
export type Banded = Pick<PreparedData<never, never>, "bands" | "bandNames" | "dates">;

/** The bands of one picture of a chip. */
export interface ShownBands {
  /** Which date it is of, where chips are pairs. */
  readonly title: "image" | "earlier" | "later";
  /** Bands drawn as red, green and blue, or one band. */
  readonly bands: readonly number[];
}

/**
 * The bands of a chip's picture, or of two dates of both: those that were chosen; else red, green and blue where bands bear names that say so; else the
 * first three, or the first.
 *
 * @param rgb one band or three, by position from 0 or by name; of two dates among those of each
 * @throws INVALID_ARGUMENT for another number of bands; BANDS_MISMATCH for a band that is not there
 */
export function shownBands(data: Banded, rgb?: readonly (number | string)[]): readonly ShownBands[] {
  const byDate = bandsByDate(data.dates) ?? { image: Array.from({ length: data.bands }, (_, band) => band) };
  return Object.entries(byDate).map(([title, own]: [string, readonly number[]]) => {
    const names = own.map((band) => undated(data.bandNames[band] ?? `band ${band + 1}`));
    const positions = rgb === undefined ? usual(names) : chosen(rgb, names, data.bands);
    return { title: title as ShownBands["title"], bands: positions.map((position) => own[position]!) };
  });
}

/** Names of two dates end in "before" and "after". */
const undated = (name: string): string => name.replace(/ (before|after)$/, "");

function chosen(rgb: readonly (number | string)[], names: readonly string[], bands: number): readonly number[] {
  if (!Array.isArray(rgb) || (rgb.length !== 1 && rgb.length !== 3)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`rgb\` is ${showValue(rgb)}; expected one band or three.`, {
      hint: `Give positions from 0 or names: ${names.join(", ")}.`,
      data: { field: "rgb", value: rgb },
    });
  }
  const own = rgb.map((band: number | string) => {
    if (typeof band === "string") return undated(band);
    return band < bands ? band % names.length : band;
  });
  return bandPositions(own, names, "a chip");
}

function usual(names: readonly string[]): readonly number[] {
  for (const position of [colorNamed, colorAmong, bandNumbered]) {
    const found = COLORS.map((color) => names.findIndex((name) => position(name.toLowerCase().trim(), color)));
    if (found.every((at) => at >= 0)) return found;
  }
  return names.length >= 3 ? [0, 1, 2] : [0];
}

const COLORS = ["red", "green", "blue"] as const;
type Color = (typeof COLORS)[number];

/** "Red". */
const colorNamed = (name: string, color: Color): boolean => name === color;

/** "B4 (Red)", but not "red edge". */
function colorAmong(name: string, color: Color): boolean {
  const words = name.split(/[^a-z0-9]+/);
  return words.includes(color) && !words.includes("edge") && !words.includes("coastal");
}

/** Those of Sentinel-2 and of Landsat 8 and 9. */
const NUMBERS: Readonly<Record<Color, RegExp>> = { red: /^(sr_)?b0?4$/, green: /^(sr_)?b0?3$/, blue: /^(sr_)?b0?2$/ };

/** "B4", "B04", "SR_B4". */
const bandNumbered = (name: string, color: Color): boolean => NUMBERS[color].test(name);
