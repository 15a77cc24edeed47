/** Objects in pixels of a scene. */

import type { MaskWindow } from "@geolearn/core";

/** Which pixels of an object's box belong to it, in pixels of the scene. */
export type PixelMask = MaskWindow;

/** A box in pixels of the scene, from its upper left corner. */
export type PixelBox = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

/** What one window shows of an object. */
export interface Sighting {
  readonly box: PixelBox;
  /** 0 to 1. */
  readonly score: number;
  readonly classIndex: number;
  /** Only from detectors that outline what they find. */
  readonly mask?: PixelMask | undefined;
}

/** An object of the scene. */
export interface SceneObject {
  readonly box: PixelBox;
  readonly score: number;
  readonly classIndex: number;
  readonly mask: PixelMask | null;
  /** Windows that saw it. */
  readonly windows: number;
}

/** The part of a box inside another; where it has none, its sides meet. */
export function clipBox([x0, y0, x1, y1]: PixelBox, [left, top, right, bottom]: PixelBox): PixelBox {
  const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
  return [clamp(x0, left, right), clamp(y0, top, bottom), clamp(x1, left, right), clamp(y1, top, bottom)];
}

/** Bounds of the mask's pixels inside a box; null when none is. */
export function maskBoundsIn({ left, top, width, height, bits }: PixelMask, within: PixelBox): PixelBox | null {
  const [x0, y0] = [Math.max(left, Math.floor(within[0])), Math.max(top, Math.floor(within[1]))];
  const [x1, y1] = [Math.min(left + width, Math.ceil(within[2])), Math.min(top + height, Math.ceil(within[3]))];
  let [minX, minY, maxX, maxY] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if (bits[(y - top) * width + x - left] === 0) continue;
      if (x < minX) minX = x;
      if (x > maxX) maxX = x;
      if (y < minY) minY = y;
      maxY = y;
    }
  }
  return maxX < minX ? null : [minX, minY, maxX + 1, maxY + 1];
}
