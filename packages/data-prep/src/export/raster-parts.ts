/** Rasters as parts of one grid each: mosaics, wanted bands, cell size and extent. */

import {
  applyAffine,
  bandPositions,
  type Bounds,
  findRasters,
  GeoLearnError,
  gridBounds,
  imageBands,
  invertAffine,
  metresPerUnit,
  mosaicRasters,
  isRaster,
  openRaster,
  parseCrs,
  parseLength,
  pixelSize,
  type Raster,
  type RasterSource,
  sameCrs,
  warpRaster,
} from "@geolearn/core";

import type { InputOptions } from "./input-options.ts";
import type { ExportOptions, Extent } from "./options.ts";
import { cropRaster, lentRaster, redescribe } from "./raster-view.ts";
import { transformBounds } from "./where-labels-lie.ts";

/** One raster per grid: files of one reference system are a mosaic, others stand alone. */
export async function openParts(
  source: ExportOptions["raster"],
  { crs: fallback, network = false, signal }: Pick<ExportOptions, "crs" | "network" | "signal">,
): Promise<Raster[]> {
  const list = await expand(source);
  const each: Raster[] = [];
  try {
    for (const item of list) {
      const raster = isRaster(item) ? lentRaster(item) : await openRaster(item, { network, ...(signal === undefined ? {} : { signal }) });
      each.push(raster.crs === null && fallback !== undefined ? redescribe(raster, { crs: parseCrs(fallback) }) : raster);
    }
    if (each.length === 1) return each;
    checkSystems(each);
    const oneSystem = each.every(({ crs }) => crs !== null && sameCrs(crs, each[0]!.crs!));
    return oneSystem ? [mosaicRasters(each)] : each;
  } catch (error) {
    await closeAll(each);
    throw error;
  }
}

/** The single rasters a source stands for, so that their reference systems can be told apart. */
async function expand(source: ExportOptions["raster"]): Promise<RasterSource[]> {
  if (isList(source)) {
    const parts = await Promise.all(source.map(expand));
    if (parts.length > 0) return parts.flat();
    throw new GeoLearnError("INVALID_ARGUMENT", "The list of rasters is empty.", { hint: "Name at least one raster." });
  }
  if (typeof source !== "string") return [source];
  const found = await findRasters(source);
  return found.length === 0 ? [source] : found;
}

function isList(source: ExportOptions["raster"]): source is readonly RasterSource[] {
  return Array.isArray(source);
}

/** Some rasters with and some without a system cannot be laid on the same labels. */
function checkSystems(rasters: readonly Raster[]): void {
  const without = rasters.find(({ crs }) => crs === null);
  const withOne = rasters.find(({ crs }) => crs !== null);
  if (without === undefined || withOne === undefined) return;
  throw new GeoLearnError("CRS_MISSING", `${without.name} names no reference system, but ${withOne.name} does (${withOne.crs!.name}).`, {
    hint: "Give the missing system, such as `crs: 32633`, or write it into the file.",
    data: { missing: without.name },
  });
}

export function chooseBands(rasters: readonly Raster[], wanted: InputOptions["bands"]): number[] {
  const first = rasters[0]!;
  for (const raster of rasters) {
    if (raster.bands === first.bands && raster.sampleType === first.sampleType) continue;
    throw new GeoLearnError(
      "BANDS_MISMATCH",
      `${raster.name} has ${raster.bands} ${raster.sampleType} bands; ${first.name} has ${first.bands} of ${first.sampleType}.`,
      { hint: "Export rasters of one kind together, others into folders of their own.", data: { raster: raster.name } },
    );
  }
  if (wanted === undefined) return imageBands(first);
  return bandPositions(
    wanted,
    first.bandInfo.map(({ name }) => name),
    first.name,
  );
}

/** Changes cell size and extent, if asked for. */
export function onWantedGrid(raster: Raster, { cellSize, extent }: InputOptions): Raster {
  const resampled = cellSize === undefined ? raster : withCellSize(raster, cellSize);
  return extent === undefined ? resampled : withExtent(resampled, extent);
}

function withCellSize(raster: Raster, wanted: NonNullable<InputOptions["cellSize"]>): Raster {
  const { transform, crs } = raster;
  if (transform === null) throw noTransform(raster);
  const length = parseLength(wanted);
  const own = pixelSize(transform);
  const middle = applyAffine(transform, raster.width / 2, raster.height / 2);
  if (length.unit === "m" && crs === null) {
    throw new GeoLearnError("CRS_MISSING", `A cell size in metres needs a reference system, and ${raster.name} names none.`, {
      hint: 'Give it in map units, such as `cellSize: "0.3 crs"`, or name the system, such as `crs: 32633`.',
    });
  }
  const metres = length.unit === "m" ? metresPerUnit(crs!, ...middle) : { x: 1, y: 1 };
  const scaleX = length.value / metres.x / own.x;
  const scaleY = length.value / metres.y / own.y;
  if (Math.abs(scaleX - 1) < 1e-9 && Math.abs(scaleY - 1) < 1e-9) return raster;
  const [a, b, c, d, e, f] = transform;
  return warpRaster(raster, {
    crs,
    transform: [a * scaleX, b * scaleY, c, d * scaleX, e * scaleY, f],
    width: Math.max(1, Math.ceil(raster.width / scaleX - 1e-6)),
    height: Math.max(1, Math.ceil(raster.height / scaleY - 1e-6)),
    resampling: scaleX > 1 || scaleY > 1 ? "average" : "bilinear",
  });
}

function withExtent(raster: Raster, extent: Extent): Raster {
  const { transform } = raster;
  if (transform === null) throw noTransform(raster);
  const bounds = extentIn(raster, extent);
  const inverse = invertAffine(transform);
  const corners = boxCorners(bounds).map(([x, y]) => applyAffine(inverse, x, y));
  const near = (value: number): number => (Math.abs(value - Math.round(value)) < 1e-6 ? Math.round(value) : value);
  const cols = corners.map(([col]) => near(col));
  const rows = corners.map(([, row]) => near(row));
  const col = Math.max(0, Math.floor(Math.min(...cols)));
  const row = Math.max(0, Math.floor(Math.min(...rows)));
  const right = Math.min(raster.width, Math.ceil(Math.max(...cols)));
  const bottom = Math.min(raster.height, Math.ceil(Math.max(...rows)));
  if (right > col && bottom > row) return cropRaster(raster, { col, row, width: right - col, height: bottom - row });
  throw new GeoLearnError("WINDOW_OUTSIDE", `The extent [${bounds.join(", ")}] does not meet ${raster.name}.`, {
    hint: `The raster covers [${gridBounds(transform, raster.width, raster.height).join(", ")}].`,
    data: { extent: bounds },
  });
}

function extentIn(raster: Raster, extent: Extent): Bounds {
  if (!("crs" in extent)) return extent;
  if (raster.crs === null) {
    throw new GeoLearnError("CRS_MISSING", `The extent has a reference system but ${raster.name} names none.`, {
      hint: "Name it, such as `crs: 32633`.",
    });
  }
  return transformBounds(extent.bounds, parseCrs(extent.crs), raster.crs);
}

export function noTransform(raster: Raster): GeoLearnError {
  return new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} has no position on the ground.`, {
    hint: "Georeference it first, or give labels as a raster of the same size.",
    data: { raster: raster.name },
  });
}

/** Closes rasters. */
export async function closeAll(rasters: readonly Raster[]): Promise<void> {
  await Promise.all(rasters.map((raster) => raster.close()));
}

function boxCorners([x0, y0, x1, y1]: Bounds): [number, number][] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}
