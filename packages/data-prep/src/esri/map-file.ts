/**
 * `map.txt`: one row per chip, image path, two blanks, label path, one blank, with back-slashes. Older and newer exports
 * differ in the number of blanks and in the line ends; both slashes are read.
 */

import { posix } from "node:path";

import { GeoLearnError } from "@geolearn/core";

/** One row: paths below the chip folder, with forward slashes. */
export interface MapRow {
  readonly image: string;
  /** Empty where chips have no label files. */
  readonly label: string;
}

/** Most rows that are read. */
const MAX_ROWS = 5_000_000;

const ROW = /^(.+?\.(?:tiff?|png|jpe?g|mrf))(?:[ \t]+(\S.*))?$/i;

/**
 * The rows of a `map.txt`.
 *
 * @param text content of the file
 * @param path where it came from, for messages
 * @throws CHIPS_CORRUPT for a row of another form or one that leads out of the folder
 */
export function parseMapFile(text: string, path: string): MapRow[] {
  const rows: MapRow[] = [];
  let line = 0;
  for (const raw of text.split(/\r\n|\n|\r/)) {
    line++;
    const trimmed = raw.trim();
    if (trimmed === "") continue;
    const match = ROW.exec(trimmed);
    if (match === null) {
      throw new GeoLearnError("CHIPS_CORRUPT", `${path}, line ${line}: expected an image and a label path, found "${clip(trimmed)}".`, {
        hint: "A row reads: images\\000000000.tif  labels\\000000000.tif",
        data: { path, line },
      });
    }
    if (rows.length >= MAX_ROWS) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has more than ${MAX_ROWS} rows.`, { hint: "Split the folder.", data: { path } });
    }
    rows.push({ image: insidePath(match[1]!, path, line), label: match[2] === undefined ? "" : insidePath(match[2], path, line) });
  }
  return rows;
}

/** The rows as Esri writes them. */
export function formatMapFile(rows: Iterable<MapRow>): string {
  let text = "";
  for (const { image, label } of rows)
    text += `${[image, label]
      .filter((path) => path !== "")
      .map((path) => path.replaceAll("/", "\\"))
      .join("  ")} \n`;
  return text;
}

/** A path from a file, with forward slashes. @throws CHIPS_CORRUPT when it leads out of the folder */
export function insidePath(written: string, path: string, line: number): string {
  const forward = written.trim().replaceAll("\\", "/");
  const normal = posix.normalize(forward);
  const escapes = normal.startsWith("/") || normal === ".." || normal.startsWith("../") || /^[a-z]:/i.test(normal) || normal.includes("\0");
  if (escapes) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${path}, line ${line}: "${clip(written)}" leads out of the chip folder.`, {
      hint: "Chips must lie inside the folder; the file was not followed.",
      data: { path, line },
    });
  }
  return normal.replace(/^\.\//, "");
}

function clip(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
