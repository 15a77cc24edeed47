/** Targets as the losses use them: one plane per class, empty where a pixel does not count. */

import { GeoLearnError } from "@geolearn/core";
import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

/** Which pixels count, and how much. */
export interface TargetRule {
  readonly classWeights: readonly number[] | null;
  /** Targets that do not count. */
  readonly ignored: ReadonlySet<number>;
}

/** Targets of a batch beside its logits. */
export interface PreparedTargets {
  /** 1 in the plane of a pixel's class, 0 elsewhere and where the pixel does not count; `[N, H, W, classes]`. */
  readonly planes: tf.Tensor4D;
  /** Weight of each class, 0 where ignored; `[classes]`, a constant. */
  readonly weights: tf.Tensor1D;
  /** True when every class that counts has weight 1. */
  readonly unweighted: boolean;
}

/** @throws INVALID_ARGUMENT when class weights and logits, or logits and targets, do not fit */
export function prepareTargets(logits: tf.Tensor4D, targets: tf.Tensor3D, { classWeights, ignored }: TargetRule): PreparedTargets {
  const [n, height, width, classes] = logits.shape;
  if (classWeights !== null && classWeights.length !== classes) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The loss got ${classWeights.length} class weights for ${classes} classes.`, {
      hint: "Give one weight per class.",
    });
  }
  if (targets.rank !== 3 || targets.shape[0] !== n || targets.shape[1] !== height || targets.shape[2] !== width) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The loss got logits [${logits.shape.join(", ")}] and targets [${targets.shape.join(", ")}].`,
      {
        hint: "Cut the targets by the network's margin before the loss.",
      },
    );
  }
  // Numbers that are no position of a class, -1 among them, have no plane.
  const every = tf.oneHot(targets, classes, 1, 0, "float32") as unknown as tf.Tensor4D;
  const counts = Float32Array.from({ length: classes }, (_, c) => (ignored.has(c) ? 0 : 1));
  const planes = counts.includes(0) ? every.mul<tf.Tensor4D>(constant(counts, [classes])) : every;
  const weights = counts.map((count, c) => count * (classWeights?.[c] ?? 1));
  return { planes, weights: constant(weights, [classes]) as tf.Tensor1D, unweighted: classWeights === null };
}
