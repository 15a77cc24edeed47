/** Whether data and network are of as many dates. */

import { GeoLearnError, type OnWarning } from "@geolearn/core";
import { bandsByDate, type LearningData } from "@geolearn/data-prep";

type Dated = Pick<LearningData, "bands" | "bandNames" | "dates">;

/**
 * Tells of chips of two dates that go to a network of one image, and of single images that go to a change detector: both can be meant, and neither can be
 * seen in the result.
 *
 * @throws BANDS_MISMATCH for a change detector whose bands are not those of the earlier date and then as many of the later one
 */
export function compareDates(data: Dated, modelType: string, onWarning: OnWarning): void {
  const { dates, bands, bandNames } = data;
  const half = bands / 2;
  if (modelType !== "change-detector") {
    const byDate = bandsByDate(dates);
    if (byDate === null) return;
    onWarning({
      code: "CHIPS_OF_TWO_DATES",
      message: `The chips have an image of a later date in images2/; the ${modelType} gets the bands of both as one image of ${bands}.`,
      hint: `Use \`modelType: "change-detector"\` to compare the dates, or \`bands: [${byDate.earlier.join(", ")}]\` for the earlier one alone.`,
    });
    return;
  }
  if (dates === undefined) {
    onWarning({
      code: "CHIPS_OF_ONE_DATE",
      message: `The chips have no images2/; the change detector takes ${listed(bandNames.slice(0, half))} for the earlier date and ${listed(bandNames.slice(half))} for the later one.`,
      hint: "Nothing to do where each image holds the bands of both dates, else export with `additionalRaster`.",
    });
    return;
  }
  if (dates.every((date, band) => date === (band < half ? "earlier" : "later"))) return;
  throw new GeoLearnError(
    "BANDS_MISMATCH",
    `A change detector takes the bands of the earlier date, then as many of the later one; given are ${listed(bandNames)}.`,
    {
      hint: "Choose `bands` in this order, the same ones of each date.",
      data: { bandNames },
    },
  );
}

function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
