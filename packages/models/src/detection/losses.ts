/** Sums of losses over anchors, each with a weight of its own. */

import * as tf from "@tensorflow/tfjs";

import { halves } from "./boxes.ts";

/** Share of the positive side (Lin et al. 2017, https://arxiv.org/abs/1708.02002). */
const ALPHA = 0.25;

/**
 * Focal loss of independent classes (sigmoid) with gamma 2, summed: `alpha q^2 ce`, where q is the probability the network gives to what is wrong and
 * ce = -log(1 - q). Its gradient is written out, `-alpha q^2 (2 (1 - q) ce + q)` towards what is right, so that few maps of this size are kept.
 *
 * @param logits `[N, anchors, classes]`
 * @param targets 0 or 1, of the same shape
 * @param weights `[N, anchors, 1]`
 */
export function focalSum(logits: tf.Tensor3D, targets: tf.Tensor3D, weights: tf.Tensor3D): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const away = tf.sub(1, tf.mul(targets, 2));
    const wrong = tf.mul(x as tf.Tensor3D, away);
    const q = tf.sigmoid(wrong);
    const ce = tf.softplus(wrong);
    const focus = tf.mul(tf.mul(tf.square(q), tf.add(tf.mul(targets, 2 * ALPHA - 1), 1 - ALPHA)), weights);
    const value = tf.sum(tf.mul(focus, ce)) as tf.Scalar;
    (save as tf.GradSaveFunc)([q, ce, focus, away]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [qAgain, ceAgain, focusAgain, awayAgain] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const slope = tf.add(tf.mul(tf.mul(tf.sub(1, qAgain), ceAgain), 2), qAgain);
      return tf.mul(tf.mul(tf.mul(focusAgain, slope), awayAgain), dy);
    };
    return { value, gradFunc };
  });
  return compute(logits);
}

/** Sum of weighted absolute differences; where there is none the gradient is 0, as in PyTorch. */
export function absoluteSum(difference: tf.Tensor3D, weights: tf.Tensor3D): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const value = tf.sum(tf.mul(tf.abs(x as tf.Tensor3D), weights)) as tf.Scalar;
    (save as tf.GradSaveFunc)([x as tf.Tensor, weights]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => tf.mul(tf.mul(tf.sign(saved[0]!), saved[1]!), dy);
    return { value, gradFunc };
  });
  return compute(difference);
}

/**
 * Sum of weighted smooth absolute differences (torch.nn.functional.smooth_l1_loss): half the square over `beta` below it, the difference less half of
 * `beta` above.
 */
export function smoothSum(difference: tf.Tensor, weights: tf.Tensor, beta: number): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const size = tf.abs(x as tf.Tensor);
    const near = tf.minimum(size, beta);
    const value = tf.sum(tf.mul(tf.mul(tf.mul(near, tf.sub(size, tf.mul(near, 0.5))), 1 / beta), weights)) as tf.Scalar;
    (save as tf.GradSaveFunc)([x as tf.Tensor, weights]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.mul(tf.mul(tf.clipByValue(tf.mul(saved[0]!, 1 / beta), -1, 1), saved[1]!), dy);
    return { value, gradFunc };
  });
  return compute(difference) as tf.Scalar;
}

/** Sum of weighted cross-entropies of yes and no (torch.nn.functional.binary_cross_entropy_with_logits); weights broadcast. */
export function logisticSum(logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor): tf.Scalar {
  const compute = tf.customGrad((x, save) => {
    const given = x as tf.Tensor;
    const value = tf.sum(tf.mul(tf.sub(tf.softplus(given), tf.mul(given, targets)), weights)) as tf.Scalar;
    (save as tf.GradSaveFunc)([given, targets, weights]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [again, right, each] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      return tf.mul(tf.mul(tf.sub(tf.sigmoid(again), right), each), dy);
    };
    return { value, gradFunc };
  });
  return compute(logits) as tf.Scalar;
}

/** Keeps quotients of areas finite. */
const SMALLEST_AREA = 1e-7;

/**
 * Sum of weighted losses of boxes by their generalized intersection over union (Rezatofighi et al. 2019, https://arxiv.org/abs/1902.09630): 1 less the
 * common part of both, and the part of the box around both that neither fills. As torchvision's `generalized_box_iou_loss`.
 *
 * @param boxes `[N, anchors, 4]`: xmin, ymin, xmax, ymax
 * @param targets of the same shape; every box has an area
 * @param weights `[N, anchors, 1]`
 */
export function giouSum(boxes: tf.Tensor3D, targets: tf.Tensor3D, weights: tf.Tensor3D): tf.Scalar {
  const [[low, high], [lowOfTarget, highOfTarget]] = [halves(boxes), halves(targets)];
  const area = (from: tf.Tensor, to: tf.Tensor): tf.Tensor => product(tf.sub(to, from));
  const common = product(tf.relu(tf.sub(tf.minimum(high, highOfTarget), tf.maximum(low, lowOfTarget))));
  const union = tf.sub(tf.add(area(low, high), area(lowOfTarget, highOfTarget)), common);
  const around = area(tf.minimum(low, lowOfTarget), tf.maximum(high, highOfTarget));
  const overlap = tf.div(common, tf.add(union, SMALLEST_AREA));
  const empty = tf.div(tf.sub(around, union), tf.add(around, SMALLEST_AREA));
  return tf.sum(tf.mul(tf.add(tf.sub(1, overlap), empty), weights)) as tf.Scalar;
}

/** Of sides `[N, anchors, 2]` the area `[N, anchors, 1]`. */
function product(sides: tf.Tensor): tf.Tensor {
  const [n, count] = sides.shape as [number, number, number];
  return tf.mul(tf.slice(sides, [0, 0, 0], [n, count, 1]), tf.slice(sides, [0, 0, 1], [n, count, 1]));
}
