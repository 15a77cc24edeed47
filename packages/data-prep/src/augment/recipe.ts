/** What happens to one chip in one epoch, drawn from a seed: a recipe is plain data and can be sent to a worker. */

import { type Affine, composeAffine, type Rng } from "@geolearn/core";

import type { ResolvedAugmentation } from "./options.ts";

/** How an output chip is made from a stored one. */
export interface Recipe {
  /**
   * Maps output pixel coordinates to source pixel coordinates (corner based, see Affine). When `exact`, the map only moves
   * whole pixels and no sample is interpolated.
   */
  readonly toSource: Affine;
  readonly exact: boolean;
  /** Shift in standard deviations. */
  readonly brightness: number;
  /** Factor on deviations from the mean. */
  readonly contrast: number;
  /** Standard deviations of noise. */
  readonly noise: number;
  /** Seed of the noise. */
  readonly noiseSeed: number;
}

/** Sizes of stored chips and of what the network gets. */
export interface RecipeSizes {
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly width: number;
  readonly height: number;
}

/** The middle of the chip as it is. */
export function plainRecipe({ sourceWidth, sourceHeight, width, height }: RecipeSizes): Recipe {
  const col = Math.floor((sourceWidth - width) / 2);
  const row = Math.floor((sourceHeight - height) / 2);
  return { toSource: [1, 0, col, 0, 1, row], exact: true, brightness: 0, contrast: 1, noise: 0, noiseSeed: 0 };
}

/**
 * Draws a recipe. The number of draws does not depend on the result, so that a change of one option leaves the others'
 * draws as they are.
 */
export function drawRecipe(rng: Rng, augment: ResolvedAugmentation, sizes: RecipeSizes): Recipe {
  const { sourceWidth, sourceHeight, width, height } = sizes;
  const col = rng.int(sourceWidth - width + 1);
  const row = rng.int(sourceHeight - height + 1);
  const flip = rng.int(2) === 1;
  const mirror = rng.int(2) === 1;
  const turn = rng.int(4);
  const angle = (rng.next() * 2 - 1) * augment.rotate;
  const [smallest, largest] = augment.zoom;
  const zoom = smallest * (largest / smallest) ** rng.next();
  const brightness = (rng.next() * 2 - 1) * augment.brightness;
  const contrast = 1 + (rng.next() * 2 - 1) * augment.contrast;
  const noiseSeed = rng.int(4294967296);

  // flips and quarter turns together have eight results; a mirror of both axes is a half turn
  const turns = augment.quarterTurns ? (width === height ? turn : turn & 2) : 0;
  const flipX = augment.flips && flip;
  const flipY = augment.flips && !augment.quarterTurns && mirror;
  const photometric = { brightness, contrast, noise: augment.noise, noiseSeed };

  const exactMap = turnedMap(width, height, turns, flipX, flipY, col, row);
  if (augment.rotate === 0 && smallest === 1 && largest === 1) return { toSource: exactMap, exact: true, ...photometric };

  const free = freeMap(width, height, angle, zoom);
  return { toSource: composeAffine(exactMap, free), exact: false, ...photometric };
}

/** Quarter turns and mirrors about the middle of the window that starts at (col, row). */
function turnedMap(width: number, height: number, turns: number, flipX: boolean, flipY: boolean, col: number, row: number): Affine {
  let map: Affine = [1, 0, 0, 0, 1, 0];
  if (flipX) map = composeAffine([-1, 0, width, 0, 1, 0], map);
  if (flipY) map = composeAffine([1, 0, 0, 0, -1, height], map);
  if (turns === 2) map = composeAffine([-1, 0, width, 0, -1, height], map);
  if (turns === 1) map = composeAffine([0, 1, 0, -1, 0, height], map);
  if (turns === 3) map = composeAffine([0, -1, width, 1, 0, 0], map);
  return composeAffine([1, 0, col, 0, 1, row], map);
}

/** Rotation by `angle` degrees and scale by `zoom` about the middle. */
function freeMap(width: number, height: number, angle: number, zoom: number): Affine {
  const radians = (angle * Math.PI) / 180;
  const cos = Math.cos(radians) / zoom;
  const sin = Math.sin(radians) / zoom;
  const cx = width / 2;
  const cy = height / 2;
  return [cos, -sin, cx - cos * cx + sin * cy, sin, cos, cy - sin * cx - cos * cy];
}
