/** A balanced sample of what may be learnt from: torchvision's `BalancedPositiveNegativeSampler`, of fixed size, inside the graph. */

import { constant, randomUniform } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

/** What is sampled, each `[N, candidates]` of 0 and 1. */
export interface Pools {
  readonly positives: tf.Tensor2D;
  readonly negatives: tf.Tensor2D;
}

/** How many are drawn. */
export interface SampleOptions {
  /** Of each image. */
  readonly count: number;
  /** Share of positives, at most. */
  readonly share: number;
  /** int32 scalar. */
  readonly seed: tf.Scalar;
  /** Tells draws of one step apart. */
  readonly id: number;
}

/** Drawn candidates: first room for the positives, then for the negatives. Where there were too few the weight is 0. */
export interface Sample {
  /** int32 `[N, room]`: positions of candidates. */
  readonly indices: tf.Tensor2D;
  /** `[N, room]`, 0 or 1. */
  readonly weights: tf.Tensor2D;
  /** Places with positives come first; there are so many. */
  readonly positiveRoom: number;
}

/** Draws without putting back: positives up to their share, negatives up to the count. Which ones depends on the seed alone. */
export function sampleBalanced({ positives, negatives }: Pools, { count, share, seed, id }: SampleOptions): Sample {
  const [, candidates] = positives.shape;
  const keys = tf.add(randomUniform(positives.shape, seed, id), 1);
  const draw = (pool: tf.Tensor2D, most: number): { indices: tf.Tensor2D; weights: tf.Tensor2D } => {
    const { values, indices } = tf.topk(tf.mul<tf.Tensor2D>(keys, pool), Math.min(most, candidates), true);
    return { indices, weights: tf.cast(tf.greater(values, 0), "float32") as tf.Tensor2D };
  };
  const first = draw(positives, Math.floor(count * share));
  const second = draw(negatives, count);
  const room = second.weights.shape[1];
  const ranks = constant(Float32Array.from({ length: room }, (_, i) => i), [1, room]); // prettier-ignore
  const left = tf.sub(count, tf.sum(first.weights, 1, true));
  const wanted = tf.mul(second.weights, tf.cast(tf.less(ranks, left), "float32"));
  return {
    indices: tf.concat([first.indices, second.indices], 1),
    weights: tf.concat<tf.Tensor2D>([first.weights, wanted as tf.Tensor2D], 1),
    positiveRoom: first.weights.shape[1],
  };
}

/** The sample without its gaps, as far as possible: room for `count` (positives still first). */
export function compacted({ indices, weights, positiveRoom }: Sample, count: number): Sample {
  const [, room] = weights.shape;
  if (room <= count) return { indices, weights, positiveRoom };
  // Of equal values the first counts as the greater: the order stays.
  const { values, indices: places } = tf.topk(weights, count, true);
  return { indices: tf.gather(indices, places, 1, 1), weights: values as tf.Tensor2D, positiveRoom: Math.min(positiveRoom, count) };
}
