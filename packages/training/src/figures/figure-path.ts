/** Where a figure goes, looked at before it is made. */

import { GeoLearnError, showValue } from "@geolearn/core";

/** @throws INVALID_ARGUMENT for what is no path; UNSUPPORTED_FORMAT for another extension */
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
