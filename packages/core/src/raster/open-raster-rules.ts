/** What `openRaster` is told, wherever it runs. */

import { GeoLearnError } from "../errors.ts";
import type { OptionRules } from "../options/check-options.ts";
import * as rules from "../options/rules.ts";
import { showValue } from "../show-value.ts";
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

/** @throws INVALID_ARGUMENT for what is no raster at all, such as an argument that was left out */
export function checkRasterSource(source: unknown): void {
  if (rules.raster.accepts(source)) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `There is no raster: got ${showValue(source)}; expected ${rules.raster.expected}.`, {
    hint: 'Give a raster first, such as "scene.tif".',
  });
}
