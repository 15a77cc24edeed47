/** The bytes of a chip's image and label files. */

import { type Affine, encodeGeoTiff, encodePng, GeoLearnError } from "@geolearn/core";

import type { ChipProfile } from "./chip-job.ts";
import type { CutChip } from "./cut-chip.ts";

/**
 * The image file. TIFF keeps every type and the reference system; PNG holds 1, 3 or 4 bands and JPEG 3, both of 8 bits.
 *
 * @throws UNSUPPORTED_FORMAT for bands that the format cannot hold
 */
export async function encodeImageChip(profile: ChipProfile, chip: CutChip, transform: Affine | null): Promise<Uint8Array> {
  const { width, height, bands, sampleType, chipFormat, crs, nodata, compression, bandNames } = profile;
  if (chipFormat === "tiff") {
    return encodeGeoTiff(
      { data: chip.image, bands, width, height },
      { sampleType, transform, crs, nodata, compression, level: profile.level, bandNames },
    );
  }
  const data = interleave(chip.image as Uint8Array, bands, width * height);
  if (chipFormat === "png") return encodePng({ width, height, channels: bands as 1 | 3 | 4, data });
  return encodeJpeg(data, width, height, profile.quality);
}

/** The label file: one band, the ignore value as nodata. */
export async function encodeLabelChip(
  profile: ChipProfile,
  labels: Uint8Array | Uint16Array,
  transform: Affine | null,
): Promise<Uint8Array> {
  const { width, height, crs, compression, labelType, ignoreValue } = profile;
  return encodeGeoTiff(
    { data: labels, bands: 1, width, height },
    { sampleType: labelType, transform, crs, nodata: ignoreValue, compression, predictor: false },
  );
}

/** Checks that a chip format can hold a raster's bands. @throws UNSUPPORTED_FORMAT */
export function checkChipFormat(format: ChipProfile["chipFormat"], bands: number, sampleType: string, name: string): void {
  const allowed = format === "png" ? [1, 3, 4] : [3];
  if (format === "tiff" || (sampleType === "uint8" && allowed.includes(bands))) return;
  throw new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${format.toUpperCase()} chips hold ${allowed.join(", ")} bands of uint8; ${name} gives ${bands} of ${sampleType}.`,
    { hint: 'Use `chipFormat: "tiff"`, or choose `bands`.', data: { format, bands, sampleType } },
  );
}

function interleave(data: Uint8Array, bands: number, pixels: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let band = 0; band < bands; band++) for (let i = 0, to = band; i < pixels; i++, to += bands) out[to] = data[band * pixels + i]!;
  return out;
}

/** Loaded when first needed. */
async function encodeJpeg(rgb: Uint8Array, width: number, height: number, quality: number): Promise<Uint8Array> {
  const { default: jpeg } = await import("jpeg-js");
  const data = new Uint8Array(width * height * 4);
  for (let i = 0, from = 0; i < data.length; i += 4, from += 3) {
    data[i] = rgb[from]!;
    data[i + 1] = rgb[from + 1]!;
    data[i + 2] = rgb[from + 2]!;
    data[i + 3] = 255;
  }
  return jpeg.encode({ data, width, height }, quality).data;
}
