/** Labels from files or memory, with their classes, laid on rasters. */

import { extname } from "node:path";

import type { Geometry } from "geojson";

import {
  type ClassDefinition,
  type Features,
  GeoLearnError,
  type OnWarning,
  openRaster,
  parseLength,
  type Raster,
  readFeatures,
} from "@geolearn/core";

import { defaultColor, MAX_CLASS_VALUE } from "../esri/model-definition.ts";
import type { InputOptions } from "./input-options.ts";
import { labelClasses } from "./label-classes.ts";
import { type LabelLayer, rasterLayer, toRasterCrs, vectorLayer } from "./label-layer.ts";
import type { LabelSource } from "./options.ts";
import { noTransform } from "./raster-parts.ts";
import { redescribe } from "./raster-view.ts";
import { near } from "./where-labels-lie.ts";

const RASTER_EXTENSIONS = new Set([".tif", ".tiff", ".vrt", ".png", ".img", ".jp2"]);

export async function openLabels(labels: LabelSource, { onWarning, network = false }: InputOptions): Promise<Features | Raster> {
  if (typeof labels !== "string") return labels;
  if (RASTER_EXTENSIONS.has(extname(labels.replace(/^(https?:[^?#]*).*$/, "$1")).toLowerCase())) return openRaster(labels, { network });
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

export async function asFeatures(source: string | Features): Promise<Features> {
  return typeof source === "string" ? readFeatures(source) : source;
}

/** Imagery alone: no pixel has a class and no chip an object. */
export const NO_LABELS: PreparedLabels = {
  classes: [],
  identity: [],
  layer: () => ({
    burn: async ({ width, height }) => new Uint16Array(width * height),
    burnChip: () => null,
    objects: () => [],
    features: [],
  }),
};

interface PreparedLabels {
  readonly classes: readonly ClassDefinition[];
  readonly identity: readonly unknown[];
  layer(raster: Raster): LabelLayer;
}

export function vectorLabels(labels: Features, options: InputOptions): PreparedLabels {
  const radius = options.bufferRadius === undefined ? null : parseLength(options.bufferRadius);
  const { classes, values } = labelClasses(labels, options);
  const byFeature = new Map(labels.features.map((feature, i) => [feature, values[i]!]));
  return {
    classes,
    identity: [featureIdentity(labels), classes],
    layer(raster) {
      if (raster.transform === null) throw noTransform(raster);
      const close = near(labels, raster);
      const placed = toRasterCrs(close, raster);
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

/** Features with an area of their own or by their buffer, and the others with a geometry. */
export function countAreas({ features }: Features, { bufferRadius }: InputOptions): { with: number; without: number } {
  const flat = ({ type }: Geometry): boolean => type.endsWith("Point") || type.endsWith("LineString");
  const geometries = features.map(({ geometry }) => geometry).filter((geometry) => geometry !== null);
  const without = bufferRadius === undefined ? geometries.filter(flat).length : 0;
  return { with: geometries.length - without, without };
}

export async function rasterLabels(labels: Raster, options: InputOptions): Promise<PreparedLabels> {
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
        hint: "Write the system into the file, or give the raster's, such as `crs: 32633`.",
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

/** Geometry and class of every feature, so that edited labels are told from the former ones. */
export function featureIdentity(features: Features): readonly unknown[] {
  return [features.crs?.proj ?? null, features.features.map(({ geometry, properties }) => [geometry, properties])];
}
