/** The loss of pixel classification, from options and data. */

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import type { PixelLossSpec } from "@geolearn/models";

import type { LearnerOptions } from "../../learner/options.ts";

/** A loss, and whether somebody chose it or its class weights. */
export interface ChosenLoss {
  readonly spec: PixelLossSpec;
  readonly chosen: boolean;
}

/** The loss the options describe, with class weights and ignored classes filled in. @throws INVALID_ARGUMENT, CLASS_UNKNOWN */
export function chooseLoss(data: LearningData, options: LearnerOptions): ChosenLoss {
  const given = options.loss ?? "crossEntropy";
  const spec = (typeof given === "string" ? { type: given } : given) as PixelLossSpec;
  const weights = options.classWeights === "balanced" ? data.classWeights() : options.classWeights;
  const classes = data.classes.length;
  if (Array.isArray(weights) && weights.length !== classes) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The loss got ${weights.length} class weights for ${classes} classes.`, {
      hint: "Give one weight per class.",
      data: { field: "classWeights" },
    });
  }
  const ignored = ignoredPositions(data.classes, options.ignoreClasses ?? []);
  const complete = {
    ...spec,
    ...(weights !== undefined && { classWeights: weights }),
    ...(ignored.length > 0 && { ignoredClasses: [...new Set([...(spec.ignoredClasses ?? []), ...ignored])].sort((a, b) => a - b) }),
  };
  return { spec: complete, chosen: options.loss !== undefined || options.classWeights !== undefined };
}

/** Positions of classes that are named, or told by value. @throws CLASS_UNKNOWN */
export function ignoredPositions(classes: readonly ClassDefinition[], ignore: readonly (string | number)[]): number[] {
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
