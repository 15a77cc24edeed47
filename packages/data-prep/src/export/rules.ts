/** What the options of an export may be, and those it shares with windows straight out of a raster. */

import { isRaster, type OptionRule, type OptionRules, rules, type WorkOptions } from "@geolearn/core";

import { CLASSES, MIN_OVERLAP, sizeFrom } from "../option-rules.ts";
import type { InputOptions } from "./input-options.ts";
import type { ExportOptions } from "./options.ts";

/** Chips are numbered with nine digits. */
const LAST_INDEX = 999_999_999;

const LABELS: OptionRule = {
  expected: "a path, features that were read, or a raster",
  accepts: (value) => rules.polygons.accepts(value) || isRaster(value),
};
const EXTENT: OptionRule = { expected: "[xmin, ymin, xmax, ymax], or { bounds, crs }", accepts: isExtent };
/** A smaller angle would make more than 360 copies of each chip. */
const ROTATION: OptionRule = {
  expected: "0 or a number from 1 to less than 360",
  accepts: (value) => value === 0 || (typeof value === "number" && value >= 1 && value < 360),
};

/** Rules for `stride`. */
export const STRIDE: OptionRule = rules.hinted(sizeFrom(0), "Half of `chipSize` is usual; with 0 chips lie side by side.");

/** Rules for {@link InputOptions} that windows have, too. Rasters and systems are looked at where they are opened. */
export const INPUT_RULES: OptionRules<Omit<InputOptions, "additionalRaster" | "minOverlap" | keyof WorkOptions>> = {
  raster: rules.required(rules.raster),
  labels: LABELS,
  mask: rules.polygons,
  classField: rules.text,
  classNameField: rules.text,
  classes: CLASSES,
  bufferRadius: rules.hinted(rules.lengthAboveZero, "Such as 2 for two metres."),
  allTouched: rules.boolean,
  cellSize: rules.hinted(rules.lengthAboveZero, "Such as 0.3 for 30 cm."),
  extent: rules.hinted(EXTENT, "Give the corners in the raster's reference system."),
  bands: rules.bands,
  crs: rules.any,
  ...rules.network,
};

/** Rules for {@link ExportOptions}. */
export const EXPORT_RULES: OptionRules<ExportOptions> = {
  ...INPUT_RULES,
  additionalRaster: rules.raster,
  minOverlap: MIN_OVERLAP,
  out: rules.required(rules.path),
  // one that there is not has a code of its own
  format: rules.any,
  chipFormat: rules.hinted(rules.oneOf("tiff", "png", "jpeg"), "TIFF keeps every sample type and the reference system."),
  chipSize: rules.hinted(sizeFrom(1), "256 is a good start; networks want multiples of 32."),
  stride: STRIDE,
  rotation: rules.hinted(ROTATION, "`rotation: 90` adds copies turned by 90, 180 and 270 degrees."),
  cropMode: rules.hinted(
    rules.oneOf("fixedSize", "boundingBox"),
    "Networks want chips of one size; those of bounding boxes are resampled when data are prepared.",
  ),
  blacken: rules.boolean,
  allTiles: rules.boolean,
  startIndex: rules.hinted(
    rules.either(rules.whole(0, LAST_INDEX), rules.oneOf("next")),
    'Use `startIndex: "next"` to go on after the last chip.',
  ),
  overwrite: rules.boolean,
  resume: rules.boolean,
  compression: rules.hinted(rules.oneOf("deflate", "none"), "Both are exact."),
  level: rules.hinted(rules.whole(1, 9), "6 is a good compromise."),
  quality: rules.hinted(rules.whole(1, 100), "90 is hard to tell from the original."),
  ignoreValue: rules.hinted(rules.whole(0, 65_535), "255 is a usual choice."),
  workers: rules.hinted(rules.whole(0, 256), "With 0 no thread is started."),
  estimate: rules.boolean,
  ...rules.work,
};

function isExtent(extent: unknown): boolean {
  if (typeof extent !== "object" || extent === null) return false;
  const bounds: unknown = "bounds" in extent && "crs" in extent ? extent.bounds : extent;
  return Array.isArray(bounds) && bounds.length === 4 && bounds.every(Number.isFinite);
}
