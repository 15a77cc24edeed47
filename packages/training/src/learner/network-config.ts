/** From options, data and a package to start from to the configuration of a network. */

import { GeoLearnError } from "@geolearn/core";
import type { TileData } from "@geolearn/data-prep";
import { backboneNamed, type BandNormalization, type ModelPackage, type SSDConfig, ssdMaps, type WeightFile } from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import { ARCHITECTURE, WITH_PRESETS } from "./architecture-options.ts";
import type { LearnerOptions } from "./options.ts";

/** Where a network's weights come from. */
export interface Sources {
  readonly start: ModelPackage | null;
  readonly file: WeightFile | null;
}

/** What the network is made from: what was asked for, what the package it starts from had, what fits the data. */
export function networkConfig(modelType: string, data: AnyData, options: LearnerOptions, sources: Sources): Record<string, unknown> {
  return {
    ...presetFor(modelType, data, options, sources.start),
    ...mapsFor(modelType, data, options, sources),
    ...settings(data, options, sources.start),
  };
}

/** Sides up to which chips count as small. */
const SMALL_CHIP = 256;

/** The defaults that fit the chips, where nobody and no package says which. */
function presetFor(modelType: string, data: AnyData, { preset, log }: LearnerOptions, start: ModelPackage | null): { preset?: string } {
  if (!WITH_PRESETS.has(modelType) || preset !== undefined || start !== null) return {};
  const small = Math.max(data.chipWidth, data.chipHeight) <= SMALL_CHIP;
  if (small) log?.(`The ${modelType} has the widths of \`preset: "compact"\`, for small chips; "full" has torchvision's.`);
  return { preset: small ? "compact" : "full" };
}

/** The maps of a SingleShotDetector that fit the chips, where nobody and no package says which; with trained weights an encoder that takes them. */
function mapsFor(modelType: string, data: AnyData, options: LearnerOptions, { start, file }: Sources): Partial<SSDConfig> {
  if (modelType !== "ssd" || start !== null) return {};
  const { variant, maps, reducedTail } = options;
  const anchors = options.anchors as SSDConfig["anchors"];
  const image = { width: data.chipWidth, height: data.chipHeight };
  return {
    ...(maps === undefined
      ? { maps: ssdMaps(image, { ...(variant === undefined ? {} : { variant }), ...(anchors === undefined ? {} : { anchors }) }) }
      : {}),
    ...(file !== null && reducedTail === undefined ? { reducedTail: false } : {}),
  };
}

/** What a preset decides. */
const BY_PRESET = [
  "anchors",
  "objectSizes",
  "fpnWidth",
  "headDepth",
  "boxHeadWidth",
  "maskHeadWidth",
  "maskHeadDepth",
  "candidates",
  "proposals",
  "rpnSamples",
  "rois",
  "detections",
];

/** The settings given and inherited, and what the data decide. */
function settings(data: AnyData, options: LearnerOptions, start: ModelPackage | null): Record<string, unknown> {
  const architecture = ARCHITECTURE.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]);
  const chosen: Record<string, unknown> = { ...options.config, ...Object.fromEntries(architecture) };
  // Filters of one kind replace those of the package, which would otherwise win over `base` and `depth`.
  const inherited: Record<string, unknown> = { ...start?.manifest.config };
  const { backbone } = options;
  const another = backbone !== undefined && (backbone === null ? null : (backboneNamed(backbone) ?? backbone)) !== inherited["backbone"];
  if (chosen["base"] !== undefined || chosen["depth"] !== undefined || another) delete inherited["widths"];
  if (options.preset !== undefined) for (const key of BY_PRESET) delete inherited[key];
  if (another) {
    delete inherited["decoderWidths"];
    delete inherited["convention"];
    delete inherited["dropout"];
  }
  const several = data.task === "objectClassification" ? { multiLabel: (data as unknown as TileData).multiLabel } : {};
  // Thresholds are those of certain classes.
  const alike = start !== null && sameClasses(start.manifest.classes, data.classes) && inherited["multiLabel"] === several.multiLabel;
  if (!alike) delete inherited["thresholds"];
  // Weights belong to the constants they were learnt with: only for other bands are there new ones.
  const kept = start !== null && inherited["bands"] === data.bands ? inherited["normalization"] : undefined;
  const normalization = options.normalization === undefined ? (kept ?? measured(data)) : normalizationFor(data, options.normalization);
  return { ...inherited, ...chosen, ...several, bands: data.bands, classes: data.classes.length, normalization };
}

function sameClasses(a: AnyData["classes"], b: AnyData["classes"]): boolean {
  return a.length === b.length && a.every(({ value, name }, i) => value === b[i]!.value && name === b[i]!.name);
}

function measured({ statistics }: AnyData): BandNormalization {
  return { mean: statistics.map(({ mean }) => mean), std: statistics.map(({ std }) => std) };
}

/** Means and deviations of ImageNet's red, green and blue, 0 to 255. */
const IMAGENET: BandNormalization = { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] };

function normalizationFor(data: AnyData, given: NonNullable<LearnerOptions["normalization"]>): BandNormalization {
  if (given === "data") return measured(data);
  if (given !== "imagenet") return given;
  if (data.bands === 3 && data.sampleType === "uint8") return IMAGENET;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `ImageNet's constants are for red, green and blue of 8 bits; the chips have ${data.bands} bands of ${data.sampleType}.`,
    {
      hint: 'Use `normalization: "data"`, which brings every band to mean 0 and deviation 1, as ImageNet\'s constants do for photographs.',
    },
  );
}
