/** Two dates of the same ground as one raster: the bands of the earlier one, then those of the later one. */

import { GeoLearnError } from "../errors.ts";
import type { Window } from "../window.ts";
import { boundsInPixels } from "./grid.ts";
import { bandPositions, imageBands } from "./helpers.ts";
import { describeRaster, levelRaster } from "./level-raster.ts";
import type { Level } from "./level.ts";
import { mosaicRasters } from "./mosaic.ts";
import type { BandInfo, Raster, RasterArray, Samples } from "./raster.ts";
import { createSamples } from "./samples.ts";

/** Options of {@link stackDates}. */
export interface StackDatesOptions {
  /** Bands of each date, by position from 0 or by name. @defaultValue all but alpha */
  readonly bands?: readonly (number | string)[];
}

/**
 * Two dates of the same ground as one raster on the earlier one's grid, with the bands of the earlier date ("red before"...), then
 * those of the later one ("red after"...), as networks of change detection want them. A later date on another grid (offset, pixel size, reference system)
 * is resampled, bilinearly; several later rasters are one mosaic. Two rasters without a position must have the same size.
 *
 * A pixel is valid where both dates are. The nodata value is the earlier one's: missing samples of the later date get it, or make the pixel invalid
 * where the earlier date has none.
 *
 * Closing the stack closes all rasters.
 *
 * @throws RASTER_MISMATCH when the dates do not overlap or differ in bands or sample type; BANDS_MISMATCH, RASTER_NO_TRANSFORM, CRS_MISSING
 * @example
 * const both = stackDates(await openRaster("2018.tif"), await openRaster("2024.tif"));
 */
export function stackDates(earlier: Raster, later: Raster | readonly Raster[], options: StackDatesOptions = {}): Raster {
  const laters = "read" in later ? [later] : later;
  const after = onGridOf(earlier, laters);
  const dates = [
    { raster: earlier, bands: bandsOf(earlier, options) },
    { raster: after, bands: bandsOf(laters[0]!, options) },
  ] as const;
  checkAlike(dates, laters[0]!.name);
  const level: Level = {
    width: earlier.width,
    height: earlier.height,
    read: (window, wanted, signal) => readBoth(dates, window, wanted, signal),
  };
  const infos = (raster: Raster, bands: readonly number[], when: string): BandInfo[] =>
    bands.map((band) => ({ ...raster.bandInfo[band]!, name: `${raster.bandInfo[band]!.name} ${when}` }));
  const bandInfo = [...infos(earlier, dates[0].bands, "before"), ...infos(laters[0]!, dates[1].bands, "after")];
  return levelRaster(
    {
      ...describeRaster(earlier),
      name: `${earlier.name} and ${laters[0]!.name}${laters.length > 1 ? "..." : ""}`,
      bands: bandInfo.length,
      bandInfo,
      alphaBand: null,
      colorTable: null,
      classNames: null,
    },
    [level],
    async () => {
      await Promise.all([earlier.close(), after.close()]);
    },
  );
}

/** A raster and the bands of it that are stacked. */
interface DateBands {
  readonly raster: Raster;
  readonly bands: readonly number[];
}

function bandsOf(raster: Raster, { bands }: StackDatesOptions): readonly number[] {
  if (bands === undefined) return imageBands(raster);
  return bandPositions(
    bands,
    raster.bandInfo.map(({ name }) => name),
    raster.name,
  );
}

/** The later rasters as one on the grid of the earlier one. */
function onGridOf(earlier: Raster, laters: readonly Raster[]): Raster {
  const first = laters[0];
  if (first === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "The list of rasters of the later date is empty.", { hint: "Name at least one raster." });
  }
  const { transform, crs, width, height } = earlier;
  const placed = laters.find((raster) => raster.transform !== null);
  if (transform === null && placed === undefined && laters.length === 1) {
    if (first.width === width && first.height === height) return first;
    throw new GeoLearnError(
      "RASTER_MISMATCH",
      `${earlier.name} has ${width} x ${height} pixels, ${first.name} ${first.width} x ${first.height}, and neither has a position.`,
      { hint: "Georeference both, or bring them to the same size.", data: { earlier: earlier.name, later: first.name } },
    );
  }
  const lost = [earlier, ...laters].find((raster) => raster.transform === null);
  if (transform === null || lost !== undefined) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${lost!.name} has no position on the ground, the other date has.`, {
      hint: "Put a world file beside it, or georeference it with gdal_translate -a_ullr ULX ULY LRX LRY -a_srs EPSG:CODE INPUT OUTPUT.tif",
      data: { raster: lost!.name },
    });
  }
  const nameless = [earlier, ...laters].filter((raster) => raster.crs === null);
  if (nameless.length > 0 && nameless.length <= laters.length) {
    throw new GeoLearnError("CRS_MISSING", `${nameless[0]!.name} names no reference system, the other date does.`, {
      hint: "Write the system into the file: gdal_edit.py -a_srs EPSG:CODE FILE",
      data: { raster: nameless[0]!.name },
    });
  }
  if (!laters.some((raster) => overlaps(raster, earlier))) {
    throw new GeoLearnError("RASTER_MISMATCH", `The later date ${first.name} shows nothing of the ground of ${earlier.name}.`, {
      hint: "Check the extents and reference systems of both with `geolearn info`.",
      data: { earlier: earlier.name, later: first.name },
    });
  }
  return mosaicRasters(laters, { grid: { ...(crs === null ? {} : { crs }), transform, width, height }, resampling: "bilinear" });
}

function overlaps(raster: Raster, { transform, crs, width, height }: Raster): boolean {
  try {
    const [left, top, right, bottom] = boundsInPixels(raster, { crs, transform: transform! });
    return left < width && top < height && right > 0 && bottom > 0;
  } catch (error) {
    if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return false;
    throw error;
  }
}

function checkAlike([earlier, later]: readonly [DateBands, DateBands], name: string): void {
  const what = ({ raster, bands }: DateBands): string => `${bands.length} bands of ${raster.sampleType}`;
  if (what(earlier) === what(later)) return;
  throw new GeoLearnError("RASTER_MISMATCH", `${earlier.raster.name} has ${what(earlier)}; ${name} of the later date has ${what(later)}.`, {
    hint: "Both dates need the same bands and kind of numbers: choose `bands`, or convert one: gdal_translate -ot TYPE -b ... INPUT OUTPUT.tif",
    data: { earlier: earlier.raster.name, later: name },
  });
}

async function readBoth(
  dates: readonly [DateBands, DateBands],
  window: Window,
  wanted: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  const each = dates[0].bands.length;
  const pixels = window.width * window.height;
  const shares = [wanted.filter((band) => band < each), wanted.filter((band) => band >= each).map((band) => band - each)];
  const [before, after] = (await Promise.all(
    dates.map(({ raster, bands }, date) => {
      // a date none of whose bands is asked for still decides which pixels are valid
      const own = shares[date]!.length === 0 ? [0] : shares[date]!;
      return raster.read(window, { bands: own.map((band) => bands[band]!), ...(signal === undefined ? {} : { signal }) });
    }),
  )) as [RasterArray, RasterArray];
  const mask = bothValid(before.mask, after.mask, pixels);
  const data = createSamples(dates[0].raster.sampleType, wanted.length * pixels);
  const next = [0, 0];
  const laterPlanes: number[] = [];
  wanted.forEach((band, plane) => {
    const date = band < each ? 0 : 1;
    const from = next[date]!++ * pixels;
    data.set((date === 0 ? before : after).data.subarray(from, from + pixels), plane * pixels);
    if (date === 1) laterPlanes.push(plane);
  });
  return { data, mask: sameNodata(data, mask, laterPlanes, after.mask, dates, pixels) };
}

function bothValid(a: Uint8Array | null, b: Uint8Array | null, pixels: number): Uint8Array | null {
  if (a === null && b === null) return null;
  const mask = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) mask[i] = (a === null || a[i] === 1) && (b === null || b[i] === 1) ? 1 : 0;
  return mask;
}

/** Missing samples of the later planes in the words of the earlier date; returns the mask, which may have lost pixels. */
function sameNodata(
  data: Samples,
  valid: Uint8Array | null,
  planes: readonly number[],
  laterMask: Uint8Array | null,
  [{ raster: earlier }, { raster: later }]: readonly [DateBands, DateBands],
  pixels: number,
): Uint8Array | null {
  const stored = (value: number): number => (createSamples(earlier.sampleType, 1).fill(value) as Samples)[0]!;
  const to = earlier.nodata === null ? null : stored(earlier.nodata);
  const from = later.nodata === null ? null : stored(later.nodata);
  let mask = valid;
  for (const plane of planes) {
    for (let i = 0, at = plane * pixels; i < pixels; i++, at++) {
      const value = data[at]!;
      const unset = from !== null && (value === from || (Number.isNaN(from) && Number.isNaN(value)));
      const missing = unset || (laterMask !== null && laterMask[i] === 0);
      if (!missing) continue;
      if (to !== null) data[at] = to;
      else (mask ??= new Uint8Array(pixels).fill(1))[i] = 0;
    }
  }
  return mask;
}
