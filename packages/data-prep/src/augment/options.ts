/** Augmentations: what may happen to a training chip and its labels before the network sees them. */

import { checkOptions, type OptionRule, type OptionRules, rules } from "@geolearn/core";

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

const FACTOR = rules.number(0.1, 10);
const ZOOM: OptionRule = {
  expected: `${FACTOR.expected}, or two with the smaller first`,
  accepts: (value) =>
    FACTOR.accepts(value) ||
    (Array.isArray(value) && value.length === 2 && value.every((factor) => FACTOR.accepts(factor)) && value[0] <= value[1]),
};

const AUGMENT_RULES: OptionRules<Augmentation> = {
  flips: rules.boolean,
  quarterTurns: rules.boolean,
  rotate: rules.number(0, 180),
  zoom: ZOOM,
  brightness: rules.number(0, 10),
  contrast: rules.share,
  noise: rules.number(0, 10),
};

/** Rule for `augment`; {@link checkAugmentation} looks at what it holds. */
export const AUGMENT: OptionRule = rules.hinted(
  rules.either(rules.boolean, { ...rules.object, expected: "or an object" }),
  "Use `augment: true`, `augment: false`, or an object such as `{ brightness: 0.2 }`.",
);

/** @throws INVALID_ARGUMENT for values out of range, and for names that there are not */
export function checkAugmentation(augment: Augmentation | boolean = true): void {
  if (typeof augment === "object") checkOptions(augment, AUGMENT_RULES, "`augment`");
}

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

const NONE: ResolvedAugmentation = { flips: false, quarterTurns: false, rotate: 0, zoom: [1, 1], brightness: 0, contrast: 0, noise: 0 };

/** Fills in the defaults: `true` is the eight flips and quarter turns, `false` nothing. */
export function resolveAugmentation(augment: Augmentation | boolean = true): ResolvedAugmentation {
  if (augment === false) return NONE;
  if (augment === true) return { ...NONE, flips: true, quarterTurns: true };
  const { flips = true, quarterTurns = true, rotate = 0, zoom = 1, brightness = 0, contrast = 0, noise = 0 } = augment;
  const range = typeof zoom === "number" ? ([Math.min(zoom, 1 / zoom), Math.max(zoom, 1 / zoom)] as const) : zoom;
  return { flips, quarterTurns, rotate, zoom: range, brightness, contrast, noise };
}
