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
