/** The options that describe the inputs. */

import { lengthOption, numberOption, wrongValue } from "../option-values.ts";
import type { ExportOptions, LabelSource } from "./options.ts";

/** The options that say where pixels and labels come from; shared with sampling straight from rasters. */
export type InputOptions = { /** Absent: there are none, and no pixel has a class. */ readonly labels?: LabelSource } & Pick<
  ExportOptions,
  | "raster"
  | "additionalRaster"
  | "mask"
  | "classField"
  | "classNameField"
  | "classes"
  | "bufferRadius"
  | "minOverlap"
  | "allTouched"
  | "cellSize"
  | "extent"
  | "bands"
  | "crs"
  | "network"
  | "onWarning"
  | "signal"
>;

/** Checks the values. @throws INVALID_ARGUMENT */
export function checkInputOptions({ bufferRadius, cellSize, extent, minOverlap }: InputOptions): void {
  if (bufferRadius !== undefined) lengthOption("bufferRadius", bufferRadius, "Such as 2 for two metres.");
  if (cellSize !== undefined) lengthOption("cellSize", cellSize, "Such as 0.3 for 30 cm.");
  if (minOverlap !== undefined)
    numberOption("minOverlap", minOverlap, [0, 1], "`minOverlap: 0.3` leaves out what is cut to less than 30 %.");
  if (extent !== undefined && !isExtent(extent)) {
    throw wrongValue(
      "extent",
      extent,
      "`[xmin, ymin, xmax, ymax]`, or `{ bounds, crs }`",
      "Give the corners in the raster's reference system.",
    );
  }
}

function isExtent(extent: unknown): boolean {
  if (typeof extent !== "object" || extent === null) return false;
  const bounds: unknown = "bounds" in extent && "crs" in extent ? extent.bounds : extent;
  return Array.isArray(bounds) && bounds.length === 4 && bounds.every(Number.isFinite);
}
