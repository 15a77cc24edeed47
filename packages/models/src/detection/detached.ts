/** Values a loss uses but does not train. */

import * as tf from "@tensorflow/tfjs";

/** What `make` computes, without a gradient for anything it is computed from: torch's `detach`. */
export function detached<T extends tf.Tensor>(make: () => T): T {
  // An operation of no inputs: nothing of it is on the tape.
  const compute = tf.customGrad(() => ({ value: make(), gradFunc: () => [] }));
  return compute() as T;
}
