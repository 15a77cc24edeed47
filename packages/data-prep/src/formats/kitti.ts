/**
 * KITTI: one text a chip, one row an object, fifteen columns apart by blanks: class, share of the object that is cut off,
 * occlusion, viewing angle, the box in pixels, and seven columns of the third dimension, which maps have no use for.
 */

import { corruptChips } from "../esri/common.ts";
import { hundredths, type LabelledChip, type WrittenLabels } from "./label-file.ts";
import { boxOf, type ReadBox } from "./read-box.ts";

/** The text of a chip. */
export function writeKitti({ stem, objects }: LabelledChip): WrittenLabels {
  const rows = objects.map(({ classValue, share, box }) =>
    [classValue, hundredths(1 - share), 0, "0.00", ...box.map(hundredths), ...Array<string>(7).fill("0.00")].join(" "),
  );
  return { files: [{ path: `labels/${stem}.txt`, content: rows.map((row) => `${row}\n`).join("") }], objects };
}

/** Columns that are needed: class and box. */
const COLUMNS = 8;
/** Class of regions KITTI itself leaves unlabelled. */
const NOTHING = "dontcare";

/** The objects of a text. @throws CHIPS_CORRUPT for a row without a class and a box */
export function readKitti(text: string, path: string): ReadBox[] {
  const boxes: ReadBox[] = [];
  text.split(/\r\n|\n|\r/).forEach((row, index) => {
    const columns = row.trim().split(/\s+/);
    if (columns[0] === "" || columns[0]!.toLowerCase() === NOTHING) return;
    if (columns.length < COLUMNS)
      throw corruptChips(path, `line ${index + 1} has ${columns.length} columns; expected the class, three more and a box`);
    boxes.push(boxOf(columns[0]!, columns.slice(4, 8), path, `line ${index + 1}`));
  });
  return boxes;
}
