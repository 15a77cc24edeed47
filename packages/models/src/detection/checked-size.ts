/** The check of what enters a detector. */

import { GeoLearnError } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";

import { checkChipSize, type ChipSizeRule } from "../network/chip-size.ts";
import type { Grid } from "./anchors.ts";

/**
 * Rows and columns of images `[N, height, width, bands]` a network can take.
 *
 * @throws BANDS_MISMATCH for other bands than it was made for; CHIP_SIZE_NOT_DIVISIBLE for other sides than multiples of its stride
 */
export function checkedSize(
  images: tf.Tensor4D,
  { bands, ...rule }: Pick<ChipSizeRule, "modelType" | "stride"> & { readonly bands: number },
): Grid {
  const [, height, width, given] = images.shape;
  if (given !== bands) {
    throw new GeoLearnError("BANDS_MISMATCH", `The ${rule.modelType} network got images of ${given} bands, it was made for ${bands}.`, {
      hint: "Choose the bands the network was trained on, in the same order.",
      data: { given, expected: bands },
    });
  }
  checkChipSize(rule, width, height);
  return { height, width };
}
