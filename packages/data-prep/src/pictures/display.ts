/** How chips are shown: which of their bands, and from which value to which. Alike for all chips of a figure, so that they can be compared. */

import { bandRanges, type BandStatistics } from "@geolearn/core";

import { bandsByDate } from "../bands-by-date.ts";
import type { PreparedData } from "../learning-data.ts";

/** One picture of a chip. */
export interface ShownPicture {
  /** Which date it is of, where chips are pairs. */
  readonly title: "image" | "earlier" | "later";
  /** Bands drawn as red, green and blue, or one band. */
  readonly bands: readonly number[];
  /** The values of each that become black and white. */
  readonly ranges: readonly (readonly [low: number, high: number])[];
}

type Shown = Pick<PreparedData<never, never>, "bands" | "bandNames" | "dates" | "statistics">;

/** Values that are looked at of each band. */
const SAMPLES = 100_000;

/**
 * The pictures of chips: one, or of two dates one of each.
 *
 * Bands are stretched between the 2nd and the 98th percentile of all chips that are shown together, and at least over what is usual in the training chips (one
 * standard deviation about the mean): a calm sea looks calm and is not stretched to its noise.
 *
 * @param images pixels of the chips, `[height, width, bands]` each
 * @param rgb bands to draw instead of the usual ones, one or three; of two dates among those of each
 */
export function shownPictures(data: Shown, images: readonly Float32Array[], rgb?: readonly number[]): readonly ShownPicture[] {
  const byDate = bandsByDate(data.dates) ?? { image: Array.from({ length: data.bands }, (_, band) => band) };
  return Object.entries(byDate).map(([title, own]: [string, readonly number[]]) => {
    const bands = rgb?.map((band) => own[band % own.length]!) ?? usualBands(own, data.bandNames);
    return { title: title as ShownPicture["title"], bands, ranges: bands.map((band) => rangeOf(band, data, images)) };
  });
}

/** Red, green and blue by name where bands bear names, else the first three, else the first. Names of two dates end in "before" and "after". */
function usualBands(own: readonly number[], bandNames: readonly string[]): readonly number[] {
  const nameOf = (band: number): string => (bandNames[band] ?? "").toLowerCase().replace(/ (before|after)$/, "");
  const named = ["red", "green", "blue"].map((color) => own.find((band) => nameOf(band) === color));
  if (named.every((band) => band !== undefined)) return named;
  return own.length >= 3 ? own.slice(0, 3) : own.slice(0, 1);
}

function rangeOf(band: number, { bands, statistics }: Shown, images: readonly Float32Array[]): [low: number, high: number] {
  const pixels = images.reduce((sum, { length }) => sum + length / bands, 0);
  const every = Math.max(1, Math.floor(pixels / SAMPLES));
  const values = images.flatMap((image) => {
    const some: number[] = [];
    for (let at = band; at < image.length; at += every * bands) some.push(image[at]!);
    return some;
  });
  const [range] = bandRanges({ data: values, bands: 1, width: values.length, height: 1 });
  return widened(range!, statistics[band]);
}

/** At least what is usual in the training chips. */
function widened([low, high]: readonly [number, number], usual: BandStatistics | undefined): [low: number, high: number] {
  if (usual === undefined || !Number.isFinite(usual.mean) || !Number.isFinite(usual.std)) return [low, high];
  const { min, max, mean, std } = usual;
  return [Math.min(low, Math.max(min, mean - std)), Math.max(high, Math.min(max, mean + std))];
}
