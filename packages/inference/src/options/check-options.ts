/** Options are looked at before model and scene are: their names, and what each of them is. */

import { checkOptionNames, GeoLearnError, type NetworkOptions, parseLength, showValue, type WorkOptions } from "@geolearn/core";

/** What an option may be. */
export interface OptionRule {
  /** For the message, after "expected". */
  readonly expected: string;
  accepts(value: unknown): boolean;
}

/** A rule for each of some options. The compiler keeps it complete: an option that is added must be listed. */
export type OptionRules<T extends object> = Readonly<Record<keyof T, OptionRule>>;

/**
 * Refuses options that nothing reads, and values that an option cannot have; `undefined` is as good as left out.
 *
 * @param where whose options they are, for the message: `"classifyPixels()"`
 * @throws INVALID_ARGUMENT
 */
export function checkOptions<T extends object>(given: T, rules: OptionRules<T>, where: string): void {
  checkOptionNames<object>(given, rules, where);
  for (const [field, value] of Object.entries(given)) {
    const { accepts, expected } = rules[field as keyof T];
    if (value === undefined || accepts(value)) continue;
    throw new GeoLearnError("INVALID_ARGUMENT", `\`${field}\` is ${showValue(value)}; expected ${expected}.`, {
      hint: `Change \`${field}\`, or leave it out.`,
      data: { field, value: value as unknown },
    });
  }
}

export const isBoolean: OptionRule = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
export const isText: OptionRule = { expected: "a text", accepts: isFilled };
export const isPath: OptionRule = { expected: "a path", accepts: isFilled };
/** A whole number of at least 1. */
export const isCount: OptionRule = {
  expected: "a whole number of at least 1",
  accepts: (value) => Number.isInteger(value) && (value as number) >= 1,
};
export const isAboveZero: OptionRule = {
  expected: "a number above 0",
  accepts: (value) => Number.isFinite(value) && (value as number) > 0,
};
export const isFromZero: OptionRule = {
  expected: "a number of at least 0",
  accepts: (value) => Number.isFinite(value) && (value as number) >= 0,
};
/** A number from 0 to 1. */
export const isShare: OptionRule = {
  expected: "a number from 0 to 1",
  accepts: (value) => typeof value === "number" && value >= 0 && value <= 1,
};
/** A length on the ground, or `"N crs"`. */
export const isLength: OptionRule = {
  expected: 'a length of at least 0, metres on the ground or such as "2 crs"',
  accepts(value) {
    if (typeof value !== "number" && typeof value !== "string") return false;
    try {
      return parseLength(value).value >= 0;
    } catch {
      return false;
    }
  },
};
/** Polygons, or the path of a file with some. */
export const isPolygons: OptionRule = {
  expected: "a path, or features that were read",
  accepts: (value) => isFilled(value) || (isObject(value) && "features" in value && Array.isArray(value.features)),
};

/** One of some words. */
export function isOneOf(...words: readonly string[]): OptionRule {
  const quoted = words.map((word) => `"${word}"`);
  return {
    expected: `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`,
    accepts: (value) => typeof value === "string" && words.includes(value),
  };
}

/** What one of two rules accepts. */
export function isEither(one: OptionRule, other: OptionRule): OptionRule {
  return { expected: `${one.expected}, ${other.expected}`, accepts: (value) => one.accepts(value) || other.accepts(value) };
}

/** A list whose items pass a test. */
export function isListOf(items: string, accepts: (item: unknown) => boolean): OptionRule {
  return { expected: `a list of ${items}`, accepts: (value) => Array.isArray(value) && value.every(accepts) };
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

const isFunction: OptionRule = { expected: "a function", accepts: (value) => typeof value === "function" };

/** Rules for {@link WorkOptions}. */
export const WORK_RULES: OptionRules<WorkOptions> = {
  signal: { expected: "an AbortSignal", accepts: (value) => isObject(value) && "throwIfAborted" in value },
  onProgress: isFunction,
  onWarning: isFunction,
};

/** Rules for {@link NetworkOptions}; what a policy may hold is looked at where addresses are. */
export const NETWORK_RULES: OptionRules<NetworkOptions> = {
  network: { expected: "true, false or a policy", accepts: (value) => typeof value === "boolean" || isObject(value) },
};
