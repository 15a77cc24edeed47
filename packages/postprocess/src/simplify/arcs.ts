/** Borders between points where three or more outlines meet; two regions that share a border share its arc. */

import type { Ring } from "../polygonize/rings.ts";

/** A border on the pixel lattice. */
export interface Arc {
  /** x0, y0, x1, y1, ... from one end to the other. */
  readonly points: Int32Array;
}

/** An arc as part of a ring. */
export interface ArcUse {
  readonly arc: number;
  readonly reversed: boolean;
}

/** Cuts rings into arcs, each stored once, whichever side it is met from. */
export class ArcStore {
  readonly arcs: Arc[] = [];
  readonly #byKey = new Map<number, number>();
  readonly #width: number;
  readonly #height: number;

  /** @param width - of the raster, whose four corners stay where they are; so does `height` */
  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
  }

  /** The arcs of a ring, in its order. */
  cut(points: Int32Array, nodes: Uint8Array, ring: Ring): ArcUse[] {
    const n = ring.to - ring.from;
    const marks: number[] = [];
    for (let k = 0; k < n; k++) if (nodes[ring.from + k] === 1 || this.#isCorner(points, ring.from + k)) marks.push(k);
    // Without a node, the topmost point, where every ring begins, is the end of the arc: both sides agree on it.
    if (marks.length === 0) marks.push(0);
    const uses: ArcUse[] = [];
    for (const [i, mark] of marks.entries()) {
      const end = i + 1 < marks.length ? marks[i + 1]! : marks[0]! + n;
      const arc = copyPoints(points, ring, mark, end - mark + 1);
      for (const piece of openPieces(arc)) uses.push(this.#use(piece));
    }
    return uses;
  }

  #isCorner(points: Int32Array, at: number): boolean {
    const [x, y] = [points[2 * at]!, points[2 * at + 1]!];
    return (x === 0 || x === this.#width) && (y === 0 || y === this.#height);
  }

  /** Finds or stores an arc; its direction is the one that starts lower in reading order. */
  #use(points: Int32Array): ArcUse {
    const reversed = runsBackwards(points);
    const key = firstEdge(points, reversed);
    let arc = this.#byKey.get(key);
    if (arc === undefined) {
      arc = this.arcs.length;
      this.arcs.push({ points: reversed ? reversedPoints(points) : points });
      this.#byKey.set(key, arc);
    }
    return { arc, reversed };
  }
}

/** A loop is cut at the point farthest from its end (of equals the last in reading order), so that both sides agree. */
function openPieces(arc: Int32Array): Int32Array[] {
  const last = arc.length - 2;
  if (arc[0] !== arc[last] || arc[1] !== arc[last + 1]) return [arc];
  let far = 2;
  let most = -1;
  for (let k = 2; k < last; k += 2) {
    const distance = (arc[k]! - arc[0]!) ** 2 + (arc[k + 1]! - arc[1]!) ** 2;
    const later = arc[k + 1]! - arc[far + 1]! || arc[k]! - arc[far]!;
    if (distance > most || (distance === most && later > 0)) {
      most = distance;
      far = k;
    }
  }
  return [arc.slice(0, far + 2), arc.slice(far)];
}

/** `count` points of a ring from its point `start` on. */
function copyPoints(points: Int32Array, { from, to }: Ring, start: number, count: number): Int32Array {
  const n = to - from;
  const out = new Int32Array(2 * count);
  for (let k = 0; k < count; k++) {
    const at = 2 * (from + ((start + k) % n));
    out[2 * k] = points[at]!;
    out[2 * k + 1] = points[at + 1]!;
  }
  return out;
}

function runsBackwards(points: Int32Array): boolean {
  const last = points.length - 2;
  // Ends may be equal (a loop through one node): then the points beside them decide.
  for (let k = 0; k < last; k += 2) {
    const order = points[k + 1]! - points[last - k + 1]! || points[k]! - points[last - k]!;
    if (order !== 0) return order > 0;
  }
  return false;
}

/** The first edge names an arc: its first point and which of four directions it leaves in. */
function firstEdge(points: Int32Array, reversed: boolean): number {
  const last = points.length - 2;
  const [a, b] = reversed ? [last, last - 2] : [0, 2];
  const [dx, dy] = [points[b]! - points[a]!, points[b + 1]! - points[a + 1]!];
  const direction = dx > 0 ? 0 : dx < 0 ? 1 : dy > 0 ? 2 : 3;
  return (points[a + 1]! * 0x1000000 + points[a]!) * 4 + direction;
}

function reversedPoints(points: Int32Array): Int32Array {
  const out = new Int32Array(points.length);
  const last = points.length - 2;
  for (let k = 0; k <= last; k += 2) {
    out[k] = points[last - k]!;
    out[k + 1] = points[last - k + 1]!;
  }
  return out;
}
