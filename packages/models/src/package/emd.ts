/**
 * The `.emd` of a model package: Esri's keys, so that people and tools that know ArcGIS read what the model is, and one
 * key of our own, `GeoLearn`, from which the model is opened again.
 */

import type { ModelManifest } from "../manifest.ts";
import { FORMAT_VERSION } from "./manifest-schema.ts";

/** Our key in the `.emd`. */
export const OWN_KEY = "GeoLearn";

/** Our key for the file with the network's graph, where it stands beside weights. */
export const GRAPH_KEY = "GraphFile";

/** Esri's words for the tasks. */
const ESRI_TYPES = {
  pixelClassification: "ImageClassification",
  objectDetection: "ObjectDetection",
  instanceSegmentation: "InstanceDetection",
  objectClassification: "ObjectClassification",
} as const;

/** Esri's word for a task. */
export function esriModelType(task: ModelManifest["task"]): string {
  return ESRI_TYPES[task];
}

/** The task behind Esri's word, or null. */
export function taskOfEsriModelType(word: string): ModelManifest["task"] | null {
  const found = Object.entries(ESRI_TYPES).find(([, esri]) => esri.toLowerCase() === word.toLowerCase());
  return found ? (found[0] as ModelManifest["task"]) : null;
}

/** Text of the `.emd`; `modelFile` and `graphFile` are the names of weights and graph beside it. */
export function emdOf(manifest: ModelManifest, modelFile: string, graphFile: string | null): string {
  const { statistics, resolution, graph } = manifest;
  const margin = graph?.margin ?? (typeof manifest.config["margin"] === "number" ? manifest.config["margin"] : 0);
  const emd = {
    Framework: "GeoLearn",
    ModelConfiguration: manifest.modelType,
    ModelType: esriModelType(manifest.task),
    ModelFile: modelFile,
    ...(graphFile === null ? {} : { [GRAPH_KEY]: graphFile }),
    ModelName: manifest.name,
    ModelFormat: graph?.layout ?? "NHWC",
    ModelParameters: { backbone: manifest.backbone },
    ImageHeight: manifest.chipHeight,
    ImageWidth: manifest.chipWidth,
    ModelPadding: margin,
    BatchSize: 4,
    ExtractBands: manifest.bandIndices,
    Bands: manifest.bandNames,
    IsMultispectral: manifest.bandIndices.length !== 3 || manifest.sampleType !== "uint8",
    ...statisticsKeys(statistics),
    ImageSpaceUsed: "MAP_SPACE",
    // Metres on the ground, whatever the training raster's reference system.
    ...(resolution === null ? {} : { MinCellSize: { x: resolution, y: resolution }, MaxCellSize: { x: resolution, y: resolution } }),
    Classes: manifest.classes.map(({ value, name, color }) => ({ Value: value, Name: name, Color: color })),
    ...cropKeys(manifest),
    ...metricKeys(manifest),
    [OWN_KEY]: { formatVersion: FORMAT_VERSION, ...manifest },
  };
  return `${JSON.stringify(emd, null, 2)}\n`;
}

/** Nothing where no statistics are known. */
function statisticsKeys(statistics: ModelManifest["statistics"]): Record<string, unknown> {
  if (statistics.length === 0) return {};
  return {
    DataRange: [Math.min(...statistics.map((s) => s.min)), Math.max(...statistics.map((s) => s.max))],
    NormalizationStats: {
      band_min_values: statistics.map((s) => s.min),
      band_max_values: statistics.map((s) => s.max),
      band_mean_values: statistics.map((s) => s.mean),
      band_std_values: statistics.map((s) => s.std),
    },
  };
}

/** How chips around features were cut, in Esri's words. */
function cropKeys({ crop }: ModelManifest): Record<string, unknown> {
  if (crop === undefined) return {};
  return { CropSizeFixed: crop.mode === "fixedSize" ? 1 : 0, BlackenAroundFeature: crop.blacken ? 1 : 0 };
}

/** `accuracy` and `per_class_metrics` (JSON inside a string, as Esri writes it) when the metrics have them. */
function metricKeys({ metrics }: ModelManifest): Record<string, unknown> {
  const { pixelAccuracy, accuracy = pixelAccuracy, classes } = metrics;
  return {
    ...(typeof accuracy === "number" ? { accuracy } : {}),
    ...(Array.isArray(classes) ? { per_class_metrics: JSON.stringify(classes) } : {}),
  };
}
