/** Whether labels are single objects with an area. */

import { GeoLearnError, type OnWarning } from "@geolearn/core";

import type { Inputs } from "./inputs.ts";

/**
 * @param what needs the objects, for messages
 * @throws UNSUPPORTED_FORMAT for a class raster, LABELS_EMPTY for points and lines without a radius
 */
export function requireObjects(
  { areas }: Inputs,
  { what, onWarning }: { readonly what: string; readonly onWarning: OnWarning | undefined },
): void {
  if (areas === null) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `The labels are a class raster, which knows no single objects; ${what} needs them.`, {
      hint: "Make polygons of it first: geolearn to-polygons --raster labels.tif --out labels.gpkg.",
    });
  }
  if (areas.with === 0) {
    throw new GeoLearnError("LABELS_EMPTY", `None of the ${areas.without} label features has an area; ${what} needs objects.`, {
      hint: "Points and lines become areas with `bufferRadius: 2`, metres on the ground.",
    });
  }
  if (areas.without > 0) {
    onWarning?.({
      code: "FEATURES_WITHOUT_AREA",
      message: `${areas.without} of ${areas.with + areas.without} label features have no area and are left out.`,
      hint: "Points and lines become areas with `bufferRadius`.",
    });
  }
}
