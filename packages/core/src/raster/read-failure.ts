/** Errors of reading, told in terms of the file. */

import { GeoLearnError } from "../errors.ts";

/** Names the file and the blocks in an error of fetching or decoding; cancelling passes unchanged. */
export function readFailure(error: unknown, name: string, blocks: readonly number[]): unknown {
  if (error instanceof Error && error.name === "AbortError") return error;
  const which = blocks.length === 1 ? `block ${blocks[0]}` : `blocks ${blocks[0]} to ${blocks[blocks.length - 1]}`;
  if (GeoLearnError.is(error, "RASTER_CORRUPT") && !error.message.startsWith("A block")) return error;
  if (GeoLearnError.is(error, "TIMEOUT")) {
    return new GeoLearnError("TIMEOUT", `${name}: ${which} could not be decoded in time.`, {
      hint: "The file is damaged, or its blocks are very large: rewrite it with gdal_translate -of COG, or raise `deadline`.",
      data: { blocks },
      cause: error,
    });
  }
  if (GeoLearnError.is(error) && error.code !== "RASTER_CORRUPT" && error.code !== "LIMIT_EXCEEDED") return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new GeoLearnError("RASTER_CORRUPT", `${name} is damaged in ${which}: ${reason.replace(/^A block is damaged: /, "")}`, {
    hint: "Copy or download the file again.",
    data: { blocks },
    cause: error,
  });
}
