/** Focal loss: cross-entropy in which pixels the network is sure of count less. */

import * as tf from "@tensorflow/tfjs";

import { safeDivide, softmaxAndLog } from "./softmax.ts";
import { sumAll } from "./sums.ts";
import type { PreparedTargets } from "./targets.ts";

/**
 * With p the probability of the right class and q = 1 - p: sum of w * -(q^gamma log p) over the sum of w. Its gradient
 * with respect to the logits is w (gamma q^(gamma-1) p log p - q^gamma) (t - p_c) over that sum. q is summed from the
 * other classes, which keeps its digits where p is almost 1.
 */
export function focalLoss(logits: tf.Tensor4D, { planes, weights, unweighted }: PreparedTargets, gamma: number): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const weighted = unweighted ? planes : planes.mul<tf.Tensor4D>(weights);
    const total = sumAll(weighted);
    const { probabilities, logarithms } = softmaxAndLog(x as tf.Tensor4D);
    const logRight = logarithms.mul(planes).sum(3, true);
    const others = probabilities.mul(tf.sub(1, planes)).sum(3, true);
    const pixelWeights = weighted.sum(3, true);
    const focus = power(others, gamma);
    const value = safeDivide(sumAll(focus.mul(logRight).mul<tf.Tensor4D>(pixelWeights)).neg(), total);
    (save as tf.GradSaveFunc)([probabilities, planes, pixelWeights, logRight, others, total]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [p, t, w, logP, q, sum] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Scalar];
      const focusAgain = power(q, gamma);
      const slope =
        gamma === 0
          ? focusAgain.neg()
          : power(q, gamma - 1)
              .mul(gamma)
              .mul(p.mul(t).sum(3, true))
              .mul(logP)
              .sub(focusAgain);
      return t
        .sub(p)
        .mul(slope.mul(w))
        .mul(safeDivide(dy as tf.Scalar, sum));
    };
    return { value, gradFunc };
  });
  return compute(logits);
}

/** q^exponent for q in [0, 1]; a negative exponent meets a factor log p, which is 0 where q is. */
function power(q: tf.Tensor, exponent: number): tf.Tensor {
  if (exponent === 0) return tf.onesLike(q);
  if (exponent === 1) return q;
  if (exponent === 2) return q.square();
  return tf.pow(tf.maximum(q, 1e-12), exponent);
}
