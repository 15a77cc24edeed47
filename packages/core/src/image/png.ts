/** PNG out: 8-bit gray, RGB or RGBA. */

import { encode } from "fast-png";

import { GeoLearnError } from "../errors.ts";

/** An 8-bit picture, pixels interleaved: index `(row * width + col) * channels + channel`. */
export interface PixelImage {
  readonly width: number;
  readonly height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
  readonly channels: 1 | 2 | 3 | 4;
  readonly data: Uint8Array;
}

/**
 * A picture as the bytes of a PNG file.
 *
 * @example
 * await writeAtomic("scene.png", encodePng(renderBands(await raster.read())));
 *
 * @throws INVALID_ARGUMENT when the data do not fill `width * height * channels`.
 */
export function encodePng(image: PixelImage): Uint8Array {
  const { width, height, channels, data } = image;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || data.length !== width * height * channels) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `A picture of ${width} x ${height} pixels with ${channels} channels needs ${width * height * channels} bytes; got ${data.length}.`,
      { hint: "Give interleaved 8-bit samples, row by row." },
    );
  }
  // Level 6 packs class maps and imagery nearly as tight as 9 at a fraction of the time.
  return encode({ width, height, channels, data, depth: 8 }, { zlib: { level: 6 } });
}
