/** The pixels of one object in a chip. */

import { rasterize } from "@geolearn/core";

import type { CutObject } from "../objects/cut-object.ts";
import type { LabelledChip } from "./label-file.ts";

/** 1 where the chip's pixel belongs to the object. */
export function burnMask({ geometry }: CutObject, { width, height, transform, allTouched }: LabelledChip): Uint8Array {
  return rasterize([{ geometry, value: 1 }], { width, height, transform: transform!, allTouched, out: new Uint8Array(width * height) });
}
