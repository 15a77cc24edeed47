/**
 * Many rasters as one. Where they overlap, the first in the list that has a value wins. Rasters whose pixels coincide with
 * the grid's are copied; others (another offset, resolution or reference system) are warped to it.
 */

import { type Affine, type Bounds, windowTransform } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { sameCrs } from "../crs/same-crs.ts";
import { GeoLearnError } from "../errors.ts";
import { intersectWindows, type Window } from "../window.ts";
import { createSamples } from "./samples.ts";
import { alignedOffset, boundsInPixels, type Grid } from "./grid.ts";
import { describeRaster, levelRaster, type RasterDescription } from "./level-raster.ts";
import type { Level } from "./level.ts";
import type { Raster, Resampling, Samples } from "./raster.ts";
import { warpRaster } from "./warp.ts";

/** Options of {@link mosaicRasters}. */
export interface MosaicOptions {
  /** Grid of the mosaic. @defaultValue the first raster's, enlarged to hold all */
  readonly grid?: { readonly crs?: Crs | number | string; readonly transform: Affine; readonly width?: number; readonly height?: number };
  /** How rasters that do not fit the grid are warped. @defaultValue "nearest" */
  readonly resampling?: Resampling;
}

/** A raster and where it lies in the mosaic. */
interface Part {
  readonly raster: Raster;
  /** In pixels of the mosaic. */
  readonly window: Window;
}

/** Larger mosaics have to be filled for a part of at least {@link LEAST_COVER}: work through the gaps between would not end. */
const MOST_SPARSE_PIXELS = 2 ** 40;
const LEAST_COVER = 1e-4;

/** Reduced views of a mosaic halve it until they are about this small. */
const SMALLEST_VIEW = 512;

/**
 * One raster over many, with the bands, sample type, nodata and colours of the first.
 *
 * @throws RASTER_MISMATCH when bands or sample types differ, some rasters have no place or they lie so far apart that next to nothing of a
 * huge mosaic would be filled; CRS_MISMATCH when only some have a reference system
 */
export function mosaicRasters(rasters: readonly Raster[], options: MosaicOptions = {}): Raster {
  const first = rasters[0]!;
  for (const raster of rasters) checkAlike(first, raster);
  const { grid, places } = commonGrid(rasters, options);
  if (options.grid?.width === undefined) checkCover(rasters, grid, places);
  const parts = rasters.map((raster, i) => placePart(raster, grid, places[i]!, options.resampling ?? "nearest"));
  const description: RasterDescription = {
    ...describeRaster(first),
    name: `mosaic of ${rasters.length} rasters (${first.name}...)`,
    width: grid.width,
    height: grid.height,
    transform: grid.transform,
    crs: grid.crs,
    nodata: rasters.find(({ nodata }) => nodata !== null)?.nodata ?? null,
  };
  const levels: Level[] = [mosaicLevel(description, parts, 1)];
  for (let factor = 2; Math.max(grid.width, grid.height) / factor >= SMALLEST_VIEW; factor *= 2) {
    levels.push(mosaicLevel(description, parts, factor));
  }
  return levelRaster(description, levels, async () => {
    await Promise.all(rasters.map((raster) => raster.close()));
  });
}

function checkAlike(first: Raster, raster: Raster): void {
  const differ = (what: string, expected: unknown, given: unknown): GeoLearnError =>
    new GeoLearnError(
      "RASTER_MISMATCH",
      `${raster.name} has ${what} ${String(given)}, but ${first.name} has ${String(expected)}: they make no mosaic.`,
      {
        hint: "Give rasters of the same kind, or convert them: gdal_translate -ot TYPE -b ... INPUT OUTPUT.tif",
        data: { expected, given },
      },
    );
  if (raster.bands !== first.bands) throw differ("a band count of", first.bands, raster.bands);
  if (raster.sampleType !== first.sampleType) throw differ("the sample type", first.sampleType, raster.sampleType);
  if ((raster.colorTable === null) !== (first.colorTable === null)) {
    throw differ("a colour table:", first.colorTable !== null, raster.colorTable !== null);
  }
  if (raster.transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} has no transform, so it has no place in a mosaic.`, {
      hint: "Put a world file beside it, or open it alone.",
    });
  }
  if ((raster.crs === null) !== (first.crs === null)) {
    const lacking = raster.crs === null ? raster : first;
    throw new GeoLearnError("CRS_MISMATCH", `${lacking.name} names no reference system, other rasters of the mosaic do.`, {
      hint: "Write the system into the file (gdal_edit.py -a_srs EPSG:CODE FILE), or give `crs`.",
    });
  }
}

function commonGrid(rasters: readonly Raster[], { grid }: MosaicOptions): { grid: Grid; places: readonly Bounds[] } {
  const first = rasters[0]!;
  const crs = grid?.crs === undefined ? first.crs : parseCrs(grid.crs);
  const transform = grid?.transform ?? first.transform!;
  const places = rasters.map((raster) => boundsInPixels(raster, { crs, transform }));
  if (grid?.width !== undefined && grid.height !== undefined) {
    return { grid: { crs, transform, width: grid.width, height: grid.height }, places };
  }
  // bounds that miss a pixel's edge by rounding only do not ask for another pixel
  const left = Math.floor(Math.min(...places.map(([value]) => value)) + 0.01);
  const top = Math.floor(Math.min(...places.map(([, value]) => value)) + 0.01);
  const right = Math.ceil(Math.max(...places.map(([, , value]) => value)) - 0.01);
  const bottom = Math.ceil(Math.max(...places.map(([, , , value]) => value)) - 0.01);
  const moved = places.map(([l, t, r, b]): Bounds => [l - left, t - top, r - left, b - top]);
  return {
    grid: { crs, transform: windowTransform(transform, left, top), width: right - left, height: bottom - top },
    places: moved,
  };
}

/** Rasters of distant places make a mosaic of gaps: 20 chips of two ends of a country, one of 10^14 pixels. */
function checkCover(rasters: readonly Raster[], { crs, width, height }: Grid, places: readonly Bounds[]): void {
  const covered = places.reduce((sum, [left, top, right, bottom]) => sum + (right - left) * (bottom - top), 0);
  if (width * height <= MOST_SPARSE_PIXELS || covered >= LEAST_COVER * width * height) return;
  const other = rasters.find((raster) => raster.crs !== null && crs !== null && !sameCrs(raster.crs, crs));
  const systems = other === undefined ? "" : `, and ${other.name} is in ${other.crs!.name} instead of ${crs!.name}`;
  throw new GeoLearnError(
    "RASTER_MISMATCH",
    `The ${rasters.length} rasters from ${rasters[0]!.name} on lie too far apart for one mosaic: it would have ${width} x ${height} pixels, nearly all of them empty${systems}.`,
    { hint: "Give the rasters of one place at a time.", data: { width, height, covered } },
  );
}

function placePart(raster: Raster, grid: Grid, [left, top, right, bottom]: Bounds, resampling: Resampling): Part {
  const same = raster.crs === null || grid.crs === null || sameCrs(raster.crs, grid.crs);
  const offset = same ? alignedOffset(raster.transform!, grid.transform, raster.width, raster.height) : null;
  if (offset !== null) return { raster, window: { ...offset, width: raster.width, height: raster.height } };
  const col = Math.floor(left + 0.01);
  const row = Math.floor(top + 0.01);
  const window: Window = {
    col,
    row,
    width: Math.max(1, Math.ceil(right - 0.01) - col),
    height: Math.max(1, Math.ceil(bottom - 0.01) - row),
  };
  const warped = warpRaster(raster, {
    crs: grid.crs,
    transform: windowTransform(grid.transform, col, row),
    width: window.width,
    height: window.height,
    resampling,
  });
  return { raster: warped, window };
}

/** The mosaic at full size or reduced by a factor; reduced reads use the overviews of the parts. */
function mosaicLevel({ width, height, sampleType, nodata }: RasterDescription, parts: readonly Part[], factor: number): Level {
  return {
    width: Math.ceil(width / factor),
    height: Math.ceil(height / factor),
    async read(window, bands, signal) {
      const pixels = window.width * window.height;
      const data = createSamples(sampleType, bands.length * pixels);
      if (nodata !== null && nodata !== 0) data.fill(nodata);
      const mask = new Uint8Array(pixels);
      let missing = pixels;
      for (const part of parts) {
        if (missing === 0) break;
        const shown = shownPart(part, window, factor);
        if (shown === null) continue;
        const { target, source } = shown;
        const read = await part.raster.read(source, {
          bands,
          width: target.width,
          height: target.height,
          ...(signal === undefined ? {} : { signal }),
        });
        missing -= paste(read, target, data, mask, window, bands.length);
      }
      return { data, mask: missing === 0 ? null : mask };
    },
  };
}

/** The part of a window that a raster shows, in pixels of the level, and the raster's own window for it. */
function shownPart({ window: place, raster }: Part, window: Window, factor: number): { target: Window; source: Window } | null {
  const scaled: Window = {
    col: Math.round(place.col / factor),
    row: Math.round(place.row / factor),
    width: Math.max(1, Math.round((place.col + place.width) / factor) - Math.round(place.col / factor)),
    height: Math.max(1, Math.round((place.row + place.height) / factor) - Math.round(place.row / factor)),
  };
  const target = intersectWindows(scaled, window);
  if (target === null) return null;
  if (factor === 1) return { target, source: { ...target, col: target.col - place.col, row: target.row - place.row } };
  const col = Math.min(Math.max(0, target.col * factor - place.col), raster.width - 1);
  const row = Math.min(Math.max(0, target.row * factor - place.row), raster.height - 1);
  const width = Math.max(1, Math.min(target.width * factor, raster.width - col));
  const height = Math.max(1, Math.min(target.height * factor, raster.height - row));
  return { target, source: { col, row, width, height } };
}

/** Copies the valid pixels of a part to where none is yet; returns how many. */
function paste(
  read: { readonly data: Samples; readonly mask: Uint8Array | null; readonly width: number; readonly height: number },
  target: Window,
  data: Samples,
  mask: Uint8Array,
  window: Window,
  bands: number,
): number {
  const size = read.width * read.height;
  const pixels = window.width * window.height;
  let pasted = 0;
  for (let row = 0; row < read.height; row++) {
    const from = row * read.width;
    const to = (target.row - window.row + row) * window.width + target.col - window.col;
    const taken = mask.subarray(to, to + read.width).includes(1);
    if (read.mask === null && !taken) {
      for (let band = 0; band < bands; band++)
        data.set(read.data.subarray(band * size + from, band * size + from + read.width), band * pixels + to);
      mask.fill(1, to, to + read.width);
      pasted += read.width;
      continue;
    }
    for (let col = 0; col < read.width; col++) {
      if (mask[to + col] === 1 || (read.mask !== null && read.mask[from + col] === 0)) continue;
      mask[to + col] = 1;
      pasted++;
      for (let band = 0; band < bands; band++) data[band * pixels + to + col] = read.data[band * size + from + col]!;
    }
  }
  return pasted;
}
