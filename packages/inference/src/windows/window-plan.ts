/** Where the windows of a scene lie. */

import { GeoLearnError } from "@geolearn/core";

/** What a plan is made from; lengths in pixels. */
export interface WindowPlanOptions {
  /** Size of the scene. */
  readonly width: number;
  readonly height: number;
  /** Size of a window, margins included. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Pixels shared by the results of neighbouring windows; more where `stride` asks for it. */
  readonly overlap: number;
  /** Windows begin at multiples of this. @defaultValue 1 */
  readonly stride?: number;
  /** Pixels at each border of a window that have no result. @defaultValue 0 */
  readonly margin?: number;
}

/** The windows of a scene: every row of `rows` with every column of `columns`. */
export interface WindowPlan {
  readonly width: number;
  readonly height: number;
  /** Size of the result of a window: the tile without its margins. */
  readonly coreWidth: number;
  readonly coreHeight: number;
  readonly margin: number;
  /** First column of each window's result, ascending from 0; the last result reaches or passes the scene's border. */
  readonly columns: readonly number[];
  /** First row of each window's result. */
  readonly rows: readonly number[];
}

/**
 * Lays windows over a scene so that their results cover it. The last window of a row is moved back so that it ends at the
 * border, or as little beyond it as `stride` allows.
 *
 * @throws INVALID_ARGUMENT when the overlap leaves no step between windows.
 */
export function planWindows(options: WindowPlanOptions): WindowPlan {
  const { width, height, tileWidth, tileHeight, overlap, stride = 1, margin = 0 } = options;
  const coreWidth = tileWidth - 2 * margin;
  const coreHeight = tileHeight - 2 * margin;
  const largest = Math.min(coreWidth, coreHeight) - stride;
  if (!Number.isInteger(overlap) || overlap < 0 || overlap > largest) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The overlap is ${overlap} pixels; with windows of ${coreWidth} x ${coreHeight} it must be a whole number from 0 to ${largest}.`,
      {
        hint: `Use \`overlap: ${Math.max(0, Math.floor(Math.min(coreWidth, coreHeight) / 4))}\`.`,
        data: { overlap, coreWidth, coreHeight, stride },
      },
    );
  }
  return {
    width,
    height,
    coreWidth,
    coreHeight,
    margin,
    columns: windowOrigins(width, coreWidth, overlap, stride),
    rows: windowOrigins(height, coreHeight, overlap, stride),
  };
}

function windowOrigins(length: number, core: number, overlap: number, stride: number): number[] {
  const step = Math.floor((core - overlap) / stride) * stride;
  const last = Math.ceil(Math.max(0, length - core) / stride) * stride;
  const origins: number[] = [];
  for (let origin = 0; origin < last; origin += step) origins.push(origin);
  origins.push(last);
  return origins;
}
