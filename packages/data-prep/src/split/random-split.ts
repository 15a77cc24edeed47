/** Chips shuffled with a seed: right only for chips that do not overlap. */

import { createRng, GeoLearnError } from "@geolearn/core";

import type { Split, SplitInput } from "./split.ts";

/** A random split. @throws SPLIT_IMPOSSIBLE when a side would be empty */
export function randomSplit({ names, valSplit, seed }: SplitInput): Split {
  const count = validCount(names.length, valSplit);
  const order = createRng([seed, 3]).permutation(names.length);
  const chosen = new Set(order.subarray(0, count));
  const all = names.map((_, i) => i);
  return {
    method: "random",
    train: all.filter((i) => !chosen.has(i)),
    valid: all.filter((i) => chosen.has(i)),
    dropped: [],
  };
}

/** Chips on the validation side: at least one, and at least one is left to train. @throws SPLIT_IMPOSSIBLE */
export function validCount(chips: number, valSplit: number): number {
  if (valSplit === 0) return 0;
  if (chips < 2) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", `${chips} chip cannot be split into training and validation.`, {
      hint: "Use smaller chips or a smaller stride, or `valSplit: 0`.",
      data: { chips },
    });
  }
  return Math.min(chips - 1, Math.max(1, Math.round(chips * valSplit)));
}
