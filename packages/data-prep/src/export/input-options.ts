/** The options that describe the inputs. */

import type { ExportOptions } from "./options.ts";

/** The options that say where pixels and labels come from; shared with sampling straight from rasters. */
export type InputOptions = Pick<
  ExportOptions,
  | "raster"
  | "labels"
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
