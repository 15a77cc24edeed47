/** Options that are settings of geolearn's networks, and which of them a network reads. */

import { GeoLearnError } from "@geolearn/core";

import type { LearnerOptions } from "./options.ts";

/** Fields of geolearn's architectures that pass through to the network. */
export const ARCHITECTURE = [
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

/** Networks whose defaults come in two sizes. */
export const WITH_PRESETS = new Set(["faster-rcnn", "mask-rcnn", "centermask"]);

/** A setting that nothing reads must not look as if it had a say. */
export function refuseConfig(modelType: string, { config }: LearnerOptions): void {
  if (config === undefined) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `config holds the settings of a network of your own; ${modelType} is geolearn's.`, {
    hint: `Give its settings as options of their own: ${ARCHITECTURE.join(", ")}.`,
  });
}

/** As {@link refuseConfig}, of settings of geolearn's other networks: this one was built without them. */
export function refuseUnread(modelType: string, config: Readonly<Record<string, unknown>>, options: LearnerOptions): void {
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

export function refuseArchitecture(modelType: string, options: LearnerOptions): void {
  const given = [...ARCHITECTURE, "weights" as const].find((key) => options[key] !== undefined && options[key] !== "random");
  if (given === undefined) return;
  const hint =
    given === "weights"
      ? "Read the file in its `build`, or start from a model package with `pretrained`."
      : "Give the network's own settings in `config`.";
  throw new GeoLearnError("INVALID_ARGUMENT", `${given} is a setting of geolearn's networks; ${modelType} is your own.`, { hint });
}
