/** Whether labels and rasters meet, and which features can reach a raster. */

import {
  type Bounds,
  boundsMeet,
  createTransformer,
  type Crs,
  type Features,
  geometryBounds,
  GeoLearnError,
  gridBounds,
  type Raster,
  sameCrs,
  unionBounds,
} from "@geolearn/core";

/** @throws LABELS_EMPTY, LABELS_OUTSIDE naming both extents */
export function checkOverlap(rasters: readonly Raster[], labels: Features | Raster): void {
  const isRasterLabel = "read" in labels;
  if (!isRasterLabel && !labels.features.some(({ geometry }) => geometry !== null)) {
    throw new GeoLearnError("LABELS_EMPTY", `${labels.name} holds ${labels.features.length} features and no geometry.`, {
      hint: "Check that this is the file with the labels.",
    });
  }
  const own = isRasterLabel
    ? labels.transform === null
      ? null
      : gridBounds(labels.transform, labels.width, labels.height)
    : boundsOf(labels);
  if (own === null) return;
  const extents: Bounds[] = [];
  for (const raster of rasters) {
    if (raster.transform === null) return;
    if ((raster.crs === null) !== (labels.crs === null)) return; // reported where the labels are laid on the raster
    const extent = gridBounds(raster.transform, raster.width, raster.height);
    const inLabels = raster.crs === null || sameCrs(raster.crs, labels.crs!) ? extent : tryBounds(extent, raster.crs, labels.crs!);
    if (inLabels === null) return;
    if (meets(inLabels, own, labels.crs)) return;
    extents.push(inLabels);
  }
  const text = (bounds: Bounds): string => `[${bounds.map((value) => Number(value.toPrecision(9))).join(", ")}]`;
  throw new GeoLearnError(
    "LABELS_OUTSIDE",
    `The labels ${labels.name} cover ${text(own)}; ${rasters[0]!.name} covers ${text(extents[0]!)} (both in ${labels.crs?.name ?? "the units of the files"}).`,
    {
      hint: "Check the reference systems of both, and that x comes before y in the labels.",
      data: { labels: own, rasters: extents },
    },
  );
}

/** How rasters and labels meet, by the boxes around them. */
export interface LabelOverlap {
  /** Label features with a geometry, and those whose box meets a raster; null for a class raster. */
  readonly features: number | null;
  readonly inside: number | null;
  /** Share of the rasters' ground inside the box around all labels, 0 to 1. */
  readonly labelledShare: number;
}

/** Null where positions or reference systems are missing. */
export function labelOverlap(rasters: readonly Raster[], labels: Features | Raster): LabelOverlap | null {
  const isRasterLabel = "read" in labels;
  const around = isRasterLabel ? labels.transform && gridBounds(labels.transform, labels.width, labels.height) : boundsOf(labels);
  if (around === null) return null;
  const extents: Bounds[] = [];
  for (const { transform, crs, width, height } of rasters) {
    if (transform === null || (crs === null) !== (labels.crs === null)) return null;
    const extent = gridBounds(transform, width, height);
    const inLabels = crs === null || sameCrs(crs, labels.crs!) ? extent : tryBounds(extent, crs, labels.crs!);
    if (inLabels === null) return null;
    extents.push(inLabels);
  }
  const boxes = isRasterLabel ? [] : labels.features.map(({ geometry }) => geometryBounds(geometry)).filter((box) => box !== null);
  const area = ([x0, y0, x1, y1]: Bounds): number => Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
  const turns = labels.crs?.geographic === true ? [0, 360, -360] : [0];
  const common = (a: Bounds, b: Bounds): number =>
    Math.max(
      ...turns.map((turn) => area([Math.max(a[0] + turn, b[0]), Math.max(a[1], b[1]), Math.min(a[2] + turn, b[2]), Math.min(a[3], b[3])])),
    );
  return {
    features: isRasterLabel ? null : boxes.length,
    inside: isRasterLabel ? null : boxes.filter((box) => extents.some((extent) => meets(extent, box, labels.crs))).length,
    labelledShare:
      extents.reduce((sum, extent) => sum + common(extent, around), 0) / extents.reduce((sum, extent) => sum + area(extent), 0),
  };
}

/** The features that can reach a raster: others need no reprojection, which may not even be possible. */
export function near(features: Features, raster: Raster): Features {
  if (raster.transform === null || raster.crs === null || features.crs === null) return features;
  const extent = gridBounds(raster.transform, raster.width, raster.height);
  const box = sameCrs(raster.crs, features.crs) ? extent : tryBounds(extent, raster.crs, features.crs);
  if (box === null) return features;
  const [x0, y0, x1, y1] = box;
  // generous, so that buffers around points and lines outside still reach in
  const wide: Bounds = [x0 - (x1 - x0), y0 - (y1 - y0), x1 + (x1 - x0), y1 + (y1 - y0)];
  return {
    ...features,
    features: features.features.filter(({ geometry }) => {
      const own = geometry === null ? null : geometryBounds(geometry);
      return own !== null && meets(own, wide, features.crs);
    }),
  };
}

function boundsOf(features: Features): Bounds | null {
  let all: Bounds | null = null;
  for (const { geometry } of features.features) {
    all = unionBounds(all, geometryBounds(geometry));
  }
  return all;
}

/** Common ground; labels may be a single point, so touching counts. In degrees one may lie a turn around the Earth further on. */
function meets(a: Bounds, b: Bounds, crs: Crs | null): boolean {
  const turns = crs?.geographic === true ? [0, 360, -360] : [0];
  return turns.some((turn) => boundsMeet([a[0] + turn, a[1], a[2] + turn, a[3]], b));
}

function tryBounds(bounds: Bounds, from: Crs, to: Crs): Bounds | null {
  try {
    return transformBounds(bounds, from, to);
  } catch (error) {
    if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return null;
    throw error;
  }
}

/** Bounds in another system: 21 points along each edge are carried over. Longitudes run on beyond 180 degrees. */
export function transformBounds(bounds: Bounds, from: Crs, to: Crs): Bounds {
  const transform = createTransformer(from, to);
  const [x0, y0, x1, y1] = bounds;
  const xs: number[] = [];
  const ys: number[] = [];
  const add = (x: number, y: number): void => {
    const [tx, ty] = transform(x, y);
    xs.push(to.geographic && xs.length > 0 ? tx - 360 * Math.round((tx - xs[0]!) / 360) : tx);
    ys.push(ty);
  };
  for (let i = 0; i <= 20; i++) {
    const x = x0 + ((x1 - x0) * i) / 20;
    const y = y0 + ((y1 - y0) * i) / 20;
    add(x, y0);
    add(x, y1);
    add(x0, y);
    add(x1, y);
  }
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
