/** Cohen's kappa. */

import type { ConfusionMatrix } from "./confusion.ts";

/**
 * Agreement beyond chance, (observed - chance) / (1 - chance) (Cohen 1960): 1 when all agree, 0 when no more than by chance. Of pixels,
 * whole chips or objects, whatever the matrix counts. Null when nothing was counted, and when chance alone would agree everywhere
 * (both sides are one and the same class).
 */
export function cohenKappa({ size, counts, unpredicted }: ConfusionMatrix): number | null {
  const truth = Float64Array.from(unpredicted);
  const predicted = new Float64Array(size);
  let [right, all] = [0, 0];
  for (let t = 0; t < size; t++) {
    for (let p = 0; p < size; p++) {
      truth[t]! += counts[t * size + p]!;
      predicted[p]! += counts[t * size + p]!;
    }
    right += counts[t * size + t]!;
    all += truth[t]!;
  }
  if (all === 0) return null;
  let chance = 0;
  for (let k = 0; k < size; k++) chance += (truth[k]! / all) * (predicted[k]! / all);
  return chance === 1 ? null : (right / all - chance) / (1 - chance);
}
