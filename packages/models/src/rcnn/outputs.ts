/** What the first stage of an R-CNN says, and what its second stage needs. */

import type * as tf from "@tensorflow/tfjs";

import type { LayerContext } from "../network/layer.ts";

/** Outputs of an R-CNN; the finest map is first, anchors lie row by row, those of a cell together. */
export interface RcnnOutputs {
  /** Maps of the pyramid boxes are cut out of, `[N, H, W, channels]` at a quarter to a 32nd of the image. */
  readonly maps: readonly tf.Tensor4D[];
  /** `[N, anchors]` of each of the five levels: whether an anchor is an object, before the logistic function. */
  readonly objectness: readonly tf.Tensor2D[];
  /** `[N, anchors, 4]`: boxes relative to their anchors. */
  readonly deltas: readonly tf.Tensor3D[];
  /** `[N, P, 4]`: where objects may be, the likeliest first; rows without a proposal are 0. They have no gradient. */
  readonly proposals: tf.Tensor3D;
  /** Size of the images. */
  readonly image: { readonly height: number; readonly width: number };
  /** How the pass runs: the heads behind the proposals run when it is known which boxes they are for. */
  readonly context: LayerContext;
}
