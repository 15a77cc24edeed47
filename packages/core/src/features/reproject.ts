/** Features in another reference system. */

import type { Geometry, Position } from "geojson";

import { type Affine, applyAffine } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { sameCrs } from "../crs/same-crs.ts";
import { type TransformOptions, type Transformer, createTransformer } from "../crs/transform.ts";
import { GeoLearnError } from "../errors.ts";
import { bringAround } from "./antimeridian.ts";
import type { Feature, Features } from "./features.ts";
import { mapPositions } from "./positions.ts";

/**
 * The same features in the coordinates of `crs`. Vertices are moved; edges stay straight between them. Heights stay.
 *
 * A line or ring that crosses 180 degrees keeps its longitudes continuous in a geographic target (181 rather than
 * -179), so its shape and area stay right. Nothing is cut at 180 degrees here; writing GeoJSON does that.
 *
 * @throws CRS_MISSING when the features name no system; CRS_OUT_OF_RANGE with the feature's number; CRS_GRID_MISSING
 */
export function reprojectFeatures(features: Features, crs: Crs, options: TransformOptions = {}): Features {
  if (features.crs === null) {
    throw new GeoLearnError("CRS_MISSING", `${features.name} names no reference system, so it cannot be brought to ${crs.name}.`, {
      hint: "Name the system of its coordinates when reading it, such as `crs: 32633`.",
    });
  }
  const reproject = createReprojector(features.crs, crs, options);
  return { name: features.name, crs, features: features.features.map((feature, index) => reproject(feature, index)) };
}

/**
 * Features as they lie on a grid: in its reference system, and in degrees moved by whole turns to its side of the Earth, so that
 * 179 and -179 meet on a grid across 180 degrees.
 *
 * @throws as {@link reprojectFeatures}
 */
export function placeFeatures(
  features: Features,
  grid: { readonly crs: Crs; readonly transform: Affine; readonly width: number; readonly height: number },
): Features {
  const placed = features.crs !== null && sameCrs(features.crs, grid.crs) ? features : reprojectFeatures(features, grid.crs);
  if (!grid.crs.geographic) return placed;
  const [longitude] = applyAffine(grid.transform, grid.width / 2, grid.height / 2);
  return {
    ...placed,
    features: placed.features.map((feature) =>
      feature.geometry === null ? feature : { ...feature, geometry: bringAround(feature.geometry, longitude) },
    ),
  };
}

/** A function that brings one feature after another to another system; `index` names it in errors. */
export function createReprojector(from: Crs, to: Crs, options: TransformOptions = {}): (feature: Feature, index: number) => Feature {
  const transform = createTransformer(from, to, options);
  return (feature, index) => {
    if (feature.geometry === null) return feature;
    try {
      return { ...feature, geometry: reprojectGeometry(feature.geometry, transform, to.geographic && !from.geographic) };
    } catch (cause) {
      if (!GeoLearnError.is(cause, "CRS_OUT_OF_RANGE")) throw cause;
      throw new GeoLearnError("CRS_OUT_OF_RANGE", `feature ${index}: ${cause.message}`, {
        hint: cause.hint ?? "",
        data: { ...cause.data, index },
        cause,
      });
    }
  };
}

/** A geometry with every position moved. */
export function reprojectGeometry(geometry: Geometry, transform: Transformer, continuous = false): Geometry {
  let anchor = NaN;
  return mapPositions(geometry, (position) => {
    const [x, y] = transform(position[0]!, position[1]!);
    if (Number.isNaN(anchor)) anchor = x;
    const lon = continuous ? x - 360 * Math.round((x - anchor) / 360) : x;
    const moved: Position = position.length > 2 ? [lon, y, position[2]!] : [lon, y];
    return moved;
  });
}
