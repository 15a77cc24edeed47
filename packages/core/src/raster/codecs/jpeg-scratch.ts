/**
 * Working memory of the JPEG decoder, used again for the next tile: tiles of one image have the same size, and decoding never
 * pauses between two of them. Large pictures get memory of their own.
 */

const MAX_KEPT = 2 ** 20;
const coefficients: Int16Array[] = [];
const samples: Uint8ClampedArray[] = [];

/** Hands out memory for component `index`; what was handed out before for it is overwritten. */
export const scratch = {
  /** Zeroed. */
  coefficients(index: number, length: number): Int16Array {
    if (length > MAX_KEPT) return new Int16Array(length);
    const kept = coefficients[index];
    if (kept?.length === length) return kept.fill(0);
    return (coefficients[index] = new Int16Array(length));
  },
  /** Not zeroed. */
  samples(index: number, length: number): Uint8ClampedArray {
    if (length > MAX_KEPT) return new Uint8ClampedArray(length);
    const kept = samples[index];
    if (kept?.length === length) return kept;
    return (samples[index] = new Uint8ClampedArray(length));
  },
};
