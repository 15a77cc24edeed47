/**
 * Boxes `[xmin, ymin, xmax, ymax]`, many of them flat in one typed array, four numbers a box. Corners are continuous
 * coordinates (a pixel is one wide, no "+ 1"), x right; whether y runs up or down makes no difference here.
 */

import { GeoLearnError } from "../errors.ts";

/** Boxes one after another: `xmin, ymin, xmax, ymax, xmin, ymin, ...`. */
export type BoxArray = Float32Array | Float64Array;

/** Area of box `i`. */
export function boxArea(boxes: BoxArray, i: number): number {
  return (boxes[4 * i + 2]! - boxes[4 * i]!) * (boxes[4 * i + 3]! - boxes[4 * i + 1]!);
}

/**
 * Intersection over union of box `i` of one array and box `j` of another, 0 to 1. Boxes that only touch, and boxes
 * without area, have 0.
 */
export function boxIou(a: BoxArray, i: number, b: BoxArray, j: number): number {
  const shared = sharedArea(a, i, b, j);
  return shared === 0 ? 0 : shared / (boxArea(a, i) + boxArea(b, j) - shared);
}

/** Share of box `i` that lies in box `j`: what COCO uses in place of IoU where `j` is a crowd of objects. 0 without area. */
export function boxCoverage(a: BoxArray, i: number, b: BoxArray, j: number): number {
  const shared = sharedArea(a, i, b, j);
  return shared === 0 ? 0 : shared / boxArea(a, i);
}

/**
 * IoU of every box of `a` with every box of `b`, row by row: `result[i * (b.length / 4) + j]`.
 *
 * @throws INVALID_ARGUMENT for numbers that are no boxes: not four each, not finite, or max below min
 * @example
 * boxIous(new Float64Array([0, 0, 2, 2]), new Float64Array([1, 0, 3, 2, 5, 5, 6, 6])); // [1/3, 0]
 */
export function boxIous(a: BoxArray, b: BoxArray): Float64Array {
  const [rows, columns] = [checkBoxes(a), checkBoxes(b)];
  const ious = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) ious[i * columns + j] = boxIou(a, i, b, j);
  return ious;
}

/** How many boxes there are. @throws INVALID_ARGUMENT for numbers that are no boxes: not four each, not finite, or max below min */
export function checkBoxes(boxes: BoxArray): number {
  if (boxes.length % 4 !== 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${boxes.length} numbers were given as boxes; each box takes 4.`, {
      hint: "Give xmin, ymin, xmax, ymax of each box, one after another.",
    });
  }
  for (let k = 0; k < boxes.length; k += 4) {
    // written so that NaN fails it, and an infinite side, too
    if (
      boxes[k + 2]! - boxes[k]! >= 0 &&
      boxes[k + 3]! - boxes[k + 1]! >= 0 &&
      Number.isFinite(boxes[k + 2]! - boxes[k]! + boxes[k + 3]! - boxes[k + 1]!)
    )
      continue;
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `Box ${k / 4} is [${boxes.slice(k, k + 4).join(", ")}]; expected [xmin, ymin, xmax, ymax].`,
      {
        hint: "Give finite numbers, the smaller corner first; boxes as x, y, width, height must be converted.",
        data: { box: k / 4 },
      },
    );
  }
  return boxes.length / 4;
}

/** @throws INVALID_ARGUMENT when a list that goes with boxes has another length or a number that is not finite */
export function checkPerBox(name: string, values: ArrayLike<number>, count: number): void {
  if (values.length !== count) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${values.length} ${name} were given for ${count} boxes.`, {
      hint: `Give one number in \`${name}\` for each box.`,
    });
  }
  for (let i = 0; i < count; i++) {
    if (Number.isFinite(values[i]!)) continue;
    throw new GeoLearnError("INVALID_ARGUMENT", `Box ${i} has ${values[i]} in \`${name}\`; expected a finite number.`, {
      data: { box: i },
    });
  }
}

/** Positions of values from the greatest to the least; equal ones in the order given. */
export function descendingOrder(values: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from(values, (_, i) => i);
  return order.sort((i, j) => values[j]! - values[i]! || i - j);
}

function sharedArea(a: BoxArray, i: number, b: BoxArray, j: number): number {
  const width = Math.min(a[4 * i + 2]!, b[4 * j + 2]!) - Math.max(a[4 * i]!, b[4 * j]!);
  if (width <= 0) return 0;
  const height = Math.min(a[4 * i + 3]!, b[4 * j + 3]!) - Math.max(a[4 * i + 1]!, b[4 * j + 1]!);
  return height <= 0 ? 0 : width * height;
}
