/** Values of options, checked while a program runs: what makes no sense is told as it was written, before any work is done. */

import { GeoLearnError, type Length, parseLength, showValue } from "@geolearn/core";

/** Width and height in pixels; one number for both. */
export type PixelSize = number | { readonly width: number; readonly height: number };

/** Width and height in pixels. */
export type ChipSize = Exclude<PixelSize, number>;

/** Longest side of a chip, pixels. */
const LONGEST = 8192;

/** The error for a value that makes no sense. */
export function wrongValue(option: string, given: unknown, expected: string, hint: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `\`${option}\` is ${showValue(given)}; expected ${expected}.`, { hint, data: { option } });
}

/** @throws INVALID_ARGUMENT */
export function integerOption(option: string, value: number, [min, max]: readonly [number, number], hint: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrongValue(option, value, `an integer from ${min} to ${max}`, hint);
}

/** @throws INVALID_ARGUMENT */
export function numberOption(option: string, value: number, [min, max]: readonly [number, number], hint: string): number {
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw wrongValue(option, value, `a number from ${min} to ${max}`, hint);
}

/** @throws INVALID_ARGUMENT */
export function choiceOption<T extends string>(option: string, value: T, choices: readonly T[], hint: string): T {
  if (choices.includes(value)) return value;
  throw wrongValue(option, value, oneOf(choices), hint);
}

/** @throws INVALID_ARGUMENT */
export function sizeOption(option: string, size: PixelSize, hint: string, least = 1): ChipSize {
  const given: unknown = size;
  const { width, height } =
    typeof given === "object" && given !== null ? (given as Record<string, unknown>) : { width: given, height: given };
  if (isSide(width, least) && isSide(height, least)) return { width, height };
  throw wrongValue(option, given, `an integer from ${least} to ${LONGEST} pixels, or \`{ width, height }\` of such`, hint);
}

function isSide(side: unknown, least: number): side is number {
  return Number.isInteger(side) && (side as number) >= least && (side as number) <= LONGEST;
}

/** @throws INVALID_ARGUMENT */
export function lengthOption(option: string, given: number | string | Length, hint: string): Length {
  const length = parseLength(given, option);
  if (length.value > 0) return length;
  throw wrongValue(option, given, "a positive length", hint);
}

function oneOf(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `"${choice}"`);
  return `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)!}`;
}
