/** Chips shuffled with a seed, evenly over their classes if wanted: right only for chips that do not overlap. */

import { createRng, GeoLearnError } from "@geolearn/core";

import type { Split, SplitInput } from "./split.ts";

/** A random split. @throws SPLIT_IMPOSSIBLE when a side would be empty */
export function randomSplit({ names, classPixels, valSplit, seed, stratify = false }: SplitInput): Split {
  const count = validCount(names.length, valSplit);
  const order = [...createRng([seed, 3]).permutation(names.length)];
  const chosen = new Set(
    stratify ? evenly(order, count, (i) => classPixels[i]!.map((amount) => (amount > 0 ? 1 : 0)).join("")) : order.slice(0, count),
  );
  const all = names.map((_, i) => i);
  return {
    method: "random",
    train: all.filter((i) => !chosen.has(i)),
    valid: all.filter((i) => chosen.has(i)),
    dropped: [],
  };
}

/** `count` of a list: of each group its share, rounded down, and one more of those with the largest remainders. */
function evenly(list: readonly number[], count: number, groupOf: (item: number) => string): number[] {
  const groups = new Map<string, number[]>();
  for (const item of list) groups.set(groupOf(item), [...(groups.get(groupOf(item)) ?? []), item]);
  const shares = [...groups.values()].map((items) => ({ items, share: (items.length * count) / list.length }));
  let left = count - shares.reduce((sum, { share }) => sum + Math.floor(share), 0);
  const byRemainder = shares.toSorted((a, b) => (b.share % 1) - (a.share % 1));
  return byRemainder.flatMap(({ items, share }) => items.slice(0, Math.floor(share) + (left-- > 0 ? 1 : 0)));
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
