/** Where a photo was taken and which way it looks, as its EXIF data tell. */

import exifr from "exifr";

/** Position of a photo. */
export interface PhotoPosition {
  readonly longitude: number;
  readonly latitude: number;
  /** Degrees from true or magnetic north, clockwise, 0 to 360; null when the photo does not tell. */
  readonly heading: number | null;
}

/** The position of a photo, from its bytes; null when it has none, or none on the Earth. */
export async function photoPosition(bytes: Uint8Array): Promise<PhotoPosition | null> {
  const tags = (await exifr.parse(bytes, { tiff: true, exif: false, gps: true, mergeOutput: true }).catch(() => null)) as Record<
    string,
    unknown
  > | null;
  const number = (key: string): number | null => {
    const value = tags?.[key];
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  };
  const [longitude, latitude, direction] = [number("longitude"), number("latitude"), number("GPSImgDirection")];
  if (longitude === null || latitude === null || Math.abs(longitude) > 180 || Math.abs(latitude) > 90) return null;
  // Cameras without a fix write exactly 0, 0, a place in the ocean.
  if (longitude === 0 && latitude === 0) return null;
  return { longitude, latitude, heading: direction === null ? null : ((direction % 360) + 360) % 360 };
}
