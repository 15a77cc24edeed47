/** An object as training sees it, whatever the format of its file. */

import type { Box } from "./box.ts";
import type { ObjectMask } from "./object-mask.ts";

/** One labelled object of a chip. */
export interface ChipObject {
  /** Value of its class in the labels. */
  readonly classValue: number;
  /** Pixels of the chip, inside it and not empty. */
  readonly box: Box;
  /** Its pixels; null where the labels are boxes. */
  readonly mask: ObjectMask | null;
}

/** Objects per class value, ascending. */
export function countObjects({ objects }: { readonly objects: readonly ChipObject[] }): [value: number, count: number][] {
  const counts = new Map<number, number>();
  for (const { classValue } of objects) counts.set(classValue, (counts.get(classValue) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}
