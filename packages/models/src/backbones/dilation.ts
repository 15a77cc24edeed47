/** How layers of an encoder step when its maps are kept large. */

import type { OutputStride } from "./backbone.ts";

/** Stride and dilation of a convolution. */
export interface Step {
  readonly stride: number;
  readonly dilation: number;
}

/**
 * The step of a layer that would move by `stride`, on the way to map `level` (1 is half the image, 5 a 32nd). Where that map would be smaller than the
 * image by more than `outputStride`, the layer does not move and its taps lie as much further apart: every layer of the level, the first one as well, as
 * in segmentation_models_pytorch.
 */
export function stepOf(level: number, stride: number, outputStride: OutputStride): Step {
  const usual = 2 ** level;
  return usual <= outputStride ? { stride, dilation: 1 } : { stride: 1, dilation: usual / outputStride };
}
