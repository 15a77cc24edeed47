/** Vector features as geolearn uses them: GeoJSON geometry in the coordinates of `crs`, x before y. */

import type { Geometry } from "geojson";
import type { Crs } from "../crs/crs.ts";

/** A value of a field. */
export type FieldValue = string | number | boolean | null;

/** One feature. */
export interface Feature {
  readonly id?: string | number;
  /** Null for a row without geometry. */
  readonly geometry: Geometry | null;
  readonly properties: Readonly<Record<string, FieldValue>>;
}

/** Features held in memory. */
export interface Features {
  /** Where they came from, for messages. */
  readonly name: string;
  /** Reference system of the coordinates, or null when the file names none (GeoJSON without `crs` is EPSG:4326). */
  readonly crs: Crs | null;
  readonly features: readonly Feature[];
}

/** Features read one after another; iterate once per call. */
export interface FeatureStream extends AsyncIterable<Feature> {
  readonly name: string;
  readonly crs: Crs | null;
}
