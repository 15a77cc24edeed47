/** From options and data to a network with its first weights. */

import { GeoLearnError } from "@geolearn/core";
import type { TileData } from "@geolearn/data-prep";
import {
  adaptWeights,
  backboneNamed,
  type BandNormalization,
  checkChipSize,
  createNetwork,
  definedModel,
  encoderConvention,
  type EncoderWeightsReport,
  loadClassifierWeights,
  loadEncoderWeights,
  type ModelPackage,
  modelTypes,
  type AnyNetwork,
  type NetworkOf,
  ONNX_MODEL_TYPE,
  readModelPackage,
  readWeights,
  type SSDConfig,
  ssdMaps,
  type WeightFile,
} from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import { fittingAnchors } from "./fitting-anchors.ts";
import type { LearnerOptions } from "./options.ts";

/** A network ready to be trained. */
export interface CreatedNetwork<T extends TrainedTask> {
  readonly network: NetworkOf<T>;
  /** Whether the backbone holds weights that were learnt before. */
  readonly backboneLoaded: boolean;
}

/** Fields of geolearn's architectures that pass through to the network. */
const ARCHITECTURE = [
  "backbone",
  "convention",
  "base",
  "depth",
  "widths",
  "decoderWidths",
  "decoderWidth",
  "outputStride",
  "atrousRates",
  "pyramidSizes",
  "dropout",
  "fusion",
  "skips",
  "margin",
  "norm",
  "groups",
  "anchors",
  "objectSizes",
  "fpnWidth",
  "headDepth",
  "variant",
  "maps",
  "reducedTail",
  "preset",
  "boxHeadWidth",
  "maskHeadWidth",
  "maskHeadDepth",
  "candidates",
  "proposals",
  "rpnSamples",
  "rois",
  "detections",
  "thresholds",
] as const;

/** Tasks with networks to train. */
export type TrainedTask = "pixelClassification" | "objectDetection" | "instanceSegmentation" | "objectClassification";

/** What is built when nobody names a network. */
const USUAL: Readonly<Record<TrainedTask, string>> = {
  pixelClassification: "unet",
  objectDetection: "retinanet",
  instanceSegmentation: "mask-rcnn",
  objectClassification: "feature-classifier",
};

/** Builds the network for the data and gives it the weights the options ask for. `startEngine` must have finished. */
export async function createNetworkFor<T extends TrainedTask>(
  data: AnyData & { readonly task: T },
  options: LearnerOptions,
  seed: number,
): Promise<CreatedNetwork<T>> {
  const { pretrained, weights = "random", log } = options;
  const start =
    typeof pretrained === "string" || pretrained instanceof Uint8Array ? await readModelPackage(pretrained) : (pretrained ?? null);
  const modelType = modelTypeOf(options) ?? start?.manifest.modelType ?? USUAL[data.task];
  if (start !== null) refuseOtherNetwork(modelType, start);
  if (definedModel(modelType) === null) refuseConfig(modelType, options);
  else refuseArchitecture(modelType, options);
  const file = start === null && weights !== "random" ? await readWeights(weights, options) : null;
  const chosen = {
    ...presetFor(modelType, data, options, start),
    ...mapsFor(modelType, data, options, { start, file }),
    ...networkConfig(data, options, start),
  };
  const own = start === null && options.anchors === undefined;
  const config = own ? { ...chosen, ...(await fittingAnchors(modelType, chosen, data, options)) } : chosen;
  // Names of one line of networks decide how the encoder pads and normalizes.
  const convention = file === null ? null : encoderConvention(modelType, config, file);
  const network = createNetwork(modelType, convention === null || options.convention ? config : { ...config, convention }, {
    seed,
    task: data.task,
  });
  try {
    if (definedModel(modelType) === null) refuseUnread(modelType, network.config, options);
    checkChipSize(network, data.chipWidth, data.chipHeight, { canBeCut: true });
    if (start !== null) {
      startFromPackage(network, start, data, log);
      return { network, backboneLoaded: true };
    }
    if (file === null) {
      if (typeof network.config["backbone"] === "string")
        log?.(
          `The weights of the ${modelType} are random; nothing is downloaded. Give a file (safetensors, .pth, .onnx) as \`weights\` to start from a trained backbone.`,
        );
      return { network, backboneLoaded: false };
    }
    const report =
      network.task === "objectClassification" ? await loadClassifierWeights(network, file) : await loadEncoderWeights(network, file);
    log?.(loadedLine(report, file.source, data.bands));
    return { network, backboneLoaded: true };
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/** @throws MODEL_NOT_DEFINED for a definition that `defineModel` has not seen; INVALID_ARGUMENT for two different names */
function modelTypeOf({ model, modelType }: LearnerOptions): string | undefined {
  if (model === undefined) return modelType;
  if (modelType !== undefined && modelType !== model.modelType) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The model is "${model.modelType}", and modelType says "${modelType}".`, {
      hint: "Give one of `model` and `modelType`.",
    });
  }
  if (definedModel(model.modelType) === model) return model.modelType;
  throw new GeoLearnError("MODEL_NOT_DEFINED", `The model "${String(model.modelType)}" was not defined.`, {
    hint: "Give what defineModel() gives back.",
    data: { modelType: model.modelType },
  });
}

/** Networks of the same layers, which take each other's weights. */
const SAME_LAYERS: ReadonlySet<string> = new Set(["unet", "change-detector"]);

/** The settings of one network say nothing to another, which would complain of them. @throws WEIGHTS_MISMATCH */
function refuseOtherNetwork(modelType: string, { source, manifest }: ModelPackage): void {
  const held = manifest.modelType;
  if (held === modelType || held === ONNX_MODEL_TYPE || !modelTypes().includes(modelType)) return;
  if (SAME_LAYERS.has(held) && SAME_LAYERS.has(modelType)) return;
  // Networks of one's own may be alike under other names.
  if (definedModel(held) !== null && definedModel(modelType) !== null) return;
  throw new GeoLearnError("WEIGHTS_MISMATCH", `${source} holds a network of type ${held}; ${modelType} was asked for.`, {
    hint: `Start from a package of type ${modelType}, go on with ${held}, or leave out \`pretrained\`.`,
    data: { modelType: held, asked: modelType },
  });
}

/** A setting that nothing reads must not look as if it had a say. */
function refuseConfig(modelType: string, { config }: LearnerOptions): void {
  if (config === undefined) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `config holds the settings of a network of your own; ${modelType} is geolearn's.`, {
    hint: `Give its settings as options of their own: ${ARCHITECTURE.join(", ")}.`,
  });
}

/** As {@link refuseConfig}, of settings of geolearn's other networks: this one was built without them. */
function refuseUnread(modelType: string, config: Readonly<Record<string, unknown>>, options: LearnerOptions): void {
  const reads = (key: string): boolean => key in config && !(Array.isArray(config[key]) && config[key].length === 0);
  const known = ARCHITECTURE.filter(
    (key) => reads(key) || (key === "preset" && WITH_PRESETS.has(modelType)) || ((key === "base" || key === "depth") && reads("widths")),
  );
  const unread = ARCHITECTURE.filter((key) => options[key] !== undefined && !known.includes(key));
  if (unread.length === 0) return;
  const encoder = typeof config["backbone"] === "string" ? ` on ${config["backbone"]}` : "";
  throw new GeoLearnError("INVALID_ARGUMENT", `A ${modelType}${encoder} has no ${unread.join(", no ")}.`, {
    hint: `Its settings are ${known.join(", ")}.`,
    data: { fields: unread },
  });
}

function refuseArchitecture(modelType: string, options: LearnerOptions): void {
  const given = [...ARCHITECTURE, "weights" as const].find((key) => options[key] !== undefined && options[key] !== "random");
  if (given === undefined) return;
  const hint =
    given === "weights"
      ? "Read the file in its `build`, or start from a model package with `pretrained`."
      : "Give the network's own settings in `config`.";
  throw new GeoLearnError("INVALID_ARGUMENT", `${given} is a setting of geolearn's networks; ${modelType} is your own.`, { hint });
}

/** Networks whose defaults come in two sizes. */
const WITH_PRESETS = new Set(["faster-rcnn", "mask-rcnn", "centermask"]);
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

/** Where a network's weights come from. */
interface Sources {
  readonly start: ModelPackage | null;
  readonly file: WeightFile | null;
}

/** What a preset decides. */
const BY_PRESET = [
  ...[
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
  ],
];

function networkConfig(data: AnyData, options: LearnerOptions, start: ModelPackage | null): Record<string, unknown> {
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

/** What was read, what was adapted, and what in the file was left alone. */
function loadedLine({ scheme, loaded, adapted, unused }: EncoderWeightsReport, source: string, bands: number): string {
  const rest = unused.filter((name) => !name.endsWith("num_batches_tracked"));
  const shown = rest.slice(0, 4).join(", ");
  return [
    `${loaded.length} parameters of the backbone were read from ${source} (names of ${scheme})`,
    adapted.length > 0 ? `${adapted.join(", ")} adapted to ${bands} bands` : "",
    rest.length > 0 ? `not used: ${shown}${rest.length > 4 ? ` and ${rest.length - 4} more` : ""}` : "",
  ]
    .filter((part) => part !== "")
    .join("; ")
    .concat(".");
}

function startFromPackage(network: AnyNetwork, start: ModelPackage, data: AnyData, log: LearnerOptions["log"]): void {
  const { loaded, reinitialized } = adaptWeights(network, start, { classes: data.classes });
  log?.(
    `${loaded.length} parameters were taken from ${start.source}${reinitialized.length > 0 ? `; these begin anew: ${reinitialized.join(", ")}` : ""}.`,
  );
}
