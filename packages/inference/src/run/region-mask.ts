/** Land that is asked for: polygons burnt into rows of the scene. */

import { readMask } from "#platform";
import {
  type Affine,
  type Bounds,
  type Features,
  GeoLearnError,
  type OnWarning,
  type Shape,
  applyAffine,
  geometryBounds,
  invertAffine,
  placeFeatures,
  rasterize,
  windowTransform,
} from "@geolearn/core";

import type { Scene } from "./scene.ts";

/** Marks the rows of a scene: 1 inside the polygons. */
export interface RegionMask {
  /** Multiplies `valid`, `[rows][width]` from the scene row `row`, by the mask. */
  apply(valid: Uint8Array, row: number, rows: number): void;
}

/**
 * Reads the polygons of a mask for a scene.
 *
 * @throws FEATURES_EMPTY without polygons, LABELS_OUTSIDE when none touches the scene, RASTER_NO_TRANSFORM
 */
export async function readRegionMask(mask: string | Features, scene: Scene, onWarning: OnWarning | undefined): Promise<RegionMask> {
  const features = typeof mask === "string" ? await readMask(mask) : mask;
  const { transform, raster, view } = scene;
  if (transform === null) {
    throw new GeoLearnError(
      "RASTER_NO_TRANSFORM",
      `${raster.name} is not georeferenced, so the mask ${features.name} means nothing on it.`,
      {
        hint: "Leave out `mask`, or georeference the raster.",
      },
    );
  }
  const placed = onScene(features, scene, transform, onWarning);
  const shapes = placed.features
    .filter(({ geometry }) => geometry?.type === "Polygon" || geometry?.type === "MultiPolygon")
    .map(({ geometry }) => ({ shape: { geometry, value: 1 }, rows: rowRange(geometryBounds(geometry), transform) }));
  if (shapes.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `The mask ${features.name} has no polygons.`, {
      hint: "Give polygons of the land to work on.",
    });
  }
  if (!shapes.some(({ rows: [top, bottom] }) => top < view.height && bottom > 0)) {
    throw new GeoLearnError("LABELS_OUTSIDE", `No polygon of the mask ${features.name} touches ${raster.name}.`, {
      hint: "Check the reference systems of both.",
    });
  }
  return {
    apply(valid, row, rows) {
      const near: Shape[] = shapes.filter(({ rows: [top, bottom] }) => top < row + rows && bottom > row).map(({ shape }) => shape);
      if (near.length === 0) {
        valid.fill(0, 0, rows * view.width);
        return;
      }
      const inside = rasterize(near, { width: view.width, height: rows, transform: windowTransform(transform, 0, row) });
      for (let i = 0; i < inside.length; i++) if (inside[i] === 0) valid[i] = 0;
    },
  };
}

function onScene(features: Features, { raster, view }: Scene, transform: Affine, onWarning: OnWarning | undefined): Features {
  const { crs, name } = raster;
  if (features.crs !== null && crs !== null) return placeFeatures(features, { crs, transform, width: view.width, height: view.height });
  if (features.crs !== null || crs !== null) {
    onWarning?.({
      code: "CRS_MISSING",
      message: `${crs === null ? name : features.name} names no reference system; the mask is taken to lie in that of ${crs === null ? features.name : name}.`,
      hint: "Give both a reference system.",
    });
  }
  return features;
}

/** Rows of a grid that a box may touch. */
export function rowRange(bounds: Bounds | null, transform: Affine): readonly [top: number, bottom: number] {
  if (bounds === null) return [0, 0];
  const toPixels = invertAffine(transform);
  const [xmin, ymin, xmax, ymax] = bounds;
  const corners = [
    applyAffine(toPixels, xmin, ymin),
    applyAffine(toPixels, xmin, ymax),
    applyAffine(toPixels, xmax, ymin),
    applyAffine(toPixels, xmax, ymax),
  ];
  const rows = corners.map(([, row]) => row);
  return [Math.floor(Math.min(...rows)) - 1, Math.ceil(Math.max(...rows)) + 1];
}
