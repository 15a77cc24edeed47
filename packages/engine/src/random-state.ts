/**
 * Seeds of random draws that no caller seeds: dropout layers, tf.multinomial. A counter in a variable, so that compiled functions carry it on from
 * run to run and all draws follow from one seed.
 */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { onnxBackend } from "./graph/backend.ts";
import { currentRecording } from "./graph/recording.ts";
import { leaf } from "./graph/value.ts";

const NAME = "geolearn.engine.draws";

const whole = (value: number) => leaf(Int32Array.of(value), [], "int32");

/** The counter; made again when somebody disposed of all variables. */
function counter(): tf.Variable {
  const former = tf.engine().registeredVariables[NAME];
  if (former !== undefined) return former;
  if (currentRecording() !== null) {
    throw new GeoLearnError("ENGINE_FAILED", "the state of the engine's random draws was disposed of (tf.disposeVariables)", {
      hint: "Call seedRandom(seed) before compile().",
    });
  }
  return tf.tidy(() => tf.variable(tf.scalar(0, "int32"), false, NAME));
}

/** Makes the counter before anything is recorded. */
export function prepareRandomState(): void {
  counter();
}

/**
 * Starts the random draws of dropout layers and tf.multinomial anew: the same seed gives the same draws on the same device. They start at 0
 * in each process.
 */
export function seedRandom(seed: number): void {
  if (!Number.isInteger(seed)) throw new GeoLearnError("INVALID_ARGUMENT", `seedRandom: seed is ${seed}; expected a whole number`);
  onnxBackend().replace(counter(), whole(Math.imul(seed, 0x9e3779b1)));
}

/** The seed of the next draw, an int32 scalar; the counter moves on. */
export function nextSeed(): tf.Tensor {
  const variable = counter();
  const seed = variable.clone();
  if (currentRecording() !== null) {
    variable.assign(tf.tidy(() => tf.add(variable, tf.onesLike(variable))));
    return seed;
  }
  const [now] = variable.dataSync();
  onnxBackend().replace(variable, whole((now! + 1) | 0));
  return seed;
}

/** A seed somebody gave, as an int32 scalar. */
export function seedFrom(seed: number): tf.Tensor {
  const bits = new Int32Array(Float64Array.of(seed).buffer);
  return tf.scalar(Math.imul(bits[0]!, 0x9e3779b1) ^ bits[1]!, "int32");
}
