/** A labelled box as a file gives it, before it is laid on the chip. */

import { showValue } from "@geolearn/core";

import { corruptChips } from "../esri/common.ts";
import type { Box } from "../objects/box.ts";
import type { Ring } from "../objects/clip-polygon.ts";

/** Class text and box of one object. */
export interface ReadBox {
  /** A class value or a class name. */
  readonly label: string;
  /** Pixels, or shares of the image, as written: it may reach out of the chip or have no size. */
  readonly box: Box;
  /** Outlines of its parts in the same unit, where there are such. */
  readonly rings?: readonly Ring[];
  /** Pixels of the object as COCO's run lengths; where there are such. */
  readonly runs?: { readonly counts: readonly number[]; readonly width: number; readonly height: number };
}

/** A box from four texts. @throws CHIPS_CORRUPT when one of them is not a finite number */
export function boxOf(label: string, sides: readonly unknown[], path: string, where: string): ReadBox {
  const numbers = sides.map((side) => (typeof side === "string" && side.trim() !== "" ? Number(side) : Number.NaN));
  const wrong = numbers.findIndex((side) => !Number.isFinite(side));
  if (wrong >= 0) throw corruptChips(path, `${where} has ${showValue(sides[wrong])} for a side of its box`);
  return { label: label.trim(), box: [numbers[0]!, numbers[1]!, numbers[2]!, numbers[3]!] };
}
