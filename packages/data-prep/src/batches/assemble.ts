/** Puts chips of one batch into the arrays the network reads: crop, augmentation, missing samples, class indices. Pure. */

import { createRng, sampleRange, type SampleType, type Samples } from "@geolearn/core";

import type { Recipe } from "../augment/recipe.ts";
import { IGNORE_INDEX } from "../learning-data.ts";

/** The part of a chip's picture that assembling needs; its arrays may lie in shared memory. */
export interface ChipPixels {
  readonly image: Samples;
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
  readonly nodata: number | null;
  readonly sampleType: SampleType;
}

/** A chip with a class value per pixel. */
export interface LabelledPixels extends ChipPixels {
  readonly labels: Uint16Array;
}

/** What the images of all batches of a data set have in common. */
export interface ImageSetup {
  readonly width: number;
  readonly height: number;
  /** Bands of the stored chips that are used, in order. */
  readonly bands: readonly number[];
  /** Per used band: what missing samples hold. */
  readonly means: readonly number[];
  /** Per used band: unit of brightness and noise. */
  readonly deviations: readonly number[];
  readonly batchSize: number;
}

/** What all batches of a data set with a class per pixel have in common. */
export interface AssembleSetup extends ImageSetup {
  readonly kind: "pixels";
  /** Class index per label value. */
  readonly indexOf: Int32Array;
}

/** Chips of one batch and what happens to each. */
export interface AssembleRequest<P extends ChipPixels = LabelledPixels> {
  readonly chips: readonly P[];
  readonly recipes: readonly Recipe[];
}

/** The arrays of a batch. */
export interface AssembledBatch {
  readonly images: Float32Array;
  readonly targets: Int32Array;
}

/** Assembles a batch; places without a chip hold the bands' means and are ignored. */
export function assembleBatch(setup: AssembleSetup, request: AssembleRequest): AssembledBatch {
  const { width, height, indexOf, batchSize } = setup;
  const area = width * height;
  const targets = new Int32Array(batchSize * area).fill(IGNORE_INDEX);
  const images = assembleImages(setup, request, (slot) => ({
    labels: request.chips[slot]!.labels,
    indexOf,
    out: targets.subarray(slot * area, (slot + 1) * area),
  }));
  return { images, targets };
}

/** Labels of one chip on their way to class indices. */
interface LabelTarget {
  readonly labels: Uint16Array;
  readonly indexOf: Int32Array;
  /** Holds {@link IGNORE_INDEX} where nothing is written. */
  readonly out: Int32Array;
}

/** The images of a batch; `targetOf` tells where the labels of a slot go, if it has any. */
export function assembleImages<P extends ChipPixels>(
  setup: ImageSetup,
  { chips, recipes }: AssembleRequest<P>,
  targetOf: (slot: number) => LabelTarget | null,
): Float32Array {
  const { width, height, bands, batchSize } = setup;
  const area = width * height;
  const images = new Float32Array(batchSize * area * bands.length);
  for (let slot = 0; slot < batchSize; slot++) {
    const image = images.subarray(slot * area * bands.length, (slot + 1) * area * bands.length);
    const chip = chips[slot];
    const recipe = recipes[slot];
    if (chip === undefined || recipe === undefined) fillMeans(image, setup.means);
    else if (recipe.exact) placeExact(setup, chip, recipe, image, targetOf(slot));
    else placeFree(setup, chip, recipe, image, targetOf(slot));
  }
  return images;
}

function fillMeans(image: Float32Array, means: readonly number[]): void {
  const bands = means.length;
  for (let i = 0; i < image.length; i += bands) for (let b = 0; b < bands; b++) image[i + b] = means[b]!;
}

/** Whole pixels moved; offsets into the source advance by constant steps. */
function placeExact(setup: ImageSetup, chip: ChipPixels, recipe: Recipe, image: Float32Array, target: LabelTarget | null): void {
  const { width, height, bands, means } = setup;
  const { mask } = chip;
  const ignored = IGNORE_INDEX; // a local copy: module bindings are slow in some loaders
  const [a, b, c, d, e, f] = recipe.toSource;
  // centre of output pixel (0, 0) in source pixels, and the step per output column and row
  const start = Math.floor(d * 0.5 + e * 0.5 + f) * chip.width + Math.floor(a * 0.5 + b * 0.5 + c);
  const stepX = d * chip.width + a;
  const stepY = e * chip.width + b;

  if (target !== null) {
    const { labels, indexOf, out: indices } = target;
    for (let row = 0, out = 0; row < height; row++) {
      let from = start + row * stepY;
      for (let col = 0; col < width; col++, out++, from += stepX) {
        indices[out] = mask !== null && mask[from] === 0 ? ignored : indexOf[labels[from]!]!;
      }
    }
  }

  const area = chip.width * chip.height;
  const tone = toneOf(setup, chip, recipe);
  const plain = tone === null && chip.nodata === null && mask === null && !chip.sampleType.startsWith("float");
  for (let k = 0; k < bands.length; k++) {
    const samples = chip.image.subarray(bands[k]! * area, (bands[k]! + 1) * area);
    const mean = means[k]!;
    for (let row = 0, out = k; row < height; row++) {
      let from = start + row * stepY;
      if (plain) {
        for (let col = 0; col < width; col++, out += bands.length, from += stepX) image[out] = samples[from]!;
        continue;
      }
      for (let col = 0; col < width; col++, out += bands.length, from += stepX) {
        const value = samples[from]!;
        const missing = (mask !== null && mask[from] === 0) || value === chip.nodata || !Number.isFinite(value);
        image[out] = missing ? mean : tone === null ? value : tone(value, k);
      }
    }
  }
}

/** Bilinear samples between valid neighbours, nearest labels, ignored outside. */
function placeFree(setup: ImageSetup, chip: ChipPixels, recipe: Recipe, image: Float32Array, target: LabelTarget | null): void {
  const { width, height, bands, means } = setup;
  const { mask, nodata } = chip;
  const [a, b, c, d, e, f] = recipe.toSource;
  const area = chip.width * chip.height;
  const tone = toneOf(setup, chip, recipe);
  const planes = bands.map((band) => chip.image.subarray(band * area, (band + 1) * area));

  for (let row = 0, out = 0; row < height; row++) {
    for (let col = 0; col < width; col++, out++) {
      const x = a * (col + 0.5) + b * (row + 0.5) + c;
      const y = d * (col + 0.5) + e * (row + 0.5) + f;
      const nearCol = Math.floor(x);
      const nearRow = Math.floor(y);
      const inside = nearCol >= 0 && nearRow >= 0 && nearCol < chip.width && nearRow < chip.height;
      const near = nearRow * chip.width + nearCol;
      if (!inside || (mask !== null && mask[near] === 0)) {
        for (let k = 0; k < planes.length; k++) image[out * planes.length + k] = means[k]!;
        continue;
      }
      if (target !== null) target.out[out] = target.indexOf[target.labels[near]!]!;

      const left = Math.floor(x - 0.5);
      const top = Math.floor(y - 0.5);
      const fx = x - 0.5 - left;
      const fy = y - 0.5 - top;
      for (let k = 0; k < planes.length; k++) {
        const plane = planes[k]!;
        let sum = 0;
        let weight = 0;
        for (let dy = 0; dy < 2; dy++) {
          const r = top + dy;
          if (r < 0 || r >= chip.height) continue;
          for (let dx = 0; dx < 2; dx++) {
            const q = left + dx;
            if (q < 0 || q >= chip.width) continue;
            const at = r * chip.width + q;
            const value = plane[at]!;
            if ((mask !== null && mask[at] === 0) || value === nodata || !Number.isFinite(value)) continue;
            const w = (dx === 0 ? 1 - fx : fx) * (dy === 0 ? 1 - fy : fy);
            sum += w * value;
            weight += w;
          }
        }
        const value = weight > 0 ? sum / weight : Number.NaN;
        image[out * planes.length + k] = weight > 0 ? (tone === null ? value : tone(value, k)) : means[k]!;
      }
    }
  }
}

/** Brightness, contrast and noise as one function of a valid sample, or null when there is nothing to change. */
function toneOf(setup: ImageSetup, chip: ChipPixels, recipe: Recipe): ((value: number, band: number) => number) | null {
  const { brightness, contrast, noise } = recipe;
  if (brightness === 0 && contrast === 1 && noise === 0) return null;
  const { means, deviations } = setup;
  const [min, max] = sampleRange(chip.sampleType);
  const rng = createRng(recipe.noiseSeed);
  return (value, band) => {
    const mean = means[band]!;
    const grain = noise === 0 ? 0 : noise * rng.normal();
    const changed = mean + (value - mean) * contrast + (brightness + grain) * deviations[band]!;
    return changed < min ? min : changed > max ? max : changed;
  };
}
