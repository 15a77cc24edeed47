/** Labels laid on the grid of one raster: class values for any window of it, or for a turned grid. */

import Flatbush from "flatbush";
import type { Geometry } from "geojson";

import {
  type Affine,
  applyAffine,
  type Bounds,
  type Crs,
  type Features,
  geometryBounds,
  GeoLearnError,
  gridBounds,
  type Length,
  placeFeatures,
  type Raster,
  rasterize,
  type Shape,
  warpRaster,
} from "@geolearn/core";

import { IGNORE_VALUE } from "../chips/chip.ts";
import { bufferGeometry } from "./buffer.ts";
import { type CutObject, cutObject, shareInside } from "../objects/cut-object.ts";

/** The grid labels are asked for. */
export interface LabelGrid {
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
}

/** Labels on one raster. Values are class values, {@link IGNORE_VALUE} where labels say nothing. */
export interface LabelLayer {
  /** Burns labels of a grid of the raster's reference system. */
  burn(grid: LabelGrid, signal?: AbortSignal): Promise<Uint16Array>;
  /**
   * For a chip that cuts features short of the wanted share: its labels without them (their pixels ignored), or null when
   * the chip's part of {@link burn} stands.
   */
  burnChip(grid: LabelGrid): Uint16Array | null;
  /** The features a grid shows with at least the wanted share, in their order; null for a class raster, which knows no single objects. */
  readonly objects: ((grid: LabelGrid) => CutObject[]) | null;
  /** All features, buffers included, in their order; null for a class raster. */
  readonly features: readonly LabelFeature[] | null;
}

/** A label feature in the reference system of the raster. */
export interface LabelFeature {
  readonly geometry: Geometry;
  readonly classValue: number;
}

/** How vector labels are burnt. */
export interface VectorLayerOptions {
  readonly allTouched: boolean;
  readonly minOverlap: number;
  readonly bufferRadius: Length | null;
}

/** Vector data in the reference system of a raster with a position. @throws CRS_MISSING when only one of the two names a system */
export function toRasterCrs(features: Features, raster: Raster): Features {
  const { crs, transform, width, height, name: rasterName } = raster;
  if (crs === null && features.crs === null) return features;
  if (crs === null || features.crs === null) {
    const missing = crs === null ? rasterName : features.name;
    throw new GeoLearnError("CRS_MISSING", `${missing} names no reference system, so ${features.name} cannot be laid on ${rasterName}.`, {
      hint: crs === null ? "Give the raster's system, such as `crs: 32633`." : "Add the reference system to the labels.",
      data: { missing },
    });
  }
  return placeFeatures(features, { crs, transform: transform!, width, height });
}

/**
 * Polygons, lines and points as a label layer.
 *
 * @param features in the reference system of the raster
 * @param values class value per feature, null leaves one out
 */
export function vectorLayer(features: Features, values: readonly (number | null)[], options: VectorLayerOptions): LabelLayer {
  const shapes: Shape[] = [];
  const bounds: Bounds[] = [];
  features.features.forEach((feature, i) => {
    const value = values[i] ?? null;
    if (feature.geometry === null || value === null) return;
    const geometry = grown(feature.geometry, options.bufferRadius, features.crs);
    const box = geometryBounds(geometry);
    if (box === null) return;
    shapes.push({ geometry, value });
    bounds.push(box);
  });
  const find = boxIndex(bounds);
  const shapesOf = (grid: LabelGrid): Shape[] => find(paddedBounds(grid)).map((i) => shapes[i]!);
  const burnShapes = (list: readonly Shape[], grid: LabelGrid): Uint16Array =>
    rasterize(list, { ...grid, allTouched: options.allTouched, out: new Uint16Array(grid.width * grid.height) });

  return {
    burn: async (grid) => burnShapes(shapesOf(grid), grid),
    burnChip(grid) {
      if (options.minOverlap === 0) return null;
      const list = shapesOf(grid);
      const cut = list.map(({ geometry }) => shareInside(geometry!, grid.transform, grid.width, grid.height) < options.minOverlap);
      if (!cut.includes(true)) return null;
      // cut features first, so that whole ones lie over them
      const ignored = list.filter((_, i) => cut[i]).map(({ geometry }) => ({ geometry, value: IGNORE_VALUE }));
      return burnShapes([...ignored, ...list.filter((_, i) => !cut[i])], grid);
    },
    features: shapes.map(({ geometry, value }) => ({ geometry: geometry!, classValue: value })),
    objects: (grid) =>
      shapesOf(grid)
        .map(({ geometry, value }) => cutObject(geometry!, value, grid))
        .filter((object) => object !== null && object.share >= options.minOverlap) as CutObject[],
  };
}

/** A class raster as a label layer; its nodata is ignored. */
export function rasterLayer(labels: Raster, crs: Crs | null): LabelLayer {
  return {
    async burn(grid, signal) {
      const view = warpRaster(labels, { crs, ...grid, resampling: "nearest" });
      const { data, mask } = await view.read(undefined, signal === undefined ? {} : { signal });
      const values = new Uint16Array(data.length);
      const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
      for (let i = 0; i < data.length; i++) values[i] = mask !== null && mask[i] === 0 ? ignore : data[i]!;
      return values;
    },
    burnChip: () => null,
    objects: null,
    features: null,
  };
}

/** The same part without burning: labels of objects come one by one, and blocks mark only land outside the mask and missing pixels. */
export function withoutBurning<P extends { readonly labels: LabelLayer }>(part: P): P {
  return { ...part, labels: { ...part.labels, burn: async ({ width, height }) => new Uint16Array(width * height) } };
}

/** Surveyed land: 1 inside, 0 outside. Null when nothing of the grid lies inside. */
export function maskLayer(mask: Features): (grid: LabelGrid) => Uint8Array | null {
  const geometries = mask.features.map(({ geometry }) => geometry).filter((geometry) => geometry !== null);
  const bounds: Bounds[] = [];
  const kept: Geometry[] = [];
  for (const geometry of geometries) {
    const box = geometryBounds(geometry);
    if (box === null) continue;
    kept.push(geometry);
    bounds.push(box);
  }
  const find = boxIndex(bounds);
  return (grid) => {
    const inside = find(paddedBounds(grid)).map((i) => ({ geometry: kept[i]!, value: 1 }));
    if (inside.length === 0) return null;
    return rasterize(inside, { ...grid, out: new Uint8Array(grid.width * grid.height) });
  };
}

function grown(geometry: Geometry, radius: Length | null, crs: Crs | null): Geometry {
  return radius === null ? geometry : bufferGeometry(geometry, radius, crs);
}

/** Positions of boxes that meet a box, in their order: the order of burning. */
function boxIndex(bounds: readonly Bounds[]): (box: Bounds) => number[] {
  if (bounds.length === 0) return () => [];
  const index = new Flatbush(bounds.length);
  for (const box of bounds) index.add(...box);
  index.finish();
  return (box) => index.search(...box).sort((a, b) => a - b);
}

/** Bounds of a grid and two pixels around: lines and touched pixels reach a little beyond their boxes. */
function paddedBounds({ transform, width, height }: LabelGrid): Bounds {
  const [c, f] = applyAffine(transform, -2, -2);
  const moved: Affine = [transform[0], transform[1], c, transform[3], transform[4], f];
  return gridBounds(moved, width + 4, height + 4);
}
