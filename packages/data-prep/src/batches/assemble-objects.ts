/** Puts chips with objects into the arrays a detector reads: images as for pixels, boxes and masks carried along exactly. Pure. */

import { type Affine, applyAffine, invertAffine } from "@geolearn/core";

import type { Recipe } from "../augment/recipe.ts";
import { type Box, boxArea, clipBox } from "../objects/box.ts";
import type { ChipObject } from "../objects/chip-object.ts";
import { boxOfPixels, type ObjectMask } from "../objects/object-mask.ts";
import { assembleImages, type ChipPixels, type ImageSetup } from "./assemble.ts";

/** What all batches of a data set of objects have in common. */
export interface ObjectSetup extends ImageSetup {
  readonly kind: "objects";
  /** Class index per label value; negative leaves an object out. */
  readonly indexOf: Int32Array;
  /** Share of an object that must stay in the picture. */
  readonly minOverlap: number;
  /** Masks are wanted. */
  readonly masks: boolean;
}

/** A chip with what lies on it. */
export interface ObjectPixels extends ChipPixels {
  readonly objects: readonly ChipObject[];
}

/** One batch to assemble. */
export interface ObjectRequest {
  readonly chips: readonly ObjectPixels[];
  readonly recipes: readonly Recipe[];
}

/** The arrays of a batch. */
export interface AssembledObjects {
  readonly images: Float32Array;
  readonly boxes: Float32Array;
  readonly classIndices: Int32Array;
  readonly masks?: Uint8Array;
  readonly counts: Int32Array;
  readonly maxObjects: number;
}

/** Slots for objects come in steps of this many, so that a network sees few shapes. */
const SLOTS = 8;

/** Assembles a batch; places without a chip hold the bands' means and no object. */
export function assembleObjects(setup: ObjectSetup, request: ObjectRequest): AssembledObjects {
  const { width, height, batchSize, masks: wanted } = setup;
  const images = assembleImages(setup, request, () => null);
  const shown = request.chips.map((chip, slot) => showObjects(setup, chip, request.recipes[slot]!));
  const most = Math.max(1, ...shown.map(({ length }) => length));
  const maxObjects = SLOTS * Math.ceil(most / SLOTS);
  const boxes = new Float32Array(batchSize * maxObjects * 4);
  const classIndices = new Int32Array(batchSize * maxObjects).fill(-1);
  const counts = new Int32Array(batchSize);
  const area = width * height;
  const masks = wanted ? new Uint8Array(batchSize * maxObjects * area) : null;
  shown.forEach((objects, slot) => {
    counts[slot] = objects.length;
    objects.forEach(({ classIndex, box, pixels }, i) => {
      const at = slot * maxObjects + i;
      boxes.set(box, at * 4);
      classIndices[at] = classIndex;
      if (masks !== null && pixels !== null) for (const pixel of pixels) masks[at * area + pixel] = 1;
    });
  });
  return { images, boxes, classIndices, ...(masks === null ? {} : { masks }), counts, maxObjects };
}

interface ShownObject {
  readonly classIndex: number;
  readonly box: Box;
  /** Positions of the object's pixels in the picture; null where there is no mask. */
  readonly pixels: readonly number[] | null;
}

/** The objects of a chip that the picture shows, in their order. */
function showObjects(setup: ObjectSetup, { objects }: ObjectPixels, { toSource }: Recipe): ShownObject[] {
  const { width, height, indexOf, minOverlap } = setup;
  const toPicture = invertAffine(toSource);
  const shown: ShownObject[] = [];
  for (const { classValue, box, mask: own } of objects) {
    const mask = setup.masks ? own : null;
    const classIndex = indexOf[classValue]!;
    if (classIndex < 0) continue;
    const whole = movedBox(box, toPicture);
    const inside = clipBox(whole, width, height);
    if (inside === null) continue;
    if (mask === null) {
      if (boxArea(inside) >= minOverlap * boxArea(whole)) shown.push({ classIndex, box: inside, pixels: null });
      continue;
    }
    const pixels = movedPixels(mask, inside, toSource, width);
    if (pixels.length === 0) continue;
    const cut = boxArea(inside) < boxArea(whole);
    const expected = mask.data.reduce((sum, pixel) => sum + pixel, 0) * Math.abs(toPicture[0] * toPicture[4] - toPicture[1] * toPicture[3]);
    if (cut && pixels.length < minOverlap * expected) continue;
    shown.push({ classIndex, box: boxOfPixels(pixels, width), pixels });
  }
  return shown;
}

/** The box around a box that was moved, mirrored, turned or scaled. */
function movedBox([xmin, ymin, xmax, ymax]: Box, map: Affine): Box {
  const corners = [applyAffine(map, xmin, ymin), applyAffine(map, xmax, ymin), applyAffine(map, xmin, ymax), applyAffine(map, xmax, ymax)];
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Pixels of the picture whose centre lies in a pixel of the mask. */
function movedPixels(mask: ObjectMask, [xmin, ymin, xmax, ymax]: Box, toSource: Affine, width: number): number[] {
  const [a, b, c, d, e, f] = toSource;
  const pixels: number[] = [];
  for (let row = Math.floor(ymin); row < Math.ceil(ymax); row++) {
    for (let col = Math.floor(xmin); col < Math.ceil(xmax); col++) {
      const x = Math.floor(a * (col + 0.5) + b * (row + 0.5) + c) - mask.col;
      const y = Math.floor(d * (col + 0.5) + e * (row + 0.5) + f) - mask.row;
      if (x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.data[y * mask.width + x] === 1) pixels.push(row * width + col);
    }
  }
  return pixels;
}
