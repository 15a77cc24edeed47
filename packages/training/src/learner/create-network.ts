/** From options and data to a network with its first weights, and to its loss. */

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import {
  adaptWeights,
  checkChipSize,
  createNetwork,
  loadEncoderWeights,
  type ModelPackage,
  type Network,
  type PixelLossSpec,
  readModelPackage,
} from "@geolearn/models";

import type { LearnerOptions } from "./options.ts";

/** A network ready to be trained. */
export interface CreatedNetwork {
  readonly network: Network;
  /** Whether the backbone holds weights that were learnt before. */
  readonly backboneLoaded: boolean;
}

/** Fields of the architecture that pass through to the network. */
const ARCHITECTURE = ["backbone", "base", "depth", "widths", "decoderWidths", "skips", "margin", "norm", "groups"] as const;

/** Builds the network for the data and gives it the weights the options ask for. `startEngine` must have finished. */
export async function createNetworkFor(data: LearningData, options: LearnerOptions, seed: number): Promise<CreatedNetwork> {
  const { pretrained, weights = "random", log } = options;
  const start = pretrained === undefined ? null : await readModelPackage(pretrained);
  const modelType = options.modelType ?? start?.manifest.modelType ?? "unet";
  const network = createNetwork(modelType, networkConfig(data, options, start), { seed });
  try {
    checkChipSize(network, data.chipWidth, data.chipHeight);
    if (start !== null) {
      startFromPackage(network, start, data, log);
      return { network, backboneLoaded: true };
    }
    if (weights === "random") {
      if (options.backbone)
        log?.(
          `The weights of the ${modelType} are random; nothing is downloaded. Give a file (safetensors, .pth, .onnx) as \`weights\` to start from a trained backbone.`,
        );
      return { network, backboneLoaded: false };
    }
    const { loaded, adapted } = await loadEncoderWeights(network, weights, options);
    log?.(
      `${loaded.length} parameters of the backbone were read from ${weights.replace(/[?#].*/s, "")}${adapted.length > 0 ? `; ${adapted.join(", ")} adapted to ${data.bands} bands` : ""}.`,
    );
    return { network, backboneLoaded: true };
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function networkConfig(data: LearningData, options: LearnerOptions, start: ModelPackage | null): Record<string, unknown> {
  const chosen = Object.fromEntries(ARCHITECTURE.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
  // Filters of one kind replace those of the package, which would otherwise win over `base` and `depth`.
  const inherited: Record<string, unknown> = { ...start?.manifest.config };
  if (chosen["base"] !== undefined || chosen["depth"] !== undefined || chosen["backbone"] !== undefined) delete inherited["widths"];
  if (chosen["backbone"] !== undefined) delete inherited["decoderWidths"];
  // Weights belong to the constants they were learnt with: only for other bands are there new ones.
  const kept = start !== null && inherited["bands"] === data.bands ? inherited["normalization"] : undefined;
  const measured = { mean: data.statistics.map(({ mean }) => mean), std: data.statistics.map(({ std }) => std) };
  return { ...inherited, ...chosen, bands: data.bands, classes: data.classes.length, normalization: kept ?? measured };
}

function startFromPackage(network: Network, start: ModelPackage, data: LearningData, log: LearnerOptions["log"]): void {
  const { loaded, reinitialized } = adaptWeights(network, start, { classes: data.classes });
  log?.(
    `${loaded.length} parameters were taken from ${start.source}${reinitialized.length > 0 ? `; these begin anew: ${reinitialized.join(", ")}` : ""}.`,
  );
}

/** The loss the options describe, with class weights and ignored classes filled in. */
export function lossSpec(data: LearningData, options: LearnerOptions): PixelLossSpec {
  const given = options.loss ?? "crossEntropy";
  const spec: PixelLossSpec = typeof given === "string" ? { type: given } : given;
  const weights = options.classWeights === "balanced" ? data.classWeights() : options.classWeights;
  const ignored = ignoredPositions(data.classes, options.ignoreClasses ?? []);
  return {
    ...spec,
    ...(weights !== undefined && { classWeights: weights }),
    ...(ignored.length > 0 && { ignoredClasses: [...new Set([...(spec.ignoredClasses ?? []), ...ignored])].sort((a, b) => a - b) }),
  };
}

function ignoredPositions(classes: readonly ClassDefinition[], ignore: readonly (string | number)[]): number[] {
  return ignore.map((wanted) => {
    const at = classes.findIndex(({ name, value }) =>
      typeof wanted === "number" ? value === wanted : name === wanted || String(value) === wanted,
    );
    if (at >= 0) return at;
    throw new GeoLearnError("CLASS_UNKNOWN", `There is no class ${JSON.stringify(wanted)} to ignore.`, {
      hint: `The classes are ${classes.map(({ name, value }) => `"${name}" (${value})`).join(", ")}.`,
    });
  });
}
