/** Which options say something to which method. */

import { GeoLearnError } from "@geolearn/core";

import type { RegularizeOptions } from "./options.ts";
import type { RegularizeMethod } from "./settings.ts";

type OptionName = keyof RegularizeOptions;

const OF_CIRCLES: readonly OptionName[] = ["minRadius", "maxRadius", "circleAreaRatio"];
const OF_LINES: readonly OptionName[] = ["alignment", "alignmentTolerance"];

/** Options each method would pass over. Without a diagonal penalty, `anyAngles` has no directions that could follow lines either. */
const UNREAD: Readonly<Record<RegularizeMethod, readonly OptionName[]>> = {
  rightAngles: ["diagonalPenalty"],
  rightAnglesAndDiagonals: [],
  anyAngles: ["precision", ...OF_CIRCLES, "circleCompactness"],
  circle: ["densification", "precision", "diagonalPenalty", ...OF_LINES, "circleCompactness"],
};

/** Ways to regularize. */
export const METHODS = Object.keys(UNREAD) as readonly RegularizeMethod[];

/** Refuses options that were given but have no say in the method. @throws INVALID_ARGUMENT */
export function refuseUnread(method: RegularizeMethod, options: RegularizeOptions): void {
  const given = (name: OptionName): boolean => options[name] !== undefined;
  const field = UNREAD[method].find(given);
  if (field !== undefined) {
    const others = METHODS.filter((other) => !UNREAD[other].includes(field)).map((other) => `\`method: "${other}"\``);
    throw unread(field, options[field], `\`method: "${method}"\``, others);
  }
  const directionless = method === "anyAngles" && options.diagonalPenalty === 0 ? OF_LINES.find(given) : undefined;
  if (directionless !== undefined) {
    throw unread(directionless, options[directionless], '`method: "anyAngles"` and `diagonalPenalty: 0`', [
      '`method: "rightAngles"`',
      "a penalty above 0",
    ]);
  }
}

function unread(field: OptionName, value: unknown, where: string, others: readonly string[]): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `\`${field}\` is not read with ${where}.`, {
    hint: `Leave it out, or use it with ${others.join(" or ")}.`,
    data: { field, value },
  });
}
