/** Opens what an export reads: rasters as parts of one grid each, and labels laid on every part. */

import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";

import { glob, isDynamicPattern } from "tinyglobby";

import {
  applyAffine,
  type Affine,
  type Bounds,
  type ClassDefinition,
  createTransformer,
  type Crs,
  type Features,
  geometryBounds,
  GeoLearnError,
  gridBounds,
  invertAffine,
  metresPerUnit,
  mosaicRasters,
  type OnWarning,
  openRaster,
  parseCrs,
  parseLength,
  pixelSize,
  type Raster,
  type RasterSource,
  readFeatures,
  sameCrs,
  warpRaster,
} from "@geolearn/core";

import { defaultColor, MAX_CLASS_VALUE } from "../esri/model-definition.ts";
import { labelClasses } from "./label-classes.ts";
import { type LabelLayer, maskLayer, rasterLayer, toRasterCrs, vectorLayer } from "./label-layer.ts";
import type { ExportOptions, Extent, LabelSource } from "./options.ts";
import { cropRaster, redescribe } from "./raster-view.ts";
import type { BlockSource } from "./row-blocks.ts";

/** The options that say where pixels and labels come from; shared with sampling straight from rasters. */
export type InputOptions = Pick<
  ExportOptions,
  | "raster"
  | "labels"
  | "mask"
  | "classField"
  | "classNameField"
  | "classes"
  | "bufferRadius"
  | "minOverlap"
  | "allTouched"
  | "cellSize"
  | "extent"
  | "bands"
  | "crs"
  | "onWarning"
  | "signal"
>;

/** Rasters with labels, ready to be cut. */
export interface Inputs {
  readonly parts: readonly InputPart[];
  readonly classes: readonly ClassDefinition[];
  readonly bands: number;
  readonly bandNames: readonly string[];
  readonly sampleType: Raster["sampleType"];
  /** What identifies the labels and the mask, for fingerprints. */
  readonly labelIdentity: readonly unknown[];
  close(): Promise<void>;
}

/** One grid to be cut. */
export interface InputPart extends BlockSource {
  /** The raster as opened, before any change of cell size or extent. */
  readonly original: Raster;
}

/**
 * Opens rasters, labels and mask, and lays the labels on each raster.
 *
 * @throws LABELS_OUTSIDE with both extents, LABELS_EMPTY, CRS_MISSING, CRS_MISMATCH, BANDS_MISMATCH, RASTER_NO_TRANSFORM
 */
export async function openInputs(options: InputOptions): Promise<Inputs> {
  const opened: Raster[] = [];
  try {
    const originals = await openParts(options.raster, options.crs);
    opened.push(...originals);
    const labels = await openLabels(options.labels, options);
    if ("read" in labels) opened.push(labels);
    const mask = options.mask === undefined ? null : await asFeatures(options.mask);
    const bands = chooseBands(originals, options.bands);
    const rasters = originals.map((raster) => onWantedGrid(raster, options));
    checkOverlap(rasters, labels);
    const prepared = "read" in labels ? await rasterLabels(labels, options) : vectorLabels(labels, options);
    const parts = rasters.map((raster, i) => ({
      raster,
      original: originals[i]!,
      bands,
      labels: prepared.layer(raster),
      inside: mask === null ? null : maskLayer(toRasterCrs(near(mask, raster), raster.crs, raster.name)),
    }));
    return {
      parts,
      classes: prepared.classes,
      bands: bands.length,
      bandNames: bands.map((band) => originals[0]!.bandInfo[band]?.name ?? `band ${band + 1}`),
      sampleType: rasters[0]!.sampleType,
      labelIdentity: [prepared.identity, mask === null ? null : featureIdentity(mask)],
      close: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function closeAll(rasters: readonly Raster[]): Promise<void> {
  await Promise.all(rasters.map((raster) => raster.close()));
}

// --- rasters -----------------------------------------------------------------------------------------------------------

/** One raster per grid: files of one reference system are a mosaic, others stand alone. */
async function openParts(source: ExportOptions["raster"], fallback: ExportOptions["crs"]): Promise<Raster[]> {
  const list = await expand(source);
  const each: Raster[] = [];
  try {
    for (const item of list) {
      const raster = await openRaster(item);
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

/** Endings of the files a folder of images is searched for. */
const IMAGE_FILES = /\.(tiff?|vrt|png|jpe?g)$/i;

/** The single rasters a source stands for, so that their reference systems can be told apart. */
async function expand(source: ExportOptions["raster"]): Promise<RasterSource[]> {
  if (isList(source)) {
    const parts = await Promise.all(source.map(expand));
    if (parts.length > 0) return parts.flat();
    throw new GeoLearnError("INVALID_ARGUMENT", "The list of rasters is empty.", { hint: "Name at least one raster." });
  }
  if (typeof source !== "string") return [source];
  const info = await stat(source).catch(() => null);
  if (info?.isDirectory() === true) {
    const names = (await readdir(source)).filter((name) => IMAGE_FILES.test(name)).sort();
    return names.length === 0 ? [source] : names.map((name) => join(source, name));
  }
  if (info !== null || !isDynamicPattern(source)) return [source];
  const matches = await glob(source.replaceAll("\\", "/"), { onlyFiles: true, expandDirectories: false });
  return matches.length === 0 ? [source] : matches.sort();
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
    hint: "Give the missing system as the option crs, or write it into the file.",
    data: { missing: without.name },
  });
}

function chooseBands(rasters: readonly Raster[], wanted: readonly number[] | undefined): number[] {
  const first = rasters[0]!;
  for (const raster of rasters) {
    if (raster.bands === first.bands && raster.sampleType === first.sampleType) continue;
    throw new GeoLearnError(
      "BANDS_MISMATCH",
      `${raster.name} has ${raster.bands} ${raster.sampleType} bands; ${first.name} has ${first.bands} of ${first.sampleType}.`,
      { hint: "Export rasters of one kind together, others into folders of their own.", data: { raster: raster.name } },
    );
  }
  const all = Array.from({ length: first.bands }, (_, band) => band).filter((band) => band !== first.alphaBand);
  const bands = [...(wanted ?? all)];
  const wrong = bands.find((band) => !Number.isInteger(band) || band < 0 || band >= first.bands);
  if (wrong === undefined && bands.length > 0) return bands;
  throw new GeoLearnError("BANDS_MISMATCH", `Band ${String(wrong)} was asked of ${first.name}, which has ${first.bands} bands.`, {
    hint: `Bands are counted from 0; the last one is ${first.bands - 1}.`,
    data: { bands, available: first.bands },
  });
}

/** Changes cell size and extent, if asked for. */
function onWantedGrid(raster: Raster, { cellSize, extent }: InputOptions): Raster {
  const resampled = cellSize === undefined ? raster : withCellSize(raster, cellSize);
  return extent === undefined ? resampled : withExtent(resampled, extent);
}

function withCellSize(raster: Raster, wanted: NonNullable<InputOptions["cellSize"]>): Raster {
  const { transform, crs } = raster;
  if (transform === null) throw noTransform(raster);
  const length = parseLength(wanted);
  if (!(length.value > 0)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `cellSize is ${length.value}; expected a positive length.`, {
      hint: "Such as 0.3 for 30 cm.",
    });
  }
  const own = pixelSize(transform);
  const middle = applyAffine(transform, raster.width / 2, raster.height / 2);
  if (length.unit === "m" && crs === null) {
    throw new GeoLearnError("CRS_MISSING", `A cell size in metres needs a reference system, and ${raster.name} names none.`, {
      hint: 'Give it in map units, such as "0.3 crs", or name the system as the option crs.',
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
      hint: "Name it as the option crs.",
    });
  }
  return transformBounds(extent.bounds, parseCrs(extent.crs), raster.crs);
}

function noTransform(raster: Raster): GeoLearnError {
  return new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} has no position on the ground.`, {
    hint: "Georeference it first, or give labels as a raster of the same size.",
    data: { raster: raster.name },
  });
}

// --- labels ------------------------------------------------------------------------------------------------------------

const RASTER_EXTENSIONS = new Set([".tif", ".tiff", ".vrt", ".png", ".img", ".jp2"]);

async function openLabels(labels: LabelSource, { onWarning }: InputOptions): Promise<Features | Raster> {
  if (typeof labels !== "string") return labels;
  if (RASTER_EXTENSIONS.has(extname(labels).toLowerCase())) return openRaster(labels);
  const features = await asFeatures(labels);
  const without = features.features.filter(({ geometry }) => geometry === null).length;
  if (without > 0 && without < features.features.length) {
    onWarning?.({
      code: "FEATURES_WITHOUT_GEOMETRY",
      message: `${without} features of ${features.name} have no geometry and are left out.`,
    });
  }
  return features;
}

async function asFeatures(source: string | Features): Promise<Features> {
  return typeof source === "string" ? readFeatures(source) : source;
}

interface PreparedLabels {
  readonly classes: readonly ClassDefinition[];
  readonly identity: readonly unknown[];
  layer(raster: Raster): LabelLayer;
}

function vectorLabels(labels: Features, options: InputOptions): PreparedLabels {
  const radius = options.bufferRadius === undefined ? null : parseLength(options.bufferRadius);
  if (radius !== null && !(radius.value > 0)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `bufferRadius is ${radius.value}; expected a positive length.`, {
      hint: "Such as 2 for two metres.",
    });
  }
  const { classes, values } = labelClasses(labels, options);
  const byFeature = new Map(labels.features.map((feature, i) => [feature, values[i]!]));
  return {
    classes,
    identity: [featureIdentity(labels), classes],
    layer(raster) {
      if (raster.transform === null) throw noTransform(raster);
      const close = near(labels, raster);
      const placed = toRasterCrs(close, raster.crs, raster.name);
      return vectorLayer(
        placed,
        close.features.map((feature) => byFeature.get(feature) ?? null),
        {
          allTouched: options.allTouched ?? false,
          minOverlap: options.minOverlap ?? 0,
          bufferRadius: radius,
        },
      );
    },
  };
}

async function rasterLabels(labels: Raster, options: InputOptions): Promise<PreparedLabels> {
  const present = await classValues(labels, options);
  const given = new Map((options.classes ?? []).map((entry) => [entry.value, entry]));
  const classes = present
    .filter((value) => value !== 0 || given.has(0) || labels.classNames?.has(0) === true)
    .map((value, index) => ({
      value,
      name: given.get(value)?.name ?? labels.classNames?.get(value) ?? String(value),
      color: given.get(value)?.color ?? labels.colorTable?.get(value) ?? defaultColor(value, index),
    }));
  return {
    classes,
    identity: [labels.width, labels.height, labels.transform, labels.name, classes],
    layer: (raster) => rasterLayer(placedLabels(labels, raster, options.onWarning), raster.crs),
  };
}

/** Every value of a class raster, ascending. @throws LABELS_EMPTY, INVALID_ARGUMENT for values labels cannot hold */
async function classValues(labels: Raster, { signal }: InputOptions): Promise<number[]> {
  if (labels.bands !== 1) {
    throw new GeoLearnError("BANDS_MISMATCH", `The class raster ${labels.name} has ${labels.bands} bands; expected one.`, {
      hint: "Give a raster whose single band holds class values.",
    });
  }
  const seen = new Uint8Array(MAX_CLASS_VALUE + 1);
  const rows = Math.max(1, Math.floor(2 ** 22 / labels.width));
  for (let row = 0; row < labels.height; row += rows) {
    const window = { col: 0, row, width: labels.width, height: Math.min(rows, labels.height - row) };
    const { data, mask } = await labels.read(window, signal === undefined ? {} : { signal });
    for (let i = 0; i < data.length; i++) {
      if (mask !== null && mask[i] === 0) continue;
      const value = data[i]!;
      if (value >= 0 && value <= MAX_CLASS_VALUE && Number.isInteger(value)) {
        seen[value] = 1;
        continue;
      }
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `The class raster ${labels.name} holds ${value}; expected integers from 0 to ${MAX_CLASS_VALUE}.`,
        {
          hint: "Mark pixels without a class as nodata, or reclassify the raster.",
          data: { value },
        },
      );
    }
  }
  const values = [...seen.keys()].filter((value) => seen[value] === 1);
  if (values.some((value) => value > 0)) return values;
  throw new GeoLearnError("LABELS_EMPTY", `The class raster ${labels.name} holds no class: every pixel is 0 or nodata.`, {
    hint: "Check that this is the file with the labels.",
  });
}

/** A class raster without a position is laid on the image pixel by pixel when both have the same size. */
function placedLabels(labels: Raster, raster: Raster, onWarning: OnWarning | undefined): Raster {
  if (labels.transform !== null && raster.transform !== null) {
    if (raster.crs !== null && labels.crs !== null) return labels;
    if (raster.crs === null && labels.crs === null) return labels;
    const missing = raster.crs === null ? raster.name : labels.name;
    throw new GeoLearnError(
      "CRS_MISSING",
      `${missing} names no reference system, so the labels ${labels.name} cannot be laid on ${raster.name}.`,
      {
        hint: "Write the system into the file, or give the raster's as the option crs.",
        data: { missing },
      },
    );
  }
  if (labels.width === raster.width && labels.height === raster.height) {
    onWarning?.({
      code: "LABELS_WITHOUT_POSITION",
      message: `${labels.transform === null ? labels.name : raster.name} has no position; labels and image are matched pixel by pixel.`,
      hint: "Both are of the same size. Georeference them to be sure.",
    });
    return redescribe(labels, { transform: raster.transform ?? [1, 0, 0, 0, 1, 0], crs: raster.crs });
  }
  throw noTransform(labels.transform === null ? labels : raster);
}

// --- where labels lie --------------------------------------------------------------------------------------------------

/** @throws LABELS_EMPTY, LABELS_OUTSIDE naming both extents */
function checkOverlap(rasters: readonly Raster[], labels: Features | Raster): void {
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
    if (meets(inLabels, own)) return;
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

/** The features that can reach a raster: others need no reprojection, which may not even be possible. */
function near(features: Features, raster: Raster): Features {
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
      return own !== null && meets(own, wide);
    }),
  };
}

function boundsOf(features: Features): Bounds | null {
  let all: Bounds | null = null;
  for (const { geometry } of features.features) {
    const own = geometry === null ? null : geometryBounds(geometry);
    if (own === null) continue;
    all = all === null ? own : [Math.min(all[0], own[0]), Math.min(all[1], own[1]), Math.max(all[2], own[2]), Math.max(all[3], own[3])];
  }
  return all;
}

/** Common ground; labels may be a single point, so touching counts. */
function meets(a: Bounds, b: Bounds): boolean {
  return a[0] <= b[2] && a[2] >= b[0] && a[1] <= b[3] && a[3] >= b[1];
}

function tryBounds(bounds: Bounds, from: Crs, to: Crs): Bounds | null {
  try {
    return transformBounds(bounds, from, to);
  } catch (error) {
    if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return null;
    throw error;
  }
}

/** Bounds in another system: 21 points along each edge are carried over. */
function transformBounds(bounds: Bounds, from: Crs, to: Crs): Bounds {
  const transform = createTransformer(from, to);
  const [x0, y0, x1, y1] = bounds;
  const xs: number[] = [];
  const ys: number[] = [];
  const add = (x: number, y: number): void => {
    const [tx, ty] = transform(x, y);
    xs.push(tx);
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

function boxCorners([x0, y0, x1, y1]: Bounds): [number, number][] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/** Geometry and class of every feature, so that edited labels are told from the former ones. */
function featureIdentity(features: Features): readonly unknown[] {
  return [features.crs?.proj ?? null, features.features.map(({ geometry, properties }) => [geometry, properties])];
}

/** Position of a chip of a part, or null without one. */
export function chipTransform(raster: Raster, col: number, row: number): Affine | null {
  if (raster.transform === null) return null;
  const [a, b, , d, e] = raster.transform;
  const [c, f] = applyAffine(raster.transform, col, row);
  return [a, b, c, d, e, f];
}
