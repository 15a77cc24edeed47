/** Rules for options that several verbs take. */

import { type OptionRule, rules } from "@geolearn/core";

import { MAX_CLASS_VALUE } from "./esri/model-definition.ts";

/** Width and height in pixels; one number for both. */
export type PixelSize = number | { readonly width: number; readonly height: number };

/** Width and height in pixels. */
export type ChipSize = Exclude<PixelSize, number>;

/** Longest side of a chip, pixels. */
const LONGEST = 8192;

/** A {@link PixelSize} with sides from this on. */
export function sizeFrom(from: number): OptionRule {
  const side = rules.whole(from, LONGEST);
  return rules.either(side, rules.fields("or { width, height } of such", { width: side, height: side }));
}

/** Width and height of what is as {@link sizeFrom} says. */
export function chipSizeOf(size: PixelSize): ChipSize {
  if (typeof size === "number") return { width: size, height: size };
  return { width: size.width, height: size.height };
}

/** Classes that are declared; a name may be empty, colours are optional. */
export const CLASSES: OptionRule = rules.listOf(
  "classes, each with a value and a name",
  rules.fields("a class", {
    value: rules.whole(0, MAX_CLASS_VALUE),
    name: { expected: "a text", accepts: (name) => typeof name === "string" },
  }),
);

/** Share of an object that must lie in a chip. */
export const MIN_OVERLAP: OptionRule = rules.hinted(rules.share, "`minOverlap: 0.3` leaves out what is cut to less than 30 %.");
