/** Width and height of a PNG or JPEG from its header, before anything is decoded. */

import { GeoLearnError } from "@geolearn/core";

/** Largest picture that is decoded, in pixels. */
const MAX_PIXELS = 2 ** 26;

/** Kind and size of a picture. @throws CHIPS_CORRUPT for other bytes, LIMIT_EXCEEDED for a picture that is too large */
export function pictureSize(bytes: Uint8Array, path: string): { kind: "png" | "jpeg"; width: number; height: number } {
  const found = pngSize(bytes) ?? jpegSize(bytes);
  if (found === null) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${path} is neither a PNG nor a JPEG picture.`, {
      hint: "Export the chip again.",
      data: { path },
    });
  }
  if (found.width < 1 || found.height < 1 || found.width * found.height > MAX_PIXELS) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${found.width} x ${found.height} pixels; a chip may have ${MAX_PIXELS}.`, {
      hint: "Export smaller chips.",
      data: { path },
    });
  }
  return found;
}

function pngSize(bytes: Uint8Array): { kind: "png"; width: number; height: number } | null {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (bytes.length < 24 || signature.some((byte, i) => bytes[i] !== byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { kind: "png", width: view.getUint32(16), height: view.getUint32(20) };
}

/** The first frame header (SOF0 to SOF15 without the tables among them). */
function jpegSize(bytes: Uint8Array): { kind: "jpeg"; width: number; height: number } | null {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) return { kind: "jpeg", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    const length = view.getUint16(at + 2);
    if (length < 2) return null;
    at += 2 + length;
  }
  return null;
}
