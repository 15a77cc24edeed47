/** How chips are shown: which of their bands, and from which value to which. Alike for all chips of a figure, so that they can be compared. */

import { bandRanges, type BandStatistics } from "@geolearn/core";

import type { PreparedData } from "../learning-data.ts";
import { type Banded, type ShownBands, shownBands } from "./shown-bands.ts";

/** One picture of a chip. */
export interface ShownPicture extends ShownBands {
  /** The values of each band that become black and white. */
  readonly ranges: readonly (readonly [low: number, high: number])[];
}

type Measured = Banded & Pick<PreparedData<never, never>, "statistics">;

/** Values that are looked at of each band. */
const SAMPLES = 100_000;

/**
 * The pictures of chips: one, or of two dates one of each.
 *
 * Bands are stretched between the 2nd and the 98th percentile of all chips that are shown together, and at least over what is usual in the training chips (one
 * standard deviation about the mean): a calm sea looks calm and is not stretched to its noise.
 *
 * @param images pixels of the chips, `[height, width, bands]` each
 * @param rgb bands to draw: see {@link shownBands}
 * @throws what {@link shownBands} throws
 */
export function shownPictures(
  data: Measured,
  images: readonly Float32Array[],
  rgb?: readonly (number | string)[],
): readonly ShownPicture[] {
  return shownBands(data, rgb).map(({ title, bands }) => ({ title, bands, ranges: bands.map((band) => rangeOf(band, data, images)) }));
}

function rangeOf(band: number, { bands, statistics }: Measured, images: readonly Float32Array[]): [low: number, high: number] {
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
