/** A ring made ready for fitting: in its canonical order, cut into short pieces, with running sums over them. */

import type { Moments } from "./moments.ts";

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
  const points = new Float64Array(ring.length);
  let size = 0;
  for (let i = 0; i + 1 < ring.length; i += 2) {
    const x = ring[i]!;
    const y = ring[i + 1]!;
    if (size > 0 && points[size - 2] === x && points[size - 1] === y) continue;
    points[size++] = x;
    points[size++] = y;
  }
  while (size > 2 && points[0] === points[size - 2] && points[1] === points[size - 1]) size -= 2;
  if (size < 6) return null;
  const area = ringArea(points.subarray(0, size));
  if (!(Math.abs(area) > 0)) return null;
  let first = 0;
  for (let i = 2; i < size; i += 2) {
    const dy = points[i + 1]! - points[first + 1]!;
    if (dy < 0 || (dy === 0 && points[i]! < points[first]!)) first = i;
  }
  const out = new Float64Array(size);
  for (let i = 0; i < size; i += 2) {
    const from = area > 0 ? (first + i) % size : (first - i + size) % size;
    out[i] = points[from]!;
    out[i + 1] = points[from + 1]!;
  }
  return out;
}

/** Signed area of a ring of x, y pairs, positive counter-clockwise. */
export function ringArea(ring: Float64Array): number {
  let twice = 0;
  const x0 = ring[0]!;
  const y0 = ring[1]!;
  for (let i = 2; i + 3 < ring.length; i += 2) {
    twice += (ring[i]! - x0) * (ring[i + 3]! - y0) - (ring[i + 2]! - x0) * (ring[i + 1]! - y0);
  }
  return twice / 2;
}

/** Cuts a {@link canonicalRing} into pieces of about `spacing`: at corners, where edges are longer than half of it, and between. */
export function cutOutline(ring: Float64Array, spacing: number): Outline {
  const size = ring.length;
  const ends: number[] = [];
  const edges: number[] = [];
  // PARTS sums a piece, of which the last is open
  const sums: number[] = [0, 0, 0, 0, 0, 0];
  let open = 0;
  let edge = 0;
  for (let i = 0; i < size; i += 2) {
    const next = (i + 2) % size;
    const ax = ring[i]!;
    const ay = ring[i + 1]!;
    const bx = ring[next]!;
    const by = ring[next + 1]!;
    const parts = Math.max(1, Math.ceil(Math.hypot(bx - ax, by - ay) / spacing));
    if (parts > 1 && sums[open]! > 0) close(ax, ay, i / 2);
    for (let part = 0; part < parts; part++) {
      const s = part / parts;
      const t = (part + 1) / parts;
      const isLast = part + 1 === parts;
      const ex = isLast ? bx : ax + t * (bx - ax);
      const ey = isLast ? by : ay + t * (by - ay);
      addSegment(sums, open, ax + s * (bx - ax), ay + s * (by - ay), ex, ey);
      if (parts > 1 || sums[open]! >= spacing / 2) close(ex, ey, isLast ? i / 2 + 1 : i / 2);
    }
  }
  if (sums[open]! > 0) close(ring[0]!, ring[1]!, size / 2);
  return sumUp(ring, ends, edges, sums);

  function close(x: number, y: number, next: number): void {
    ends.push(x, y);
    edges.push(edge);
    edge = next;
    open = sums.push(0, 0, 0, 0, 0, 0) - PARTS;
  }
}

/** Numbers of a piece's sums: length, x, y, xx, xy, yy, as in {@link Moments}. */
const PARTS = 6;

/** Adds the straight piece from (ax, ay) to (bx, by) to the sums at a place, exactly (Simpson's rule). */
function addSegment(sums: number[], at: number, ax: number, ay: number, bx: number, by: number): void {
  const length = Math.hypot(bx - ax, by - ay);
  const mx = (ax + bx) / 2;
  const my = (ay + by) / 2;
  sums[at]! += length;
  sums[at + 1]! += length * mx;
  sums[at + 2]! += length * my;
  const sixth = length / 6;
  sums[at + 3]! += sixth * (ax * ax + 4 * mx * mx + bx * bx);
  sums[at + 4]! += sixth * (ax * ay + 4 * mx * my + bx * by);
  sums[at + 5]! += sixth * (ay * ay + 4 * my * my + by * by);
}

function sumUp(ring: Float64Array, ends: readonly number[], edges: readonly number[], sums: readonly number[]): Outline {
  const count = edges.length;
  const array = (): Float64Array => new Float64Array(2 * count + 1);
  const [px, py, length, x, y, xx, xy, yy] = [array(), array(), array(), array(), array(), array(), array(), array()];
  const edge = new Int32Array(2 * count + 1);
  px[0] = ring[0]!;
  py[0] = ring[1]!;
  for (let k = 0; k < 2 * count; k++) {
    const piece = k % count;
    const at = PARTS * piece;
    px[k + 1] = ends[2 * piece]!;
    py[k + 1] = ends[2 * piece + 1]!;
    length[k + 1] = length[k]! + sums[at]!;
    x[k + 1] = x[k]! + sums[at + 1]!;
    y[k + 1] = y[k]! + sums[at + 2]!;
    xx[k + 1] = xx[k]! + sums[at + 3]!;
    xy[k + 1] = xy[k]! + sums[at + 4]!;
    yy[k + 1] = yy[k]! + sums[at + 5]!;
    edge[k] = edges[piece]! + (k < count ? 0 : ring.length / 2);
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
