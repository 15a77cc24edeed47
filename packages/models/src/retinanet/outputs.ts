/** What a RetinaNet says of its anchors. */

import type * as tf from "@tensorflow/tfjs";

/** Outputs of the five levels, the finest first; anchors lie row by row, those of a cell together. */
export interface RetinaNetOutputs {
  /** `[N, anchors, classes]`: each class for itself, before the logistic function. */
  readonly logits: readonly tf.Tensor3D[];
  /** `[N, anchors, 4]`: boxes relative to their anchors. */
  readonly boxes: readonly tf.Tensor3D[];
  /** Size of the images. */
  readonly image: { readonly height: number; readonly width: number };
}
