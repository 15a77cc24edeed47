/** What an FCOS says of its points. */

import type * as tf from "@tensorflow/tfjs";

/** Outputs of the five levels, the finest first; points lie row by row. */
export interface FcosOutputs {
  /** `[N, points, classes]`: each class for itself, before the logistic function. */
  readonly logits: readonly tf.Tensor3D[];
  /** `[N, points, 4]`: distances to the left, upper, right and lower border, over the level's cell; never negative. */
  readonly boxes: readonly tf.Tensor3D[];
  /** `[N, points, 1]`: how near to the middle of its object a point is, before the logistic function. */
  readonly centreness: readonly tf.Tensor3D[];
  /** Size of the images. */
  readonly image: { readonly height: number; readonly width: number };
}
