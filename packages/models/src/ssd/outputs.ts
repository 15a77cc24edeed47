/** What a SingleShotDetector says of its anchors. */

import type * as tf from "@tensorflow/tfjs";

import type { Grid } from "../detection/anchors.ts";

/** Outputs of all maps, the finest first; anchors lie row by row, those of a cell together. */
export interface SSDOutputs {
  /** `[N, anchors, 1 + classes]`, background first: before softmax. */
  readonly logits: readonly tf.Tensor3D[];
  /** `[N, anchors, 4]`: boxes relative to their anchors, shifts ten and growths five times as large as they are. */
  readonly boxes: readonly tf.Tensor3D[];
  /** Cells of each map. */
  readonly grids: readonly Grid[];
  /** Size of the images. */
  readonly image: Grid;
}
