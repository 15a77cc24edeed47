/** Puts chips with classes of their own into the arrays a classifier reads. Pure. */

import { IGNORE_INDEX } from "../learning-data.ts";
import { assembleImages, type AssembleRequest, type ChipPixels, type ImageSetup } from "./assemble.ts";

/** What all batches of a data set of whole chips have in common. */
export interface TileSetup extends ImageSetup {
  readonly kind: "tiles";
  /** Class index per label value; negative leaves a class out. */
  readonly indexOf: Int32Array;
  readonly classes: number;
  /** Whether a chip may have several classes. */
  readonly several: boolean;
}

/** A chip with its classes. */
export interface TilePixels extends ChipPixels {
  readonly classValues: readonly number[];
}

/** The arrays of a batch. */
export interface AssembledTiles {
  readonly images: Float32Array;
  readonly labels: Int32Array | Uint8Array;
}

/** Assembles a batch; places without a chip hold the bands' means and no class. */
export function assembleTiles(setup: TileSetup, request: AssembleRequest<TilePixels>): AssembledTiles {
  const { batchSize, indexOf, classes, several } = setup;
  const images = assembleImages(setup, request, () => null);
  const indices = request.chips.map(({ classValues }) => classValues.map((value) => indexOf[value]!).filter((index) => index >= 0));
  if (!several) {
    const labels = new Int32Array(batchSize).fill(IGNORE_INDEX);
    indices.forEach(([index], slot) => index !== undefined && (labels[slot] = index));
    return { images, labels };
  }
  const labels = new Uint8Array(batchSize * classes);
  indices.forEach((own, slot) => own.forEach((index) => (labels[slot * classes + index] = 1)));
  return { images, labels };
}
