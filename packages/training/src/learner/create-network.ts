/** From options and data to a network with its first weights. */

import { GeoLearnError } from "@geolearn/core";
import {
  adaptWeights,
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
} from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import { refuseArchitecture, refuseConfig, refuseUnread } from "./architecture-options.ts";
import { fittingAnchors } from "./fitting-anchors.ts";
import { networkConfig } from "./network-config.ts";
import type { LearnerOptions } from "./options.ts";

/** A network ready to be trained. */
export interface CreatedNetwork<T extends TrainedTask> {
  readonly network: NetworkOf<T>;
  /** Whether the backbone holds weights that were learnt before. */
  readonly backboneLoaded: boolean;
}

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
  const chosen = networkConfig(modelType, data, options, { start, file });
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
