/** The pixel-to-world map of a GeoTIFF (OGC 19-008r4 section 7.3 and annex B.6). */

import type { Affine } from "../../affine.ts";
import type { Directory } from "./directories.ts";
import { tags } from "./tags.ts";

/** Whether coordinates speak of pixel corners (area) or centres (point). */
export type RasterSpace = "area" | "point";

/**
 * The transform of an image, or null when it has none or only ground control points. Pixel (0, 0) is the outer corner of
 * the first pixel, also where the file speaks of pixel centres.
 */
export async function readTransform(directory: Directory, space: RasterSpace): Promise<Affine | null> {
  const transform = await storedTransform(directory);
  if (transform === null || !transform.every(Number.isFinite)) return null;
  const [a, b, c, d, e, f] = transform;
  if (a * e - b * d === 0) return null;
  return space === "area" ? transform : [a, b, c - 0.5 * (a + b), d, e, f - 0.5 * (d + e)];
}

/** Number of ground control points: tie points without a scale. */
export async function countControlPoints(directory: Directory): Promise<number> {
  const tiePoints = directory.count(tags.modelTiepoint) / 6;
  const placed = directory.has(tags.modelPixelScale) || directory.has(tags.modelTransformation);
  return placed || tiePoints < 2 ? 0 : Math.floor(tiePoints);
}

async function storedTransform(directory: Directory): Promise<Affine | null> {
  const scale = await directory.numbers(tags.modelPixelScale);
  const tie = await directory.numbers(tags.modelTiepoint);
  if (scale !== null && scale.length >= 2 && tie !== null && tie.length >= 6) {
    const [col, row, , x, y] = tie as unknown as [number, number, number, number, number];
    const [sx, sy] = scale as unknown as [number, number];
    return [sx, 0, x - col * sx, 0, -sy, y + row * sy];
  }
  const matrix = await directory.numbers(tags.modelTransformation);
  if (matrix === null || matrix.length < 16) return null;
  return [matrix[0]!, matrix[1]!, matrix[3]!, matrix[4]!, matrix[5]!, matrix[7]!];
}
