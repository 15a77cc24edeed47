/** Soft Dice over a whole batch. */

import * as tf from "@tensorflow/tfjs";

import { softmaxAndLog } from "./softmax.ts";
import { sumPerChannel } from "./sums.ts";
import type { PreparedTargets } from "./targets.ts";

const TINY = 1e-30;

/**
 * With I the sum of p t and S the sum of p + t over the pixels that count, per class: macro is the mean of 1 - 2 I / S
 * over the classes that occur in the targets (a class nobody labelled has no Dice), micro is 1 - 2 sum(I) / sum(S), both
 * weighted by class. The gradient with respect to a probability is a t + b v (v = 1 where the pixel counts) with one a
 * and one b per class.
 */
export function diceLoss(logits: tf.Tensor4D, { planes, weights }: PreparedTargets, average: "macro" | "micro"): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const { probabilities } = softmaxAndLog(x as tf.Tensor4D);
    const valid = planes.sum(3, true);
    const counts = sumPerChannel(planes);
    const intersection = sumPerChannel(probabilities.mul<tf.Tensor4D>(planes));
    const sizes = sumPerChannel(probabilities.mul<tf.Tensor4D>(valid)).add<tf.Tensor1D>(counts);
    const { loss, slope, level } = average === "macro" ? macro(intersection, sizes, counts, weights) : micro(intersection, sizes, weights);
    (save as tf.GradSaveFunc)([probabilities, planes, valid, slope, level]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [p, t, v, a, b] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
      const toProbability = t.mul(a).add<tf.Tensor4D>(v.mul(b));
      const inner = toProbability.mul(p).sum(3, true);
      return p.mul(toProbability.sub(inner)).mul(dy);
    };
    return { value: loss, gradFunc };
  });
  return compute(logits);
}

interface DiceTerms {
  readonly loss: tf.Scalar;
  /** a per class. */
  readonly slope: tf.Tensor1D;
  /** b per class. */
  readonly level: tf.Tensor1D;
}

function macro(intersection: tf.Tensor1D, sizes: tf.Tensor1D, counts: tf.Tensor1D, weights: tf.Tensor1D): DiceTerms {
  const present = tf.minimum(counts, 1).mul(weights);
  const share = present.div(tf.maximum(present.sum(), TINY));
  const dice = intersection.mul(2).div(tf.maximum(sizes, TINY));
  const loss = share.mul(tf.sub(1, dice)).sum<tf.Scalar>();
  const slope = share.mul(-2).div<tf.Tensor1D>(tf.maximum(sizes, TINY));
  return { loss, slope, level: slope.mul(dice).mul<tf.Tensor1D>(-0.5) };
}

function micro(intersection: tf.Tensor1D, sizes: tf.Tensor1D, weights: tf.Tensor1D): DiceTerms {
  const total = sizes.mul(weights).sum();
  const size = tf.maximum(total, TINY);
  const both = intersection.mul(weights).sum().mul(2);
  const dice = both.div(size);
  // (S - 2 I) / S rather than 1 - 2 I / S: a batch without any pixel that counts then has loss 0.
  const loss = total.sub(both).div<tf.Scalar>(size);
  const slope = weights.mul(-2).div<tf.Tensor1D>(size);
  return { loss, slope, level: slope.mul(dice).mul<tf.Tensor1D>(-0.5) };
}
