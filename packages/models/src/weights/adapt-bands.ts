/** First-layer kernels for another number of bands. */

import { sizeOf } from "../network/parameter-spec.ts";

/**
 * A kernel `[out, m, h, w]` made for `m` bands as one for `n` bands. With more bands, the first m keep their kernels and
 * the others get the mean of all; with fewer, every band gets the mean; and all are scaled by m / n. An image whose bands
 * are all alike therefore gives exactly the same activations as before, whatever n is.
 */
export function adaptBands(values: Float32Array, shape: readonly number[], bands: number): Float32Array {
  const [outputs, given, height, width] = shape as readonly [number, number, number, number];
  if (given === bands) return values.slice();
  const taps = height * width;
  const result = new Float32Array(sizeOf([outputs, bands, height, width]));
  const scale = given / bands;
  for (let o = 0; o < outputs; o++) {
    for (let tap = 0; tap < taps; tap++) {
      let mean = 0;
      for (let m = 0; m < given; m++) mean += values[(o * given + m) * taps + tap]! / given;
      for (let b = 0; b < bands; b++) {
        const own = bands > given && b < given ? values[(o * given + b) * taps + tap]! : mean;
        result[(o * bands + b) * taps + tap] = own * scale;
      }
    }
  }
  return result;
}
