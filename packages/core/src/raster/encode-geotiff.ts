/** Small GeoTIFFs in one piece, such as training chips: no tiles, no reduced copies, one strip. */

import { deflateZlib } from "#deflate";

import { GeoLearnError } from "../errors.ts";
import type { Samples } from "./raster.ts";
import { type Tag, directoriesSize, encodeDirectories, encodeSignature } from "./tiff-out/directory.ts";
import { type Predictor, applyPredictor } from "./tiff-out/predictor.ts";
import { type TagProfile, checkProfile, imageTags, sampleTags } from "./tiff-out/profile-tags.ts";
import { holdsSamples, sampleBytes } from "./samples.ts";

/** The samples of {@link encodeGeoTiff}. */
export interface GeoTiffImage {
  /** Band after band: index `(band * height + row) * width + col`. */
  readonly data: Samples;
  readonly bands: number;
  readonly height: number;
  readonly width: number;
}

/** Options of {@link encodeGeoTiff}. */
export interface GeoTiffProfile extends Omit<TagProfile, "bands"> {
  /** Deflate level 1 to 9. @defaultValue 6 */
  readonly level?: number;
  /** Whether differences of neighbours are deflated instead of the samples. @defaultValue true, but false for class rasters */
  readonly predictor?: boolean;
}

/**
 * The bytes of a GeoTIFF of at most 2 GiB: bands interleaved by pixel, one strip. The input is not changed.
 *
 * @throws INVALID_ARGUMENT, CRS_UNKNOWN for what no GeoTIFF can hold
 * @example
 * await writeAtomic("chip.tif", await encodeGeoTiff(chip, { sampleType: "uint8", transform, crs }));
 */
export async function encodeGeoTiff(image: GeoTiffImage, profile: GeoTiffProfile): Promise<Uint8Array> {
  const { data, bands, width, height } = image;
  const full = { ...profile, bands };
  checkProfile(full, width, height);
  const { sampleType, compression = "deflate" } = profile;
  const bytes = data.length * sampleBytes(sampleType);
  if (!holdsSamples(sampleType, data) || data.length !== bands * width * height || bytes > 2 ** 31 - 1) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `Got ${data.length} samples in a ${data.constructor.name} for ${bands} bands of ${width} x ${height} ${sampleType}.`,
      { hint: "Give band after band, in the sample type of the profile; use createRaster() for more than 2 GiB." },
    );
  }
  const classes = profile.colorTable !== undefined || profile.classNames !== undefined;
  const predictor: Predictor = compression === "none" || !(profile.predictor ?? !classes) ? 1 : sampleType.startsWith("float") ? 3 : 2;

  const copied = bands > 1 || predictor !== 1;
  const pixels = copied ? interleave(data, bands, width * height) : data;
  applyPredictor(predictor, pixels, width, bands, sampleType);
  const plain = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const strip = compression === "none" ? plain : await deflateZlib(plain, profile.level ?? 6);

  const tags: Tag[] = [
    ...sampleTags({ ...full, compression }, width, height, predictor),
    ...imageTags(full, [], 1),
    { id: 278, type: "long", values: [height] },
    { id: 279, type: "long", values: [strip.byteLength] },
  ];
  const offset: [number] = [0];
  tags.push({ id: 273, type: "offset", values: offset });
  offset[0] = 8 + directoriesSize([tags], false);
  const out = new Uint8Array(offset[0] + strip.byteLength);
  out.set(encodeSignature(false, 8));
  out.set(encodeDirectories([tags], false, 8), 8);
  out.set(strip, offset[0]);
  return out;
}

/** Band after band to pixel after pixel, always a copy. */
function interleave(data: Samples, bands: number, pixels: number): Samples {
  if (bands === 1) return data.slice();
  const out = new (data.constructor as new (length: number) => Samples)(data.length);
  for (let band = 0; band < bands; band++) {
    for (let i = band * pixels, to = band, end = i + pixels; i < end; i++, to += bands) out[to] = data[i]!;
  }
  return out;
}
