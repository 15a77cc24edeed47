/** Weights against class imbalance. */

/**
 * Inverse-frequency weights with mean 1 over the classes that occur; a class without pixels weighs 0.
 */
export function inverseFrequencyWeights(pixels: readonly number[]): number[] {
  const inverse = pixels.map((count) => (count > 0 ? 1 / count : 0));
  const sum = inverse.reduce((total, value) => total + value, 0);
  const present = pixels.filter((count) => count > 0).length;
  return inverse.map((value) => (sum === 0 ? 1 : (value * present) / sum));
}
