/** Random numbers inside the graph: a hash of seed, place and element, so that a replay with another seed draws others. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";

/**
 * Uniform numbers in [0, 1) with 24 random bits, a pure function of seed, `id` and element.
 *
 * @param seed An int32 scalar, an input of the graph; give each step another.
 * @param id Tells places in the graph apart, e.g. the layer's number.
 */
export function randomUniform(shape: readonly number[], seed: tf.Tensor, id: number): tf.Tensor {
  if (seed.dtype !== "int32" || seed.size !== 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `seed is ${seed.dtype} [${seed.shape.join(", ")}]; expected an int32 scalar`);
  }
  if (!Number.isInteger(id)) throw new GeoLearnError("INVALID_ARGUMENT", `id is ${id}; expected a whole number`);
  return emit("RandomUniform", [seed], { id }, shape);
}

/**
 * Sets a share `rate` of elements to zero and scales the others by `1 / (1 - rate)`. The mask is a function of seed, `id` and element.
 *
 * @param rate In [0, 1).
 * @param seed An int32 scalar, an input of the graph; give each step another.
 * @param id Tells layers apart.
 */
export function dropout<T extends tf.Tensor>(x: T, rate: number, seed: tf.Tensor, id: number): T {
  if (!(rate >= 0 && rate < 1)) throw new GeoLearnError("INVALID_ARGUMENT", `dropout: rate is ${rate}; expected 0 <= rate < 1`);
  if (rate === 0) return x;
  const kept = tf.cast(tf.greaterEqual(randomUniform(x.shape, seed, id), rate), "float32");
  return tf.mul(x, tf.mul(kept, 1 / (1 - rate)));
}
