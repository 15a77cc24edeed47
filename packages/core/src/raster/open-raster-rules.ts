/** What the options of `openRaster` may be, wherever it runs. */

import type { OptionRules } from "../options/check-options.ts";
import * as rules from "../options/rules.ts";
import type { OpenRasterOptions } from "./open-raster.ts";

/** A reference system is looked at where it is read. */
export const OPEN_RASTER_RULES: OptionRules<OpenRasterOptions> = {
  crs: rules.any,
  deadline: rules.aboveZero,
  signal: rules.work.signal,
  grid: rules.fields("a grid with its `transform`", { transform: rules.listOf("numbers", rules.number(-Infinity)) }),
  resampling: rules.oneOf("nearest", "bilinear", "cubic", "average", "mode"),
  ...rules.network,
};
