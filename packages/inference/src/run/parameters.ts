/** Values for the parameters of a function. */

import { GeoLearnError } from "@geolearn/core";

import type { SceneFunction } from "../inference-function.ts";

/** A value of a parameter. */
export type ParameterValue = number | string | boolean;

/**
 * The value of each parameter of a function: the given one, else its default.
 *
 * @throws INVALID_ARGUMENT for a name the function does not have, and for a value of another type
 */
export function parameterValues(
  fn: SceneFunction,
  given: Readonly<Record<string, ParameterValue>> = {},
): Readonly<Record<string, ParameterValue>> {
  const known = fn.parameters();
  const unknown = Object.keys(given).find((name) => !known.some((one) => one.name === name));
  if (unknown !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The function ${fn.name} has no parameter "${unknown}".`, {
      hint: known.length === 0 ? "It has none." : `It has ${known.map(({ name, description }) => `${name} (${description})`).join(", ")}.`,
      data: { parameter: unknown },
    });
  }
  return Object.fromEntries(
    known.map(({ name, type, default: usual }) => {
      const value = given[name] ?? usual;
      if (typeof value === type && (type !== "number" || Number.isFinite(value))) return [name, value];
      throw new GeoLearnError("INVALID_ARGUMENT", `The parameter ${name} of ${fn.name} is ${JSON.stringify(value)}; expected a ${type}.`, {
        hint: `Leave it out for ${JSON.stringify(usual)}.`,
        data: { parameter: name },
      });
    }),
  );
}
