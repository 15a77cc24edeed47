/**
 * World files (.tfw, .pgw, .jgw): six lines a, d, b, e and the centre of the upper left pixel. They carry no reference
 * system.
 */

import { type Affine, GeoLearnError } from "@geolearn/core";

/** The text of a world file. */
export function formatWorldFile([a, b, c, d, e, f]: Affine): string {
  const centre = [c + a / 2 + b / 2, f + d / 2 + e / 2];
  return `${[a, d, b, e, ...centre].map(exact).join("\n")}\n`;
}

/** The transform of a world file. @throws CHIPS_CORRUPT when it is not six finite numbers */
export function parseWorldFile(text: string, path: string): Affine {
  const parts = text.trim().split(/\s+/);
  const [a, d, b, e, x, y] = parts.map(Number);
  const all = [a, d, b, e, x, y];
  if (parts.length < 6 || !all.every((value) => value !== undefined && Number.isFinite(value))) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${path} is not a world file: expected six numbers, one a line.`, {
      hint: "Delete the file to read the chip without a position.",
      data: { path },
    });
  }
  return [a!, b!, x! - a! / 2 - b! / 2, d!, e!, y! - d! / 2 - e! / 2];
}

/** Name of the world file of an image: first and last letter of the extension, and a w. */
export function worldFileName(imagePath: string): string {
  const dot = imagePath.lastIndexOf(".");
  const extension = imagePath.slice(dot + 1);
  return `${imagePath.slice(0, dot + 1)}${extension[0] ?? ""}${extension.at(-1) ?? ""}w`;
}

/** All digits, without an exponent where the number can be written so. */
function exact(value: number): string {
  const plain = String(value);
  if (!plain.includes("e")) return Number.isInteger(value) ? `${plain}.0` : plain;
  return value.toFixed(Math.min(100, Math.max(0, 17 - Math.floor(Math.log10(Math.abs(value) || 1)))));
}
