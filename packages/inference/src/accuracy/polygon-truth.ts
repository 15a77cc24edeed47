/** Labelled polygons as true classes of pixels. */

import {
  type Bounds,
  type Feature,
  type Features,
  GeoLearnError,
  type OnWarning,
  type Raster,
  type Samples,
  type Shape,
  type Window,
  boundsMeet,
  classFieldWarning,
  geometryBounds,
  gridBounds,
  placeFeatures,
  rasterize,
  readFeatures,
  unionBounds,
  windowTransform,
} from "@geolearn/core";

import { rowRange } from "../run/region-mask.ts";

/** True classes, read window by window of the prediction's grid. */
export interface TruthRows {
  /** Values and where they are known (null: everywhere). */
  read(window: Window): Promise<{ readonly values: Samples; readonly mask: Uint8Array | null }>;
  close(): Promise<void>;
}

/** Fields that hold class values when none is named, as in the chips of ArcGIS. */
const USUAL_FIELDS = ["classvalue", "value"];

/**
 * Polygons burnt into the grid of a map: a pixel has the class of the polygon that holds its centre (of several the last),
 * all other land is background, value 0.
 *
 * @throws FEATURES_EMPTY, LABELS_OUTSIDE when no polygon touches the map, FIELD_MISSING, CLASS_UNKNOWN for a class name the map does not have, RASTER_NO_TRANSFORM
 */
export async function polygonTruth(
  source: string | Features,
  map: Raster,
  names: ReadonlyMap<number, string>,
  classField: string | undefined,
  onWarning: OnWarning | undefined,
): Promise<TruthRows> {
  const features = typeof source === "string" ? await readFeatures(source) : source;
  const { transform } = map;
  if (transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${map.name} is not georeferenced, so polygons cannot be laid on it.`, {
      hint: "Compare with a raster of labels.",
    });
  }
  const field = classField ?? usualField(features);
  const warning = field === null ? classFieldWarning(features) : null;
  if (warning !== null) onWarning?.(warning);
  const single = singleClass(names);
  const { crs, width, height } = map;
  const placed = features.crs !== null && crs !== null ? placeFeatures(features, { crs, transform, width, height }) : features;
  requireOverlap(placed, map, gridBounds(transform, width, height));
  const shapes = placed.features.flatMap((feature) => {
    const bounds = geometryBounds(feature.geometry);
    if (bounds === null) return [];
    const value = field === null ? single : classValue(feature, field, names, features.name);
    return [{ shape: { geometry: feature.geometry, value } satisfies Shape, rows: rowRange(bounds, transform) }];
  });
  if (shapes.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `${features.name} has no polygons to compare with.`, { hint: "Give the labelled polygons." });
  }
  return {
    read({ col, row, width, height }) {
      const near = shapes.filter(({ rows: [top, bottom] }) => top < row + height && bottom > row).map(({ shape }) => shape);
      const values = rasterize(near, { width, height, transform: windowTransform(transform, col, row), sampleType: "uint32" });
      return Promise.resolve({ values, mask: null });
    },
    close: () => Promise.resolve(),
  };
}

/** @throws LABELS_OUTSIDE naming both extents */
function requireOverlap({ name, crs, features }: Features, map: Raster, extent: Bounds): void {
  let all: Bounds | null = null;
  for (const { geometry } of features) {
    const own = geometryBounds(geometry);
    if (own !== null && boundsMeet(own, extent)) return;
    all = unionBounds(all, own);
  }
  if (all === null) return; // no polygons at all, which has a code of its own
  const text = (bounds: Bounds): string => `[${bounds.map((value) => Number(value.toPrecision(9))).join(", ")}]`;
  throw new GeoLearnError(
    "LABELS_OUTSIDE",
    `The polygons ${name} cover ${text(all)}; ${map.name} covers ${text(extent)} (both in ${(map.crs ?? crs)?.name ?? "the units of the files"}).`,
    {
      hint: "Check the reference systems of both, and that x comes before y in the polygons.",
      data: { labels: all, rasters: [extent] },
    },
  );
}

function usualField({ features }: Features): string | null {
  const fields = Object.keys(features[0]?.properties ?? {});
  return fields.find((name) => USUAL_FIELDS.includes(name.toLowerCase())) ?? null;
}

/** Without a field all polygons are one class: the only one besides background, else 1. */
function singleClass(names: ReadonlyMap<number, string>): number {
  const others = [...names.keys()].filter((value) => value !== 0);
  return others.length === 1 ? others[0]! : 1;
}

function classValue({ properties }: Feature, field: string, names: ReadonlyMap<number, string>, source: string): number {
  const given = properties[field];
  if (given === undefined || given === null) {
    throw new GeoLearnError("FIELD_MISSING", `A polygon of ${source} has no value in the field "${field}".`, {
      hint: `Fields are ${Object.keys(properties).join(", ") || "none"}; name the one with the class as \`classField\`.`,
    });
  }
  const value = typeof given === "number" ? given : Number(String(given).trim() === "" ? Number.NaN : given);
  if (Number.isInteger(value) && value >= 0) return value;
  for (const [known, name] of names) if (name.toLowerCase() === String(given).trim().toLowerCase()) return known;
  throw new GeoLearnError(
    "CLASS_UNKNOWN",
    `The field "${field}" of ${source} says "${String(given)}", which is no class value and no class of the map.`,
    {
      hint: `Classes are ${[...names].map(([v, name]) => `${v} ${name}`).join(", ") || "not named in the map"}.`,
    },
  );
}
