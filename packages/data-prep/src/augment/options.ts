/** Augmentations: what may happen to a training chip and its labels before the network sees them. */

import { checkOptionNames, type OptionNames } from "@geolearn/core";

import { numberOption, wrongValue } from "../option-values.ts";

/** Changes of training chips; image and labels change alike. Labels are resampled by nearest neighbour; what leaves the chip is ignored. */
export interface Augmentation {
  /** Mirror left and right, top and bottom. @defaultValue true */
  readonly flips?: boolean;
  /** Turn by 0, 90, 180 or 270 degrees; chips that are not square by 0 or 180. @defaultValue true */
  readonly quarterTurns?: boolean;
  /** Turn by up to this angle to either side, degrees. @defaultValue 0 */
  readonly rotate?: number;
  /** Scale by a factor in this range; a number z stands for [1 / z, z]. @defaultValue 1 */
  readonly zoom?: number | readonly [smallest: number, largest: number];
  /** Shift all bands by up to this many standard deviations of each. @defaultValue 0 */
  readonly brightness?: number;
  /** Stretch deviations from each band's mean by a factor up to 1 + this, down to 1 - this. @defaultValue 0 */
  readonly contrast?: number;
  /** Add normal noise of this many standard deviations of each band. @defaultValue 0 */
  readonly noise?: number;
}

const AUGMENT_OPTIONS: OptionNames<Augmentation> = {
  flips: true,
  quarterTurns: true,
  rotate: true,
  zoom: true,
  brightness: true,
  contrast: true,
  noise: true,
};

/** An augmentation with every field. */
export interface ResolvedAugmentation {
  readonly flips: boolean;
  readonly quarterTurns: boolean;
  readonly rotate: number;
  readonly zoom: readonly [number, number];
  readonly brightness: number;
  readonly contrast: number;
  readonly noise: number;
}

const HINT = "See the options of `augment`.";

const NONE: ResolvedAugmentation = { flips: false, quarterTurns: false, rotate: 0, zoom: [1, 1], brightness: 0, contrast: 0, noise: 0 };

/**
 * Fills in the defaults: `true` is the eight flips and quarter turns, `false` nothing.
 *
 * @throws INVALID_ARGUMENT for values out of range, and for names that there are not
 */
export function resolveAugmentation(augment: Augmentation | boolean = true): ResolvedAugmentation {
  if (augment === false) return NONE;
  if (augment === true) return { ...NONE, flips: true, quarterTurns: true };
  checkOptionNames(
    augment,
    AUGMENT_OPTIONS,
    "`augment`",
    "Use `augment: true`, `augment: false`, or an object such as `{ brightness: 0.2 }`.",
  );
  const zoom = resolveZoom(augment.zoom ?? 1);
  return {
    flips: augment.flips ?? true,
    quarterTurns: augment.quarterTurns ?? true,
    rotate: inRange("rotate", augment.rotate ?? 0, 0, 180),
    zoom,
    brightness: inRange("brightness", augment.brightness ?? 0, 0, 10),
    contrast: inRange("contrast", augment.contrast ?? 0, 0, 1),
    noise: inRange("noise", augment.noise ?? 0, 0, 10),
  };
}

function resolveZoom(zoom: number | readonly [number, number]): readonly [number, number] {
  const range = typeof zoom === "number" ? ([Math.min(zoom, 1 / zoom), Math.max(zoom, 1 / zoom)] as const) : zoom;
  if (
    Array.isArray(range) &&
    range.length === 2 &&
    range.every((factor) => Number.isFinite(factor) && factor >= 0.1 && factor <= 10) &&
    range[0] <= range[1]
  )
    return range;
  throw wrongValue("augment.zoom", zoom, "a number from 0.1 to 10, or two with the smaller first", HINT);
}

function inRange(name: string, value: number, min: number, max: number): number {
  return numberOption(`augment.${name}`, value, [min, max], HINT);
}
