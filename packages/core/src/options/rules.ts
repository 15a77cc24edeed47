/** What options may be: rules for `checkOptions`. */

import { type Length, parseLength } from "../crs/length.ts";
import type { NetworkOptions } from "../raster/sources/network-policy.ts";
import type { WorkOptions } from "../progress.ts";
import type { OptionRule, OptionRules } from "./check-options.ts";

/** What is looked at elsewhere. */
export const any: OptionRule = { expected: "anything", accepts: () => true };
/** True or false. */
export const boolean: OptionRule = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
/** A text that is not empty. */
export const text: OptionRule = { expected: "a text", accepts: isFilled };
/** The path of a file or folder. */
export const path: OptionRule = { expected: "a path", accepts: isFilled };
/** A function. */
export const callback: OptionRule = { expected: "a function", accepts: (value) => typeof value === "function" };
/** An object that is no list. */
export const object: OptionRule = { expected: "an object", accepts: (value) => isObject(value) && !Array.isArray(value) };
/** A finite number above 0. */
export const aboveZero: OptionRule = { expected: "a number above 0", accepts: (value) => Number.isFinite(value) && (value as number) > 0 };
/** A number from 0 to 1. */
export const share: OptionRule = number(0, 1);
/** Metres on the ground, another unit, or units of the reference system. */
export const length: OptionRule = {
  expected: 'a length of at least 0, metres on the ground or such as "2 crs"',
  accepts: (value) => lengthOf(value) >= 0,
};
/** As {@link length}, but above 0. */
export const lengthAboveZero: OptionRule = {
  expected: 'a length above 0, metres on the ground or such as "2 crs"',
  accepts: (value) => lengthOf(value) > 0,
};
/** Polygons, or the path of a file with some. */
export const polygons: OptionRule = {
  expected: "a path, or features that were read",
  accepts: (value) => isFilled(value) || (isObject(value) && "features" in value && Array.isArray(value.features)),
};

/** What `openRaster` opens, which looks at it more closely. */
export const raster: OptionRule = {
  expected: "a path, glob, folder or address, the bytes of a file, an open raster, or a list of these",
  accepts: (value) => isFilled(value) || isObject(value),
};

/** Bands of a raster; which there are is looked at where it is open. */
export const bands: OptionRule = listOf("bands, by number from 0 or by name", either(whole(0), text));

/** A whole number, by default from 1. */
export function whole(from = 1, to = Infinity): OptionRule {
  return { expected: `a whole number ${range(from, to)}`, accepts: (value) => Number.isSafeInteger(value) && within(value, from, to) };
}

/** A finite number, not less than the first and not more than the second. */
export function number(from: number, to = Infinity): OptionRule {
  return { expected: `a number ${range(from, to)}`, accepts: (value) => Number.isFinite(value) && within(value, from, to) };
}

/** One of some words. */
export function oneOf(...words: readonly string[]): OptionRule {
  const quoted = words.map((word) => `"${word}"`);
  return {
    expected: quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`,
    accepts: (value) => typeof value === "string" && words.includes(value),
    words,
  };
}

/** What one of some rules accepts. */
export function either(...rules: readonly OptionRule[]): OptionRule {
  return {
    expected: rules.map(({ expected }) => expected).join(", "),
    accepts: (value) => rules.some((rule) => rule.accepts(value)),
    words: rules.flatMap(({ words = [] }) => words),
  };
}

/** A list of what a rule accepts. */
export function listOf(items: string, item: Pick<OptionRule, "accepts">): OptionRule {
  return { expected: `a list of ${items}`, accepts: (value) => Array.isArray(value) && value.every((one) => item.accepts(one)) };
}

/** An object each of whose fields is as its rule says; it may have others. */
export function fields(expected: string, known: Readonly<Record<string, OptionRule>>): OptionRule {
  return {
    expected,
    accepts: (value) =>
      isObject(value) && Object.entries(known).every(([field, rule]) => rule.accepts((value as Record<string, unknown>)[field])),
  };
}

/** The rule, of an option that must be given. */
export function required(rule: OptionRule): OptionRule {
  return { ...rule, required: true };
}

/** The rule, with what to do instead. */
export function hinted(rule: OptionRule, hint: string): OptionRule {
  return { ...rule, hint };
}

/** Rules for {@link WorkOptions}. */
export const work: OptionRules<WorkOptions> = {
  signal: { expected: "the signal of an AbortController", accepts: (value) => isObject(value) && "throwIfAborted" in value },
  onProgress: callback,
  onWarning: callback,
};

/** Rules for {@link NetworkOptions}; what a policy may hold is looked at where addresses are. */
export const network: OptionRules<NetworkOptions> = {
  network: { expected: "true, false or a policy", accepts: (value) => typeof value === "boolean" || object.accepts(value) },
};

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function within(value: unknown, from: number, to: number): boolean {
  return (value as number) >= from && (value as number) <= to;
}

function range(from: number, to: number): string {
  return to === Infinity ? `from ${from}` : `from ${from} to ${to}`;
}

/** The number of a length, NaN for what is none. */
function lengthOf(value: unknown): number {
  if (typeof value !== "number" && typeof value !== "string" && !object.accepts(value)) return NaN;
  try {
    return parseLength(value as number | string | Length).value;
  } catch {
    return NaN;
  }
}
