/** Puts chips of one batch into the arrays the network reads: crop, augmentation, missing samples, class indices. Pure. */

import { createRng, sampleRange, type SampleType, type Samples } from "@geolearn/core";

import type { Recipe } from "../augment/recipe.ts";
import { IGNORE_INDEX } from "../learning-data.ts";

/** The part of a chip that assembling needs; its arrays may lie in shared memory. */
export interface ChipPixels {
  readonly image: Samples;
  readonly labels: Uint16Array;
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
  readonly nodata: number | null;
  readonly sampleType: SampleType;
}

/** What all batches of a data set have in common. */
export interface AssembleSetup {
  readonly width: number;
  readonly height: number;
  /** Bands of the stored chips that are used, in order. */
  readonly bands: readonly number[];
  /** Per used band: what missing samples hold. */
  readonly means: readonly number[];
  /** Per used band: unit of brightness and noise. */
  readonly deviations: readonly number[];
  /** Class index per label value. */
  readonly indexOf: Int32Array;
  readonly batchSize: number;
}

/** One batch to assemble. */
export interface AssembleRequest {
  readonly chips: readonly ChipPixels[];
  readonly recipes: readonly Recipe[];
}

/** The arrays of a batch. */
export interface AssembledBatch {
  readonly images: Float32Array;
  readonly targets: Int32Array;
}

/** Assembles a batch; places without a chip hold the bands' means and are ignored. */
export function assembleBatch(setup: AssembleSetup, { chips, recipes }: AssembleRequest): AssembledBatch {
  const { width, height, bands, batchSize } = setup;
  const area = width * height;
  const images = new Float32Array(batchSize * area * bands.length);
  const targets = new Int32Array(batchSize * area).fill(IGNORE_INDEX);
  for (let slot = 0; slot < batchSize; slot++) {
    const image = images.subarray(slot * area * bands.length, (slot + 1) * area * bands.length);
    const chip = chips[slot];
    const recipe = recipes[slot];
    if (chip === undefined || recipe === undefined) {
      fillMeans(image, setup.means);
      continue;
    }
    const target = targets.subarray(slot * area, (slot + 1) * area);
    if (recipe.exact) placeExact(setup, chip, recipe, image, target);
    else placeFree(setup, chip, recipe, image, target);
  }
  return { images, targets };
}

function fillMeans(image: Float32Array, means: readonly number[]): void {
  const bands = means.length;
  for (let i = 0; i < image.length; i += bands) for (let b = 0; b < bands; b++) image[i + b] = means[b]!;
}

/** Whole pixels moved; offsets into the source advance by constant steps. */
function placeExact(setup: AssembleSetup, chip: ChipPixels, recipe: Recipe, image: Float32Array, target: Int32Array): void {
  const { width, height, bands, means, indexOf } = setup;
  const { labels, mask } = chip;
  const ignored = IGNORE_INDEX; // a local copy: module bindings are slow in some loaders
  const [a, b, c, d, e, f] = recipe.toSource;
  // centre of output pixel (0, 0) in source pixels, and the step per output column and row
  const start = Math.floor(d * 0.5 + e * 0.5 + f) * chip.width + Math.floor(a * 0.5 + b * 0.5 + c);
  const stepX = d * chip.width + a;
  const stepY = e * chip.width + b;

  for (let row = 0, out = 0; row < height; row++) {
    let from = start + row * stepY;
    for (let col = 0; col < width; col++, out++, from += stepX) {
      target[out] = mask !== null && mask[from] === 0 ? ignored : indexOf[labels[from]!]!;
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
function placeFree(setup: AssembleSetup, chip: ChipPixels, recipe: Recipe, image: Float32Array, target: Int32Array): void {
  const { width, height, bands, means, indexOf } = setup;
  const { labels, mask, nodata } = chip;
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
      target[out] = indexOf[labels[near]!]!;

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
function toneOf(setup: AssembleSetup, chip: ChipPixels, recipe: Recipe): ((value: number, band: number) => number) | null {
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
