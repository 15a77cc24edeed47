/** Decodes PNG and JPEG chips under a deadline, away from the main thread: the bytes come from outside. */

import { createRequire } from "node:module";

import { serveRequests } from "@geolearn/core";
import { decode as decodePng } from "fast-png";

import type { DecodedPicture, PictureRequest } from "./decode-picture.ts";

interface JpegDecoder {
  decode(
    bytes: Uint8Array,
    options: { useTArray: true; formatAsRGBA: false; maxMemoryUsageInMB: number },
  ): { width: number; height: number; data: Uint8Array };
}

serveRequests<PictureRequest, DecodedPicture>(({ kind, bytes }) => {
  const picture = kind === "png" ? png(bytes) : jpeg(bytes);
  return { reply: picture, transfer: [picture.data.buffer as ArrayBuffer] };
});

function png(bytes: Uint8Array): DecodedPicture {
  const { width, height, channels, depth, data, palette } = decodePng(bytes);
  if (palette !== undefined || (depth !== 8 && depth !== 16) || (!(data instanceof Uint8Array) && !(data instanceof Uint16Array))) {
    throw new Error(`a PNG with ${palette === undefined ? `${depth} bits a sample` : "a palette"} is not read as a chip`);
  }
  return { width, height, channels, data: data.slice() };
}

function jpeg(bytes: Uint8Array): DecodedPicture {
  const { decode } = createRequire(import.meta.url)("jpeg-js") as JpegDecoder;
  const { width, height, data } = decode(bytes, { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 1024 });
  return { width, height, channels: data.length / (width * height), data: data.slice() };
}
