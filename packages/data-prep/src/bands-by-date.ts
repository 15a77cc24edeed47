/** The bands of chips that are pairs of images, apart by date. */

import type { LearningData } from "./learning-data.ts";

/** Bands of the image before and of the one after. */
export interface BandsByDate {
  readonly earlier: readonly number[];
  readonly later: readonly number[];
}

/**
 * Bands of each date, or null where all are of one.
 *
 * @example
 * ```ts
 * bandsByDate(["earlier", "earlier", "later"]); // { earlier: [0, 1], later: [2] }
 * ```
 */
export function bandsByDate(dates: LearningData["dates"]): BandsByDate | null {
  const of = (wanted: "earlier" | "later"): number[] => (dates ?? []).flatMap((date, band) => (date === wanted ? [band] : []));
  const sides = { earlier: of("earlier"), later: of("later") };
  return sides.earlier.length > 0 && sides.later.length > 0 ? sides : null;
}
