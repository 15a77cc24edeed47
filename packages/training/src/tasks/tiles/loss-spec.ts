/** The loss of classifying whole chips, from options and data. */

import { GeoLearnError, showValue } from "@geolearn/core";
import type { TileData } from "@geolearn/data-prep";
import type { TileLossSpec } from "@geolearn/models";

import type { LearnerOptions } from "../../learner/options.ts";

/** Cross-entropy where a chip has one class, binary cross-entropy where it may have several, with the options' class weights. @throws INVALID_ARGUMENT */
export function chooseTileLoss(data: TileData, { loss, classWeights, ignoreClasses }: LearnerOptions): TileLossSpec {
  const usual = data.multiLabel ? "binaryCrossEntropy" : "crossEntropy";
  const spec = typeof loss === "object" ? loss : { type: loss ?? usual };
  if (spec.type !== usual) {
    const what = data.multiLabel ? "chips may have several classes" : "a chip has one class";
    throw new GeoLearnError("INVALID_ARGUMENT", `The loss of type ${showValue(spec.type)} does not fit data in which ${what}.`, {
      hint: `Leave out \`loss\`, or give \`loss: "${usual}"\`, with settings \`loss: { type: "${usual}" }\`.`,
      data: { field: "loss" },
    });
  }
  if (ignoreClasses !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "`ignoreClasses` is a setting of the Learner of pixel classification.", {
      hint: "Give `ignoreClasses` to prepareData().",
    });
  }
  const foreign = Object.keys(spec).find(
    (key) => !(data.multiLabel ? ["type", "classWeights"] : ["type", "classWeights", "labelSmoothing"]).includes(key),
  );
  if (foreign !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The loss of classified chips has no setting \`${foreign}\`.`, {
      hint: "It knows `classWeights`, and `labelSmoothing` where a chip has one class.",
      data: { field: foreign },
    });
  }
  const weights = (classWeights === "balanced" ? data.classWeights() : classWeights) ?? (spec as TileLossSpec).classWeights;
  const classes = data.classes.length;
  if (weights && weights.length !== classes) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The loss got ${weights.length} class weights for ${classes} classes.`, {
      hint: "Give one weight per class.",
      data: { field: "classWeights" },
    });
  }
  return { ...(spec as TileLossSpec), ...(weights && { classWeights: weights }) };
}
