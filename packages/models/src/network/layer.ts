/** What a layer is. */

import type * as tf from "@tensorflow/tfjs";

/** What a layer needs when it runs. */
export interface LayerContext {
  readonly training: boolean;
  /** The tensor of a parameter by name. */
  readonly value: (name: string) => tf.Variable;
}

/** One step of a network, images `[N, H, W, C]`. */
export type Layer = (x: tf.Tensor4D, context: LayerContext) => tf.Tensor4D;

/** One step of a network, a vector for each image `[N, C]`. */
export type VectorLayer = (x: tf.Tensor2D, context: LayerContext) => tf.Tensor2D;

/** One layer behind the other. */
export function chain(...layers: readonly Layer[]): Layer {
  return (x, context) => layers.reduce((y, layer) => layer(y, context), x);
}
