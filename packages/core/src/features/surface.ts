/**
 * Areas that polygons cover and share, of any rings whatever: a point belongs to a polygon when its rings go around it an odd number
 * of times, and to a geometry when it belongs to one of its polygons. Rings that cross themselves therefore have the area one
 * sees, and nothing can fail the way overlays do, because no outline is made: the plane is cut into bands between the heights of all corners
 * and crossings, within which edges only stand side by side, and
 *
 *     area = Σ over bands: height × Σ widths at mid-height of the stretches inside.
 */

import type { Geometry } from "geojson";

import type { Bounds } from "../affine.ts";
import { geometryBounds } from "./bounds.ts";
import { polygonsOf } from "./positions.ts";

/** A geometry's polygons, ready to be measured against others. */
export interface Surface {
  /** Null without polygons. */
  readonly bounds: Bounds | null;
  /** Area in squared units of the coordinates. */
  readonly area: number;
  /** Edges that are not horizontal: `x, y` of the lower end, `x, y` of the upper one. */
  readonly edges: Float64Array;
  /** The polygon each edge belongs to. */
  readonly polygons: Int32Array;
}

/**
 * The surface of a geometry; points and lines have none. Coordinates are taken as those of a plane.
 *
 * @example
 * const [a, b] = [surfaceOf(footprint), surfaceOf(surveyed)];
 * const shared = sharedArea(a, b);
 * const iou = shared / (a.area + b.area - shared);
 */
export function surfaceOf(geometry: Geometry): Surface {
  const edges: number[] = [];
  const polygons: number[] = [];
  for (const [polygon, rings] of polygonsOf(geometry).entries()) {
    for (const ring of rings) {
      for (let i = 0; i < ring.length; i++) {
        // an open ring is closed
        const [[ax, ay], [bx, by]] = [ring[i]!, ring[(i + 1) % ring.length]!] as [[number, number], [number, number]];
        if (ay === by) continue;
        if (ay < by) edges.push(ax, ay, bx, by);
        else edges.push(bx, by, ax, ay);
        polygons.push(polygon);
      }
    }
  }
  const outline = {
    edges: Float64Array.from(edges),
    polygons: Int32Array.from(polygons),
    bounds: edges.length === 0 ? null : geometryBounds(geometry),
  };
  const area = outline.bounds === null ? 0 : sweep([outline], outline.bounds);
  return { ...outline, area };
}

/** Area that belongs to both surfaces, in squared units of the coordinates. */
export function sharedArea(a: Surface, b: Surface): number {
  if (a.bounds === null || b.bounds === null) return 0;
  const common: Bounds = [
    Math.max(a.bounds[0], b.bounds[0]),
    Math.max(a.bounds[1], b.bounds[1]),
    Math.min(a.bounds[2], b.bounds[2]),
    Math.min(a.bounds[3], b.bounds[3]),
  ];
  if (common[0] >= common[2] || common[1] >= common[3]) return 0;
  return sweep([a, b], common);
}

type Outline = Pick<Surface, "edges" | "polygons">;

/** An edge, from the lower to the upper end, relative to a corner of the region so that no digits are lost on large coordinates. */
interface Edge {
  readonly x: number;
  readonly bottom: number;
  readonly top: number;
  readonly slope: number;
  readonly xmin: number;
  readonly xmax: number;
  readonly side: number;
  readonly polygon: number;
  /** Its place at the middle of the band. */
  at: number;
}

/** Area within all outlines; there is none outside of `bounds`. */
function sweep(outlines: readonly Outline[], bounds: Bounds): number {
  const edges = gatherEdges(outlines, bounds);
  const levels = bandLevels(edges, bounds[3] - bounds[1]);
  let area = 0;
  let next = 0;
  let active: Edge[] = [];
  for (let k = 0; k + 1 < levels.length; k++) {
    const [bottom, top] = [levels[k]!, levels[k + 1]!];
    const middle = (bottom + top) / 2;
    active = active.filter((edge) => edge.top > middle);
    while (next < edges.length && edges[next]!.bottom < middle) {
      if (edges[next]!.top > middle) active.push(edges[next]!);
      next += 1;
    }
    for (const edge of active) edge.at = edge.x + (middle - edge.bottom) * edge.slope;
    active.sort((one, other) => one.at - other.at);
    area += (top - bottom) * widthInside(active, outlines.length);
  }
  return area;
}

/** Edges that can matter in `bounds`, by their lower ends. */
function gatherEdges(outlines: readonly Outline[], [x0, y0, x1, y1]: Bounds): Edge[] {
  const edges: Edge[] = [];
  for (const [side, { edges: all, polygons }] of outlines.entries()) {
    for (let i = 0; i < polygons.length; i++) {
      const [ax, ay, bx, by] = [all[4 * i]!, all[4 * i + 1]!, all[4 * i + 2]!, all[4 * i + 3]!];
      // what lies to the right of all that counts is never passed; what lies to the left must be
      if (ay >= y1 || by <= y0 || Math.min(ax, bx) > x1) continue;
      edges.push({
        x: ax - x0,
        bottom: ay - y0,
        top: by - y0,
        slope: (bx - ax) / (by - ay),
        xmin: Math.min(ax, bx) - x0,
        xmax: Math.max(ax, bx) - x0,
        side,
        polygon: polygons[i]!,
        at: 0,
      });
    }
  }
  return edges.sort((one, other) => one.bottom - other.bottom);
}

/** Heights of corners and crossings between 0 and `height`, ascending. One too many does no harm. */
function bandLevels(edges: readonly Edge[], height: number): Float64Array {
  const levels: number[] = [0, height];
  const add = (level: number): void => {
    if (level > 0 && level < height) levels.push(level);
  };
  let open: Edge[] = [];
  for (const edge of edges) {
    add(edge.bottom);
    add(edge.top);
    open = open.filter((other) => other.top > edge.bottom);
    for (const other of open) {
      if (other.xmax < edge.xmin || other.xmin > edge.xmax || other.slope === edge.slope) continue;
      // x + (level - bottom) slope is the same on both
      const gap = other.x + (edge.bottom - other.bottom) * other.slope - edge.x;
      const level = edge.bottom + gap / (edge.slope - other.slope);
      if (level > edge.bottom && level < Math.min(edge.top, other.top)) add(level);
    }
    open.push(edge);
  }
  return Float64Array.from(levels).sort();
}

/** Of a band's edges from left to right, the width of the stretches within all sides. */
function widthInside(active: readonly Edge[], sides: number): number {
  // polygons whose rings have been passed an odd number of times, by side
  const odd = Array.from({ length: sides }, () => new Set<number>());
  let width = 0;
  let inside = 0;
  let from = 0;
  for (const { side, polygon, at } of active) {
    const within = odd[side]!;
    const before = within.size > 0;
    if (!within.delete(polygon)) within.add(polygon);
    const after = within.size > 0;
    if (before === after) continue;
    if (inside === sides) width += at - from;
    inside += after ? 1 : -1;
    from = at;
  }
  return width;
}
