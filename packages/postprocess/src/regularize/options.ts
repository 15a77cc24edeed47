/** What users may ask of regularizing, checked. */

import {
  type Crs,
  type Features,
  type Length,
  type OptionRule,
  type OptionRules,
  type WorkOptions,
  checkOptions,
  parseLength,
  rules,
  showValue,
  wrongOption,
} from "@geolearn/core";

import { AlignmentLines, inQuarter } from "./alignment-lines.ts";
import type { Frame } from "./frame.ts";
import { METHODS, refuseUnread } from "./method-options.ts";
import type { RegularizeMethod, Settings } from "./settings.ts";

/**
 * Options of {@link regularize} and {@link regularizeFeatures}. Lengths are metres on the ground, or text such as `"20 crs"` in units of the reference system.
 * An option that the method does not read is refused.
 */
export interface RegularizeOptions extends WorkOptions {
  /**
   * `"rightAngles"`: all walls at right angles. `"rightAnglesAndDiagonals"`: also at 45 degrees to them. `"anyAngles"`: straight walls
   * in any direction, at right angles where that fits about as well. `"circle"`: circles, for silos and tanks. @defaultValue "rightAngles"
   */
  readonly method?: RegularizeMethod;
  /** Farthest that the result may lie from the outline it came from; no wall is shorter than this. */
  readonly tolerance: number | string;
  /** Length of the pieces the outline is cut into, at most the tolerance. Not for the method `circle`. @defaultValue the tolerance */
  readonly densification?: number | string;
  /** Walls lie on a grid of this spacing in the building's own directions, at most a quarter of the tolerance; 0 for none. Only for the two right-angle methods. @defaultValue 0 */
  readonly precision?: number | string;
  /**
   * How much dearer a diagonal wall (with `anyAngles` one that runs neither along nor across the building) is than another: with 0 it costs
   * the same, with 1.5 as much as 2.5 others. With `anyAngles` and 0 there are no such directions at all. Only for `rightAnglesAndDiagonals` and `anyAngles`. @defaultValue 1.5
   */
  readonly diagonalPenalty?: number;
  /** Least radius of a circle. Not for `anyAngles`, as all that is said of circles. @defaultValue 0.1 */
  readonly minRadius?: number | string;
  /** Greatest radius of a circle. @defaultValue 1,000,000 */
  readonly maxRadius?: number | string;
  /**
   * Judges circles by area instead of distance: what only one of the outline and the circle covers, as a share of the circle's area, is at
   * most this, such as 0.15: a piece that a tree hides counts by its size, however deep it reaches. The circle stays within the tolerance of the
   * outline's box. Esri's tolerance type for circles, beside the tolerance instead of in its place: that remains the least side and what
   * neighbours are looked for by. @defaultValue none: circles keep to the tolerance
   */
  readonly circleAreaRatio?: number;
  /**
   * What walls run along or across: the nearest of these lines, such as roads, or an angle in degrees, counter-clockwise from east (from
   * the x axis of the reference system). Footprints that would need more walls that way, or would leave the tolerance, keep their own directions. Not for circles, nor for `anyAngles` without a diagonal penalty. @defaultValue none: each building has its own directions
   */
  readonly alignment?: Features | number;
  /** Greatest distance of a line that is followed; footprints without one keep their own directions. @defaultValue any distance */
  readonly alignmentTolerance?: number | string;
  /**
   * Outlines that are at least so compact (4 π area / perimeter², once bumps are smoothed; 1 is a circle, 0.79 a square) become circles
   * first with the two right-angle methods, where no walls fit them better. Above 1 none does. @defaultValue 0.92
   */
  readonly circleCompactness?: number;
}

const VERB = "regularize()";

/** `Infinity` is above 1, too. */
const COMPACTNESS: OptionRule = { expected: "a number above 0", accepts: (value) => typeof value === "number" && value > 0 };
const AREA_RATIO: OptionRule = {
  expected: "a number above 0 and at most 1",
  accepts: (value) => typeof value === "number" && value > 0 && value <= 1,
};
const ALIGNMENT: OptionRule = {
  expected: "degrees, or lines that were read",
  accepts: (value) => Number.isFinite(value) || (typeof value !== "string" && rules.polygons.accepts(value)),
};

const RULES: OptionRules<RegularizeOptions> = {
  method: rules.oneOf(...METHODS),
  tolerance: rules.hinted(rules.required(rules.lengthAboveZero), "Use about the size of two or three pixels, such as `tolerance: 1`."),
  densification: rules.hinted(rules.lengthAboveZero, "Leave it out, or use half of the tolerance."),
  precision: rules.hinted(rules.length, "Leave it out for none, or use 0.05."),
  diagonalPenalty: rules.hinted(rules.number(0), "Leave it out for 1.5."),
  minRadius: rules.length,
  maxRadius: rules.length,
  circleAreaRatio: rules.hinted(AREA_RATIO, "Leave it out for circles within the tolerance, or use 0.15."),
  alignment: rules.hinted(ALIGNMENT, 'Give an angle such as 30, or lines: `alignment: await readFeatures("roads.gpkg")`.'),
  alignmentTolerance: rules.length,
  circleCompactness: rules.hinted(COMPACTNESS, "Leave it out for 0.92, or use 2 for no circles."),
  ...rules.work,
};

/** The options with their defaults. */
export interface RegularizePlan {
  readonly method: RegularizeMethod;
  readonly tolerance: Length;
  readonly densification: Length;
  readonly precision: Length;
  readonly diagonalPenalty: number;
  readonly minRadius: Length;
  readonly maxRadius: Length;
  /** Null where circles keep to the tolerance. */
  readonly circleAreaRatio: number | null;
  /** Lines, an angle in radians, or null. */
  readonly alignment: AlignmentLines | number | null;
  /** Null for any distance. */
  readonly alignmentTolerance: Length | null;
  readonly circleCompactness: number;
}

/** @param crs - of the footprints @throws INVALID_ARGUMENT; CRS_MISSING when footprints and lines cannot be brought together */
export function makeRegularizePlan(options: RegularizeOptions, crs: Crs | null): RegularizePlan {
  checkOptions(options, RULES, VERB, "Give at least `tolerance: 1`, in metres: about the size of two or three pixels.");
  const { method = "rightAngles", diagonalPenalty = 1.5, circleCompactness = 0.92, circleAreaRatio = null } = options;
  refuseUnread(method, options);
  const tolerance = parseLength(options.tolerance);
  const densification = parseLength(options.densification ?? tolerance);
  const precision = parseLength(options.precision ?? 0);
  const minRadius = parseLength(options.minRadius ?? 0.1);
  const maxRadius = parseLength(options.maxRadius ?? 1_000_000);
  const alignmentTolerance = options.alignmentTolerance === undefined ? null : parseLength(options.alignmentTolerance);
  if (exceeds(densification, tolerance)) {
    throw wrongOption(VERB, "densification", options.densification, {
      ...RULES.densification,
      expected: "a length above 0 and at most the tolerance",
    });
  }
  if (exceeds(precision, { ...tolerance, value: tolerance.value / 4 })) {
    throw wrongOption(VERB, "precision", options.precision, { ...RULES.precision, expected: "at most a quarter of the tolerance" });
  }
  if (exceeds(minRadius, maxRadius)) {
    throw wrongOption(VERB, "minRadius", options.minRadius ?? 0.1, {
      expected: `at most \`maxRadius\`, which is ${showValue(options.maxRadius ?? 1_000_000)}`,
    });
  }
  const alignment = alignmentOf(options, crs);
  if (alignmentTolerance !== null && !(alignment instanceof AlignmentLines)) {
    throw wrongOption(VERB, "alignmentTolerance", options.alignmentTolerance, {
      expected: "lines that it is a distance from",
      hint: "Give the lines as `alignment`, or leave it out.",
    });
  }
  return {
    method,
    tolerance,
    densification,
    precision,
    diagonalPenalty,
    minRadius,
    maxRadius,
    circleAreaRatio,
    alignment,
    alignmentTolerance,
    circleCompactness,
  };
}

/** The plan in the units of a plane. */
export function settingsIn({ size }: Frame, plan: RegularizePlan): Settings {
  const tolerance = size(plan.tolerance);
  return {
    method: plan.method,
    tolerance,
    densification: Math.min(tolerance, size(plan.densification)),
    precision: Math.min(tolerance / 4, size(plan.precision)),
    diagonalPenalty: plan.diagonalPenalty,
    minRadius: size(plan.minRadius),
    maxRadius: size(plan.maxRadius),
    circleAreaRatio: plan.circleAreaRatio,
    circleCompactness: plan.circleCompactness,
  };
}

function alignmentOf({ alignment }: RegularizeOptions, crs: Crs | null): AlignmentLines | number | null {
  if (alignment === undefined) return null;
  return typeof alignment === "number" ? inQuarter((alignment * Math.PI) / 180) : new AlignmentLines(alignment, crs);
}

/** Lengths by different rulers are compared where the ground is known: when the work begins. */
function exceeds(one: Length, other: Length): boolean {
  return one.unit === other.unit && one.value > other.value;
}
