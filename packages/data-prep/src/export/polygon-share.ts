/** How much of a polygon lies inside a rectangle of pixels. */

import type { Geometry, Position } from "geojson";

import { type Affine, applyAffine, invertAffine } from "@geolearn/core";

/**
 * Share of a geometry's area inside a grid, 0 to 1; 1 for geometries without area.
 *
 * @param transform pixel to world of the grid, `width` x `height` pixels
 */
export function shareInside(geometry: Geometry, transform: Affine, width: number, height: number): number {
  const toPixel = invertAffine(transform);
  let whole = 0;
  let inside = 0;
  for (const polygon of polygonsOf(geometry)) {
    polygon.forEach((ring, index) => {
      const pixels = ring.map(([x, y]) => applyAffine(toPixel, x!, y!));
      const sign = index === 0 ? 1 : -1;
      whole += sign * Math.abs(ringArea(pixels));
      inside += sign * Math.abs(ringArea(clip(pixels, width, height)));
    });
  }
  return whole > 0 ? Math.min(1, Math.max(0, inside / whole)) : 1;
}

function polygonsOf(geometry: Geometry): readonly Position[][][] {
  if (geometry.type === "Polygon") return [geometry.coordinates];
  if (geometry.type === "MultiPolygon") return geometry.coordinates;
  if (geometry.type === "GeometryCollection") return geometry.geometries.flatMap(polygonsOf);
  return [];
}

type Point = readonly [x: number, y: number];

/** Sutherland and Hodgman's clipping: for concave rings it adds edges along the border, which carry no area. */
function clip(ring: readonly Point[], width: number, height: number): readonly Point[] {
  let points = ring;
  const sides: readonly [inside: (p: Point) => number][] = [[([x]) => x], [([x]) => width - x], [([, y]) => y], [([, y]) => height - y]];
  for (const [distance] of sides) {
    const next: Point[] = [];
    for (let i = 0; i < points.length; i++) {
      const from = points[(i + points.length - 1) % points.length]!;
      const to = points[i]!;
      const before = distance(from);
      const after = distance(to);
      if (before >= 0 !== after >= 0) {
        const t = before / (before - after);
        next.push([from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])]);
      }
      if (after >= 0) next.push(to);
    }
    points = next;
    if (points.length === 0) break;
  }
  return points;
}

/** Signed area by the shoelace formula, relative to the first point so that large coordinates lose no digits. */
function ringArea(points: readonly Point[]): number {
  const first = points[0];
  if (first === undefined) return 0;
  let double = 0;
  for (let i = 0; i < points.length; i++) {
    const [x1, y1] = points[i]!;
    const [x2, y2] = points[(i + 1) % points.length]!;
    double += (x1 - first[0]) * (y2 - first[1]) - (x2 - first[0]) * (y1 - first[1]);
  }
  return double / 2;
}
