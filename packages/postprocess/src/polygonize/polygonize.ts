/**
 * Class rasters to polygons along pixel edges: exact areas, holes, neighbours that share their borders, in bounded
 * memory. A polygon is handed on as soon as no row below can change it.
 */

import type { Feature, Features, Raster, WorkOptions } from "@geolearn/core";

import { Simplifier } from "../simplify/simplifier.ts";
import { makeFeature } from "./make-feature.ts";
import { type Plan, makePlan } from "./plan.ts";
import { type Runs, findRuns } from "./runs.ts";
import { sieveRows } from "./sieve.ts";
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
   * gdal_sieve does; a region that only small ones surround stays. Holds the runs of the whole raster in memory.
   * @defaultValue 0
   */
  readonly sieve?: number | string;
  /**
   * Simplifies borders by Douglas and Peucker with this tolerance, metres on the ground or `"N crs"`. Borders stay shared
   * and nothing crosses: where it would, the tolerance shrinks. Holds all outlines in memory. @defaultValue 0
   */
  readonly simplify?: number | string;
  /** Band to outline, from 0. @defaultValue 0 */
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
 * @throws RASTER_NO_TRANSFORM, CLASS_UNKNOWN, INVALID_ARGUMENT, and what reading the raster throws
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

async function* featureBatches(raster: Raster, options: PolygonizeOptions): AsyncGenerator<Feature[]> {
  const plan = makePlan(raster, options);
  const simplifier = plan.simplify === null ? null : new Simplifier(plan.simplify, raster.width, raster.height);
  let features: Feature[] = [];
  const tracer = new RegionTracer({
    width: raster.width,
    connectivity: plan.connectivity,
    keepNodes: simplifier !== null,
    keeps: plan.keeps,
    onRegion(region) {
      if (simplifier === null) features.push(makeFeature(region, plan));
      else simplifier.add(region);
    },
  });
  for await (const rows of rowSource(raster, plan, options)) {
    for (const { row, fill } of rows) {
      fill(tracer.nextRuns);
      tracer.advance(plan.rowArea(row));
    }
    if (features.length === 0) continue;
    yield features;
    features = [];
  }
  tracer.end();
  if (simplifier !== null) for (const region of simplifier.finish(options.signal)) features.push(makeFeature(region, plan));
  if (features.length > 0) yield features;
}

/** A row that can be turned into runs. */
interface RowFiller {
  readonly row: number;
  readonly fill: (runs: Runs) => void;
}

/** Rows of the raster, a strip at a time, sieved when asked for. */
async function* rowSource(raster: Raster, plan: Plan, options: PolygonizeOptions): AsyncGenerator<Iterable<RowFiller>> {
  const strips = readStrips(raster, plan.band, options.stripRows, "polygonize", options);
  if (plan.isSmall === null) {
    for await (const strip of strips) yield stripRows(strip, raster, plan.wanted);
    return;
  }
  const { connectivity, isSmall, rowArea } = plan;
  const sieved = await sieveRows(allRows(strips, raster), { width: raster.width, connectivity, isSmall, rowArea });
  options.signal?.throwIfAborted();
  yield sieved.rows(plan.wanted);
}

function* stripRows({ row, array }: Strip, raster: Raster, wanted: ReadonlySet<number> | null): Generator<RowFiller> {
  const { data, mask, width, height } = array;
  for (let r = 0; r < height; r++) {
    yield { row: row + r, fill: (runs) => findRuns(runs, data, r * width, width, mask, raster.nodata, wanted) };
  }
}

async function* allRows(strips: AsyncIterable<Strip>, raster: Raster): AsyncGenerator<RowFiller> {
  for await (const strip of strips) yield* stripRows(strip, raster, null);
}
