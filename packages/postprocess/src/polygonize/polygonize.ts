/**
 * Class rasters to polygons along pixel edges: exact areas, holes, neighbours that share their borders, in bounded
 * memory. A polygon is handed on as soon as no row below can change it.
 *
 * Memory: a strip of rows, the outlines of the regions that are open (at most `maxVertices` points, of about 100 bytes), for
 * `simplify` the outlines of a band of rows, for `sieve` the rows that small regions span. None of it grows with the raster.
 */

import type { Feature, Features, Raster, WorkOptions } from "@geolearn/core";

import { type FillableRow, sieveRows } from "../sieve/sieve.ts";
import { BandSimplifier } from "../simplify/band-simplifier.ts";
import { makeFeature } from "./make-feature.ts";
import { type Plan, makePlan } from "./plan.ts";
import { findRuns } from "./runs.ts";
import { type Strip, readStrips } from "./source-rows.ts";
import { RegionTracer } from "./tracer.ts";

/** Options of {@link polygonize}. */
export interface PolygonizeOptions extends WorkOptions {
  /** Names or values of the classes to outline. @defaultValue every value but nodata */
  readonly classes?: readonly (string | number)[];
  /** Names of values. @defaultValue those the raster carries */
  readonly classNames?: ReadonlyMap<number, string>;
  /**
   * Whether pixels that meet only at a corner belong together. With 8 such a region is a MultiPolygon whose parts touch,
   * because one ring through the corner would not be valid. @defaultValue 4
   */
  readonly connectivity?: 4 | 8;
  /**
   * Leaves out polygons with less area: a number or `"20 m"` is square metres on the ground, `"20 crs"` square units of the
   * reference system. What was there stays empty; see `sieve` to fill it. @defaultValue 0
   */
  readonly minArea?: number | string;
  /**
   * Before outlining, gives regions with less area than this (units as `minArea`) the value of their largest neighbour, as
   * gdal_sieve does; a region that only small ones surround stays. The raster is read twice for it.
   * @defaultValue 0
   */
  readonly sieve?: number | string;
  /**
   * Simplifies borders by Douglas and Peucker with this tolerance, metres on the ground or `"N crs"`. Borders stay shared
   * and nothing crosses: where it would, the tolerance shrinks. Outlines of more than about two million points are simplified
   * in bands of rows, and keep the points where they cross from one band to the next. @defaultValue 0
   */
  readonly simplify?: number | string;
  /**
   * Points of outlines held in memory. Where the regions that a row touches have more together, those with the longest
   * outlines are cut along it: their polygons come in pieces that meet there, and a warning `POLYGONS_CUT` tells how many.
   * `Infinity` never cuts. @defaultValue 4 million
   */
  readonly maxVertices?: number;
  /** Band to outline, from 0. A raster of several needs it. @defaultValue 0 */
  readonly band?: number;
  /** Rows read at a time; the result does not depend on it. @defaultValue about four million pixels */
  readonly stripRows?: number;
}

/**
 * Outlines the regions of equal value of a band.
 *
 * Each feature has a Polygon (or, 8-connected, MultiPolygon) in the raster's CRS, outer rings anticlockwise, and the
 * properties `value`, `class` (its name, or the value as text) and `area` (square metres on the ground of its pixels;
 * square CRS units when the raster names no CRS). Pixels that are masked, nodata or not finite have no polygon.
 *
 * @throws RASTER_NO_TRANSFORM, CLASS_UNKNOWN, INVALID_ARGUMENT, DISK_FULL (notes of a large sieve), and what reading the raster throws
 * @example
 * for await (const feature of polygonize(map, { classes: ["building"], minArea: 20 })) console.log(feature.properties.area);
 */
export async function* polygonize(raster: Raster, options: PolygonizeOptions = {}): AsyncGenerator<Feature> {
  for await (const batch of featureBatches(raster, options)) yield* batch;
}

/**
 * {@link polygonize}, collected.
 *
 * @throws as polygonize
 * @example
 * const footprints = await toPolygons(await openRaster("classes.tif"), { classes: ["building"], minArea: 20 });
 */
export async function toPolygons(raster: Raster, options: PolygonizeOptions = {}): Promise<Features> {
  const features: Feature[] = [];
  for await (const batch of featureBatches(raster, options)) for (const feature of batch) features.push(feature);
  return { name: raster.name, crs: raster.crs, features };
}

/** Features handed on at a time, unless a row finishes more. */
const BATCH = 4096;
/** Points of outlines after which a band to simplify ends, and the limit on `maxVertices` that goes with it. */
const BAND_VERTICES = 2 ** 21;

async function* featureBatches(raster: Raster, options: PolygonizeOptions): AsyncGenerator<Feature[]> {
  const plan = makePlan(raster, options);
  const { simplify, maxVertices } = plan;
  let features: Feature[] = [];
  let cuts = 0;
  const tracer = new RegionTracer({
    width: raster.width,
    connectivity: plan.connectivity,
    maxVertices,
    bands: simplify && new BandSimplifier(simplify, raster.width, Math.min(BAND_VERTICES, maxVertices / 2), options.signal),
    keeps: plan.keeps,
    onRegion: (region) => features.push(makeFeature(region, plan)),
    onCut: () => cuts++,
  });
  for await (const rows of rowSource(raster, plan, options)) {
    for (const { row, fill } of rows) {
      fill(tracer.nextRuns);
      tracer.advance(plan.rowArea(row));
      if (features.length < BATCH) continue;
      yield features;
      features = [];
    }
    if (features.length === 0) continue;
    yield features;
    features = [];
  }
  tracer.end();
  if (features.length > 0) yield features;
  if (cuts > 0) {
    options.onWarning?.({
      code: "POLYGONS_CUT",
      message: `The outlines of ${raster.name} need more than ${maxVertices} points at once; ${cuts} polygons were cut along a row.`,
      hint: "Use `sieve` or `minArea` and fewer `classes`, or a larger `maxVertices` if there is memory for it.",
    });
  }
}

/** Rows of the raster, some at a time, sieved when asked for. */
async function* rowSource(raster: Raster, plan: Plan, options: PolygonizeOptions): AsyncGenerator<Iterable<FillableRow>> {
  const { isSmall, connectivity, rowArea, wanted } = plan;
  const strips = (stage: string): AsyncGenerator<Strip> => readStrips(raster, plan.band, options.stripRows, stage, options);
  if (isSmall === null) {
    for await (const strip of strips("polygonize")) yield stripRows(strip, raster, wanted);
    return;
  }
  const read = (reading: 1 | 2): AsyncGenerator<FillableRow> => allRows(strips(reading === 1 ? "sieve" : "polygonize"), raster);
  for await (const row of sieveRows(read, wanted, { width: raster.width, connectivity, isSmall, rowArea })) yield [row];
}

function* stripRows({ row, array }: Strip, raster: Raster, wanted: ReadonlySet<number> | null): Generator<FillableRow> {
  const { data, mask, width, height } = array;
  for (let r = 0; r < height; r++) {
    yield { row: row + r, fill: (runs) => findRuns(runs, data, r * width, width, mask, raster.nodata, wanted) };
  }
}

async function* allRows(strips: AsyncIterable<Strip>, raster: Raster): AsyncGenerator<FillableRow> {
  for await (const strip of strips) yield* stripRows(strip, raster, null);
}
