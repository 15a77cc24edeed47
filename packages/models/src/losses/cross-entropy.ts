/** Cross-entropy with class weights. */

import * as tf from "@tensorflow/tfjs";

import { safeDivide, softmaxAndLog } from "./softmax.ts";
import { sumAll } from "./sums.ts";
import type { PreparedTargets } from "./targets.ts";

/** Sum of w * -log p over the sum of w; the gradient with respect to a pixel's logits is w (p - t) over that sum. */
export function crossEntropy(logits: tf.Tensor4D, { planes, weights, unweighted }: PreparedTargets): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const weighted = unweighted ? planes : planes.mul<tf.Tensor4D>(weights);
    const total = sumAll(weighted);
    const { probabilities, logarithms } = softmaxAndLog(x as tf.Tensor4D);
    (save as tf.GradSaveFunc)([probabilities, weighted, total]);
    const value = safeDivide(sumAll(logarithms.mul(weighted)).neg(), total);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [p, w, sum] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Scalar];
      return p
        .mul(w.sum(3, true))
        .sub(w)
        .mul(safeDivide(dy as tf.Scalar, sum));
    };
    return { value, gradFunc };
  });
  return compute(logits);
}
