/** The options that describe the inputs. */

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
