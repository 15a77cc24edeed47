/** How a convolution of an encoder is padded. */

import type { Convention } from "./backbone.ts";
import type { Step } from "./dilation.ts";

/** Rows and columns around a map: a number for all sides, or `[top, left, bottom, right]`. */
export type Pad = number | readonly [number, number, number, number];

/**
 * Padding of a kernel of `size` that moves by `stride`. TensorFlow's depends on the side of the map, and published networks
 * fix it for the side they were made for (`side` here), whatever the image's is: halving a map of an odd side needs the
 * same at both ends, of an even side one more at the end.
 */
export function paddingOf(
  convention: Convention,
  { size, stride, dilation, side }: Step & { readonly size: number; readonly side: number },
): Pad {
  if (convention === "torch" || stride === 1) return ((size - 1) / 2) * dilation;
  const total = Math.max(0, (Math.ceil(side / stride) - 1) * stride + size - side);
  const before = Math.floor(total / 2);
  return [before, before, total - before, total - before];
}
