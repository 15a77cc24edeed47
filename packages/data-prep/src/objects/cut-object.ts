/** A label feature as a chip shows it: what the object formats write. */

import type { Geometry } from "geojson";

import type { Affine } from "@geolearn/core";

import { type Box, boxArea, boxAround } from "./box.ts";
import { clipRings, pixelRings, type Ring, ringsArea } from "./clip-polygon.ts";

/** One object in one chip; plain data, so that it can be sent to a worker. */
export interface CutObject {
  readonly classValue: number;
  /** Around the part inside the chip. */
  readonly box: Box;
  /** The part inside the chip, in its pixels. */
  readonly rings: readonly Ring[];
  /** Square pixels of that part. */
  readonly area: number;
  /** Its share of the whole object, 0 to 1. */
  readonly share: number;
  /** The whole object in world coordinates, to be burnt. */
  readonly geometry: Geometry;
}

/** A grid of pixels on the ground. */
export interface Grid {
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
}

/** Label files give coordinates in hundredths of a pixel: a box smaller than that would be written without a size. */
const HUNDREDTH = 100;

/** The part of a polygon inside a grid; null when that has no size. */
export function cutObject(geometry: Geometry, classValue: number, { transform, width, height }: Grid): CutObject | null {
  const whole = pixelRings(geometry, transform);
  const around = boxAround(whole);
  if (around === null) return null;
  const contained = around[0] >= 0 && around[1] >= 0 && around[2] <= width && around[3] <= height;
  const rings = contained ? whole : clipRings(whole, width, height);
  const box = boxAround(rings);
  if (box === null) return null;
  const [xmin, ymin, xmax, ymax] = box.map((value) => Math.round(value * HUNDREDTH));
  if (!(xmax! > xmin! && ymax! > ymin!)) return null;
  const area = Math.max(0, ringsArea(rings));
  const wholeArea = ringsArea(whole);
  // a ring that crosses itself may enclose nothing in sum: its boxes are compared instead
  const part = wholeArea > 0 ? area / wholeArea : boxArea(box) / boxArea(around);
  return { classValue, box, rings, area, share: contained ? 1 : Math.min(1, part), geometry };
}

/** Share of a geometry's area inside a grid, 0 to 1; 1 for geometries without area. */
export function shareInside(geometry: Geometry, transform: Affine, width: number, height: number): number {
  const whole = pixelRings(geometry, transform);
  const area = ringsArea(whole);
  return area > 0 ? Math.min(1, Math.max(0, ringsArea(clipRings(whole, width, height)) / area)) : 1;
}
