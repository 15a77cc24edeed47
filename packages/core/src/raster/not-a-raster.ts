/** The error for a file that is no raster, with where it belongs. */

import { GeoLearnError } from "../errors.ts";
import { type FileKind, fileKind } from "../files/file-kind.ts";
import type { ByteSource } from "./sources/byte-source.ts";

const CONVERT = "gdal_translate -of COG INPUT OUTPUT.tif";

const KINDS: Readonly<Record<FileKind, { readonly what: string; readonly hint: string }>> = {
  vector: { what: "it is vector data", hint: "Give an image here and this file as labels; were raster and labels swapped?" },
  weights: {
    what: "it is a PyTorch weight file",
    hint: "Give an image here; weights go to `geolearn train --weights`.",
  },
  model: {
    what: "it is a model file",
    hint: "Give an image here; a model package goes to `geolearn classify-pixels --model`, and `geolearn import-onnx` makes one of an ONNX file.",
  },
  image: { what: "it is of another format", hint: `Convert it: ${CONVERT}` },
  archive: { what: "it is a compressed archive", hint: "Unpack it and give the image inside." },
  text: { what: "it is text", hint: "Give an image; check the path." },
};

/** @param formats the formats that are read, for the message */
export function notARaster({ name, size }: ByteSource, head: Uint8Array, formats: string): GeoLearnError {
  if (size === 0) return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is empty.`, { hint: "Copy or download the file again." });
  const kind = fileKind(head, name);
  const { what, hint } =
    kind === null
      ? { what: "it does not begin like one", hint: `If it is an image of another format, convert it: ${CONVERT}` }
      : KINDS[kind];
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is not a ${formats}: ${what}.`, { hint });
}
