/** What a file is: raster, features, model package, ONNX file or chip folder, told in words and numbers. */

import { stat } from "node:fs/promises";
import { extname } from "node:path";
import {
  type BandStatistics,
  type Bounds,
  type Crs,
  GeoLearnError,
  type NetworkOptions,
  type OptionRules,
  rules,
  type WorkOptions,
  checkOptions,
  geometryBounds,
  gridBounds,
  groundResolution,
  isFeaturePath,
  openFeatures,
  openRaster,
  rasterStatistics,
  unionBounds,
} from "@geolearn/core";
import { type ChipsDescription, describeChips, isChipFolder } from "@geolearn/data-prep";
import { type ModelDescription, type OnnxDescription, describeModelPackage, describeOnnx } from "@geolearn/models";

/** A reference system, in short. */
export interface CrsSummary {
  readonly epsg: number | null;
  readonly name: string;
}

/** A raster, described. */
export interface RasterInfo {
  readonly kind: "raster";
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly sampleType: string;
  readonly crs: CrsSummary | null;
  /** Pixel to world, `[a, b, c, d, e, f]`. */
  readonly transform: readonly number[] | null;
  /** In the raster's CRS. */
  readonly extent: Bounds | null;
  /** Ground size of a pixel in metres. */
  readonly resolution: number | null;
  readonly nodata: number | null;
  readonly blockWidth: number;
  readonly blockHeight: number;
  readonly overviews: readonly { readonly width: number; readonly height: number }[];
  /** True when the statistics come from a sample of the pixels, because the raster is large. */
  readonly sampled: boolean;
  /** Statistics are null where a band has no valid pixel. */
  readonly bands: readonly { readonly name: string; readonly interpretation: string; readonly statistics: BandStatistics | null }[];
  readonly classes: readonly { readonly value: number; readonly name: string }[] | null;
}

/** Features, described. */
export interface FeaturesInfo {
  readonly kind: "features";
  readonly path: string;
  readonly count: number;
  readonly crs: CrsSummary | null;
  readonly extent: Bounds | null;
  /** How many features of each geometry type. */
  readonly geometries: Readonly<Record<string, number>>;
  /** Per field: how many features have a value, and the values themselves where they are few. */
  readonly fields: Readonly<Record<string, { readonly filled: number; readonly values: Readonly<Record<string, number>> | null }>>;
}

/** A chip folder, described. */
export interface ChipsInfo extends ChipsDescription {
  readonly kind: "chips";
  readonly path: string;
}

/** A model package, described. */
export interface ModelInfo extends ModelDescription {
  readonly kind: "model";
  readonly path: string;
}

/** An ONNX file, described. */
export interface OnnxInfo extends OnnxDescription {
  readonly kind: "onnx";
  readonly path: string;
}

/** What {@link describe} tells. */
export type Info = RasterInfo | FeaturesInfo | ChipsInfo | ModelInfo | OnnxInfo;

const RULES: OptionRules<WorkOptions & NetworkOptions> = { ...rules.work, ...rules.network };

const mostValuesListed = 20;
/** Larger rasters are described from about this many pixels, evenly spread. */
const mostPixelsRead = 64_000_000;

/**
 * Describes a raster, features, a chip folder, a model package or an ONNX file.
 *
 * @throws FILE_NOT_FOUND, and what opening such a file throws
 * @example
 * const info = await describe("scene.tif");
 * if (info.kind === "raster") info.resolution;
 */
export async function describe(path: string, options: WorkOptions & NetworkOptions = {}): Promise<Info> {
  checkOptions(options, RULES, "describe()");
  const found = await stat(path).catch(() => null);
  if (found === null && !/^https?:/.test(path)) {
    throw new GeoLearnError("FILE_NOT_FOUND", `There is no file or folder "${path}".`, {
      hint: "Check the path; it is taken from the current folder.",
    });
  }
  if (found?.isDirectory() && (await isChipFolder(path))) {
    return { kind: "chips", path, ...(await describeChips(path, options)) };
  }
  const extension = extname(path).toLowerCase();
  if (extension === ".dlpk") return { kind: "model", path, ...(await describeModelPackage(path)) };
  if (extension === ".onnx") return { kind: "onnx", path, ...(await describeOnnx(path)) };
  if (isFeaturePath(path)) return describeFeatures(path, options);
  return describeRaster(path, options);
}

async function describeRaster(path: string, { signal, onProgress, network = false }: WorkOptions & NetworkOptions): Promise<RasterInfo> {
  const raster = await openRaster(path, { network });
  try {
    const { width, height, transform, crs } = raster;
    onProgress?.({ stage: "statistics", done: 0, total: 1, unit: "rasters" });
    const bands = raster.bandInfo.map((_, i) => i);
    const sampled = width * height > mostPixelsRead;
    const statistics = await rasterStatistics(raster, { bands, ...(sampled && { sample: mostPixelsRead }), ...(signal && { signal }) });
    onProgress?.({ stage: "statistics", done: 1, total: 1, unit: "rasters" });
    return {
      kind: "raster",
      path,
      width,
      height,
      sampleType: raster.sampleType,
      crs: summary(crs),
      transform,
      extent: transform && gridBounds(transform, width, height),
      resolution: transform && crs ? groundResolution(crs, transform, width, height) : null,
      nodata: raster.nodata,
      blockWidth: raster.blockWidth,
      blockHeight: raster.blockHeight,
      overviews: raster.overviews,
      sampled,
      bands: raster.bandInfo.map(({ name, interpretation }, i) => ({
        name,
        interpretation,
        statistics: statistics[i]!.count > 0 ? statistics[i]! : null,
      })),
      classes: raster.classNames && [...raster.classNames].map(([value, name]) => ({ value, name })),
    };
  } finally {
    await raster.close();
  }
}

async function describeFeatures(path: string, { signal }: WorkOptions): Promise<FeaturesInfo> {
  const stream = await openFeatures(path, signal ? { signal } : {});
  let count = 0;
  let extent: Bounds | null = null;
  const geometries: Record<string, number> = {};
  const fields = new Map<string, { filled: number; values: Map<string, number> }>();
  for await (const { geometry, properties } of stream) {
    count++;
    const type = geometry?.type ?? "none";
    geometries[type] = (geometries[type] ?? 0) + 1;
    extent = unionBounds(extent, geometryBounds(geometry));
    for (const [name, value] of Object.entries(properties)) {
      const field = fields.get(name) ?? { filled: 0, values: new Map<string, number>() };
      fields.set(name, field);
      if (value === null) continue;
      field.filled++;
      if (field.values.size <= mostValuesListed) field.values.set(String(value), (field.values.get(String(value)) ?? 0) + 1);
    }
  }
  return {
    kind: "features",
    path,
    count,
    crs: summary(stream.crs),
    extent,
    geometries,
    fields: Object.fromEntries(
      [...fields].map(([name, { filled, values }]) => [
        name,
        { filled, values: values.size <= mostValuesListed ? Object.fromEntries(values) : null },
      ]),
    ),
  };
}

function summary(crs: Crs | null): CrsSummary | null {
  return crs && { epsg: crs.epsg, name: crs.name };
}
