/** Checks of values that were given: what was got, and what was expected. */

import { GeoLearnError, showValue, type WorkOptions } from "@geolearn/core";

/** Refuses a value that is not sound; one that was left out is. */
export type Check = (field: string, value: unknown, sound: (value: unknown) => boolean, expected: string) => void;

/** Checks whose messages begin with the verb. Each throws INVALID_ARGUMENT that shows the value and says what was expected. */
export function checks(verb: string): Check {
  return (field, value, sound, expected) => {
    if (value === undefined || sound(value)) return;
    throw new GeoLearnError("INVALID_ARGUMENT", `${verb} got ${field} ${showValue(value)}, expected ${expected}.`, {
      hint: `Change \`${field}\`, or leave it out.`,
      data: { field, value },
    });
  };
}

/** The values of {@link WorkOptions}. @throws INVALID_ARGUMENT */
export function checkWork(verb: string, { signal, onProgress, onWarning }: WorkOptions): void {
  const check = checks(verb);
  check("signal", signal, (value) => isObject(value) && "throwIfAborted" in value, "the signal of an AbortController");
  check("onProgress", onProgress, isFunction, "a function");
  check("onWarning", onWarning, isFunction, "a function");
}

/** The path of a figure, before it is made. @throws INVALID_ARGUMENT for what is no path; UNSUPPORTED_FORMAT for another extension */
export function checkFigurePath(verb: string, path: unknown): void {
  if (path === undefined) return;
  if (typeof path !== "string") {
    throw new GeoLearnError("INVALID_ARGUMENT", `${verb}() got ${showValue(path)} for the path, expected text.`, {
      hint: `The path comes first: \`${verb}("figure.png")\`, or undefined to write no file.`,
    });
  }
  if (/\.(png|svg)$/i.test(path)) return;
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `${verb}() cannot save its figure as "${path}".`, {
    hint: "Use a path ending in .png or .svg.",
  });
}

export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
export const isFunction = (value: unknown): boolean => typeof value === "function";
export const isObject = <T>(value: T): value is Extract<T, object> => typeof value === "object" && value !== null;
export const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
export const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
export const isFromZero = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
export const isAboveZero = (value: unknown): value is number => isFromZero(value) && value > 0;
export const oneOf =
  (...known: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "string" && known.includes(value);
