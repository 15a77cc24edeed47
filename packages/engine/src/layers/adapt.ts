/**
 * What plain scripts of tf.layers need from the engine beyond kernels. Random layers draw in JavaScript there, which cannot be recorded; training
 * and prediction loops read nothing between batches, so that a whole epoch would become one graph. The methods concerned are wrapped, once; on
 * another backend than the engine's they do what they did.
 */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME, OnnxBackend } from "../graph/backend.ts";
import { currentRecording } from "../graph/recording.ts";
import { adaptConvolutions } from "./convolution.ts";
import { adaptRandomLayers } from "./random.ts";
import { type Method, wrap } from "./wrap.ts";

let adapted = false;

/** Wraps the methods, once per process. */
export function adaptLayers(): void {
  if (adapted) return;
  adapted = true;
  adaptOptimizers();
  adaptModels();
  adaptConvolutions();
  adaptRandomLayers();
}

/** Runs what waits, unless something is being recorded: the end of a step, of a batch. */
function cut(): void {
  if (currentRecording() !== null || tf.getBackend() !== BACKEND_NAME) return;
  const backend = tf.engine().registry[BACKEND_NAME];
  if (backend instanceof OnnxBackend) backend.flush();
}

/** After each update of weights. `minimize` calls `applyGradients`, whose gradients need not be read out. */
function adaptOptimizers(): void {
  let minimizing = 0;
  wrap(tf.Optimizer.prototype, "minimize", (minimize) => function (this: unknown, ...given) {
    minimizing++;
    let result: unknown;
    try {
      result = minimize.apply(this, given);
    } finally {
      minimizing--;
    }
    cut();
    return result;
  }); // prettier-ignore
  const optimizers = [
    tf.SGDOptimizer,
    tf.MomentumOptimizer,
    tf.AdagradOptimizer,
    tf.AdadeltaOptimizer,
    tf.AdamOptimizer,
    tf.AdamaxOptimizer,
    tf.RMSPropOptimizer,
  ];
  for (const { prototype } of optimizers) {
    if (!Object.hasOwn(prototype, "applyGradients")) continue;
    wrap(prototype, "applyGradients", (apply) => function (this: unknown, ...given) {
      // Momentum calls its parent's? Each level ends alike, and cutting twice is cutting once.
      const result = apply.apply(this, given);
      if (minimizing === 0) cut();
      return result;
    }); // prettier-ignore
  }
}

interface Loops {
  testFunction: Method;
  readonly outputs: readonly unknown[];
}

/** After each batch of an evaluation or a prediction. */
function adaptModels(): void {
  wrap(tf.LayersModel.prototype, "makeTestFunction", (make) => function (this: Loops, ...given) {
    make.apply(this, given);
    const test = this.testFunction;
    this.testFunction = (...data) => {
      const result = test(...data);
      cut();
      return result;
    };
  }); // prettier-ignore
  wrap(tf.LayersModel.prototype, "predictLoop", (predict) => function (this: Loops, ...given) {
    const [ins, batchSize = 32, verbose = false] = given as [tf.Tensor | tf.Tensor[], number?, boolean?];
    const inputs = Array.isArray(ins) ? ins : [ins];
    const count = inputs[0]?.shape[0];
    if (tf.getBackend() !== BACKEND_NAME || currentRecording() !== null || count === undefined || count <= batchSize) {
      const result = predict.apply(this, given);
      cut();
      return result;
    }
    return tf.tidy(() => {
      const batches: tf.Tensor[][] = [];
      for (let start = 0; start < count; start += batchSize) {
        const size = Math.min(batchSize, count - start);
        const part = inputs.map((x) => tf.slice(x, [start], [size]));
        const outs = predict.apply(this, [Array.isArray(ins) ? part : part[0], batchSize, verbose]) as tf.Tensor | tf.Tensor[];
        cut();
        batches.push(Array.isArray(outs) ? outs : [outs]);
      }
      const joined = batches[0]!.map((_, i) => tf.concat(batches.map((outs) => outs[i]!), 0)); // prettier-ignore
      return joined.length === 1 ? joined[0]! : joined;
    });
  }); // prettier-ignore
}
