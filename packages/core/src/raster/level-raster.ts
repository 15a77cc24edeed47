/**
 * A raster made of levels: the full resolution and its reduced copies. Whatever the pixels come from, this is where windows
 * are checked and padded, overviews chosen and pixels resampled.
 */

import { windowTransform } from "../affine.ts";
import { GeoLearnError } from "../errors.ts";
import type { Window } from "../window.ts";
import { type Level, readPadded } from "./level.ts";
import type { Raster, RasterArray, ReadOptions } from "./raster.ts";
import { readResampled } from "./read-resampled.ts";

/** Samples of one read at most; a larger one is a mistake or an attack. */
const MAX_READ_SAMPLES = 2 ** 30;
const MAX_READ_PIXELS = 2 ** 28;

/** Everything about a raster but its pixels. */
export type RasterDescription = Omit<Raster, "overviews" | "read" | "close">;

/** What is known about a raster, without its pixels: to be changed in part for a view of it. */
export function describeRaster(raster: Raster): RasterDescription {
  const { name, width, height, bands, sampleType, transform, crs, nodata, bandInfo, alphaBand } = raster;
  const { blockWidth, blockHeight, colorTable, classNames } = raster;
  return {
    name,
    width,
    height,
    bands,
    sampleType,
    transform,
    crs,
    nodata,
    bandInfo,
    alphaBand,
    blockWidth,
    blockHeight,
    colorTable,
    classNames,
  };
}

/** A raster over levels, the full resolution first. */
export function levelRaster(description: RasterDescription, levels: readonly Level[], close: () => Promise<void>): Raster {
  const overviews = levels.slice(1).map(({ width, height }) => ({ width, height }));
  let closed = false;
  return {
    ...description,
    overviews,
    read(window, options = {}) {
      if (closed) {
        const error = new GeoLearnError("INVALID_ARGUMENT", `${description.name} was read after close().`, {
          hint: "Open the raster again.",
        });
        return Promise.reject(error);
      }
      return readWindow(description, levels, window, options);
    },
    async close() {
      if (closed) return;
      closed = true;
      await close();
    },
  };
}

async function readWindow(
  raster: RasterDescription,
  levels: readonly Level[],
  given: Window | undefined,
  options: ReadOptions,
): Promise<RasterArray> {
  const { signal, resampling = "nearest" } = options;
  signal?.throwIfAborted();
  const window = given ?? { col: 0, row: 0, width: raster.width, height: raster.height };
  const width = options.width ?? window.width;
  const height = options.height ?? window.height;
  const bands = options.bands ?? Array.from({ length: raster.bands }, (_, i) => i);
  checkRequest(raster, window, width, height, bands);
  const transform = windowTransform(
    raster.transform ?? [1, 0, 0, 0, 1, 0],
    window.col,
    window.row,
    window.width / width,
    window.height / height,
  );
  const shape = { bands: bands.length, height, width, transform };
  if (width === window.width && height === window.height) {
    return { ...shape, ...(await readPadded(raster, levels[0]!, window, bands, signal)) };
  }
  const stepX = window.width / width;
  const stepY = window.height / height;
  const level = chooseLevel(levels, Math.min(stepX, stepY), resampling === "nearest" ? 1.2 : 1.01);
  const scaleX = level.width / raster.width;
  const scaleY = level.height / raster.height;
  const across = { size: width, start: window.col * scaleX, step: stepX * scaleX };
  const down = { size: height, start: window.row * scaleY, step: stepY * scaleY };
  return { ...shape, ...(await readResampled(raster, level, across, down, resampling, bands, signal)) };
}

/** The smallest level that still has at least the asked resolution. */
function chooseLevel(levels: readonly Level[], ratio: number, tolerance: number): Level {
  let best = levels[0]!;
  for (const level of levels) {
    const factor = levels[0]!.width / level.width;
    if (factor <= ratio * tolerance && level.width < best.width) best = level;
  }
  return best;
}

function checkRequest(raster: RasterDescription, window: Window, width: number, height: number, bands: readonly number[]): void {
  const { col, row } = window;
  const whole = [col, row, window.width, window.height].every(Number.isSafeInteger);
  if (!whole || window.width < 1 || window.height < 1) {
    throw new GeoLearnError(
      "WINDOW_OUTSIDE",
      `The window col ${col}, row ${row}, ${window.width} x ${window.height} is not made of whole numbers with an area.`,
      { hint: "Round the window to whole pixels.", data: { window } },
    );
  }
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A read of ${width} x ${height} pixels was asked for.`, {
      hint: "width and height are whole numbers of at least 1.",
    });
  }
  const wrong = bands.find((band) => !Number.isInteger(band) || band < 0 || band >= raster.bands);
  if (wrong !== undefined || bands.length === 0) {
    throw new GeoLearnError(
      "BANDS_MISMATCH",
      `${raster.name} has bands 0 to ${raster.bands - 1}; ${bands.length === 0 ? "none" : `band ${wrong}`} was asked for.`,
      {
        hint: "Bands count from 0.",
        data: { bands: [...bands], count: raster.bands },
      },
    );
  }
  checkSize(raster, Math.max(width * height, 1), bands.length);
}

function checkSize({ name }: RasterDescription, pixels: number, bands: number): void {
  if (pixels <= MAX_READ_PIXELS && pixels * bands <= MAX_READ_SAMPLES) return;
  throw new GeoLearnError(
    "LIMIT_EXCEEDED",
    `One read of ${pixels} pixels in ${bands} bands of ${name} is more than geolearn holds at once.`,
    {
      hint: "Read smaller windows, or ask for a reduced size with width and height.",
      data: { pixels, bands },
    },
  );
}
