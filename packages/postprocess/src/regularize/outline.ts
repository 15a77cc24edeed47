/** A ring made ready for fitting: in its canonical order, cut into short pieces, with running sums over them. */

import { type Moments, addSegment, noMoments } from "./moments.ts";

/**
 * A ring cut into `count` pieces. Arrays go twice round, so that any run of up to a whole turn is a difference of two entries:
 * the pieces i to j have the length `length[j] - length[i]`, and so on.
 */
export interface Outline {
  readonly count: number;
  /** Ends of the pieces. */
  readonly px: Float64Array;
  readonly py: Float64Array;
  readonly length: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly xx: Float64Array;
  readonly xy: Float64Array;
  readonly yy: Float64Array;
  /** The ring itself, x, y after another, without the closing point, counter-clockwise. */
  readonly ring: Float64Array;
  /** Length of the ring and its area. */
  readonly perimeter: number;
  readonly area: number;
  /** Piece k begins in edge `edge[k]` of the ring, counted on beyond the ring's end in the second turn. */
  readonly edge: Int32Array;
}

/**
 * The ring without repeated points, counter-clockwise, from its lowest (of these leftmost) point on: the same for every order
 * the ring may be written in. Null when it has fewer than three points or no area.
 */
export function canonicalRing(ring: Float64Array): Float64Array | null {
  const points: number[] = [];
  const size = ring.length / 2;
  for (let i = 0; i < size; i++) {
    const [x, y] = [ring[2 * i]!, ring[2 * i + 1]!];
    const last = points.length;
    if (last === 0 || points[last - 2] !== x || points[last - 1] !== y) points.push(x, y);
  }
  while (points.length > 2 && points[0] === points.at(-2) && points[1] === points.at(-1)) points.length -= 2;
  const count = points.length / 2;
  if (count < 3) return null;
  const area = ringArea(Float64Array.from(points));
  if (!(Math.abs(area) > 0)) return null;
  let first = 0;
  for (let i = 1; i < count; i++) {
    const [dy, dx] = [points[2 * i + 1]! - points[2 * first + 1]!, points[2 * i]! - points[2 * first]!];
    if (dy < 0 || (dy === 0 && dx < 0)) first = i;
  }
  const out = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const from = area > 0 ? (first + i) % count : (first - i + count) % count;
    out[2 * i] = points[2 * from]!;
    out[2 * i + 1] = points[2 * from + 1]!;
  }
  return out;
}

/** Signed area of a ring of x, y pairs, positive counter-clockwise. */
export function ringArea(ring: Float64Array): number {
  let twice = 0;
  const [x0, y0] = [ring[0]!, ring[1]!];
  for (let i = 2; i + 3 < ring.length; i += 2) {
    twice += (ring[i]! - x0) * (ring[i + 3]! - y0) - (ring[i + 2]! - x0) * (ring[i + 1]! - y0);
  }
  return twice / 2;
}

/** Cuts a {@link canonicalRing} into pieces of about `spacing`: at corners, where edges are longer than half of it, and between. */
export function cutOutline(ring: Float64Array, spacing: number): Outline {
  const corners = ring.length / 2;
  const ends: number[] = [];
  const edges: number[] = [];
  const pieces: Moments[] = [];
  let open = noMoments();
  let edge = 0;
  const close = (x: number, y: number, next: number): void => {
    ends.push(x, y);
    edges.push(edge);
    pieces.push(open);
    open = noMoments();
    edge = next;
  };
  for (let i = 0; i < corners; i++) {
    const next = (i + 1) % corners;
    const [ax, ay, bx, by] = [ring[2 * i]!, ring[2 * i + 1]!, ring[2 * next]!, ring[2 * next + 1]!];
    const long = Math.hypot(bx - ax, by - ay);
    const parts = Math.max(1, Math.ceil(long / spacing));
    if (parts > 1 && open.length > 0) close(ax, ay, i);
    for (let part = 0; part < parts; part++) {
      const [s, t] = [part / parts, (part + 1) / parts];
      const [ex, ey] = part + 1 === parts ? [bx, by] : [ax + t * (bx - ax), ay + t * (by - ay)];
      addSegment(open, ax + s * (bx - ax), ay + s * (by - ay), ex, ey);
      if (parts > 1 || open.length >= spacing / 2) close(ex, ey, part + 1 === parts ? i + 1 : i);
    }
  }
  if (open.length > 0) close(ring[0]!, ring[1]!, corners);
  return sumUp(ring, ends, edges, pieces);
}

function sumUp(ring: Float64Array, ends: readonly number[], edges: readonly number[], pieces: readonly Moments[]): Outline {
  const count = pieces.length;
  const array = (): Float64Array => new Float64Array(2 * count + 1);
  const [px, py, length, x, y, xx, xy, yy] = [array(), array(), array(), array(), array(), array(), array(), array()];
  const edge = new Int32Array(2 * count + 1);
  px[0] = ring[0]!;
  py[0] = ring[1]!;
  for (let k = 0; k < 2 * count; k++) {
    const piece = pieces[k % count]!;
    px[k + 1] = ends[2 * (k % count)]!;
    py[k + 1] = ends[2 * (k % count) + 1]!;
    length[k + 1] = length[k]! + piece.length;
    x[k + 1] = x[k]! + piece.x;
    y[k + 1] = y[k]! + piece.y;
    xx[k + 1] = xx[k]! + piece.xx;
    xy[k + 1] = xy[k]! + piece.xy;
    yy[k + 1] = yy[k]! + piece.yy;
    edge[k] = edges[k % count]! + (k < count ? 0 : ring.length / 2);
  }
  edge[2 * count] = ring.length;
  return { count, px, py, length, x, y, xx, xy, yy, ring, edge, perimeter: length[count]!, area: Math.abs(ringArea(ring)) };
}

/** Sums over the pieces i up to but not including j. */
export function runMoments({ length, x, y, xx, xy, yy }: Outline, i: number, j: number): Moments {
  return {
    length: length[j]! - length[i]!,
    x: x[j]! - x[i]!,
    y: y[j]! - y[i]!,
    xx: xx[j]! - xx[i]!,
    xy: xy[j]! - xy[i]!,
    yy: yy[j]! - yy[i]!,
  };
}
