/** From the closed chains of a region to rings: holes told from shells, rings that touch themselves taken apart. */

import { CONVEX_START, type Chains, DROPPED, PINCH } from "./chains.ts";
import type { Regions } from "./regions.ts";

/**
 * A closed ring on the lattice of pixel corners, from its topmost (of these leftmost) point. The last point is the one
 * before the first. Outer rings go down first, holes go right first: with y down, the region is on the left hand.
 */
export interface Ring {
  readonly outer: boolean;
  /** Points `from` up to but not including `to` of the collector's `points`. */
  readonly from: number;
  readonly to: number;
}

const VISITED = 128;

/** Collects the rings of one region after the other into the same memory. */
export class RingCollector {
  /** x, y of all points of the last region: point k is at 2k and 2k + 1. */
  points: Int32Array = new Int32Array(1024);
  readonly #chains: Chains;
  readonly #regions: Regions;
  /** Vertices of the ring being walked. */
  #ring: Int32Array = new Int32Array(512);
  #length = 0;
  #used = 0;

  constructor(chains: Chains, regions: Regions) {
    this.#chains = chains;
    this.#regions = regions;
  }

  /**
   * All rings of a region, by 4-connected part, each part's outer ring first. The vertices are released, and the points of
   * the region before are overwritten. With `keep` false nothing is collected.
   */
  collect(root: number, keep: boolean): readonly (readonly Ring[])[] {
    const chains = this.#chains;
    const { flags, nextStart, label } = chains;
    const first: Ring[] = [];
    const parts: Ring[][] = [first];
    let byPart: Map<number, Ring[]> | null = null;
    let firstPart = -1;
    this.#used = 0;
    let next: number;
    for (let start = this.#regions.firstStart[root]!; start !== -1; start = next) {
      next = nextStart[start]!;
      if ((flags[start]! & VISITED) !== 0) continue;
      const pinched = this.#walk(start);
      if (!keep) continue;
      const part = this.#regions.findPart(label[start]!);
      if (firstPart === -1) firstPart = part;
      let rings = first;
      if (part !== firstPart) {
        byPart ??= new Map();
        const known = byPart.get(part);
        rings = known ?? [];
        if (known === undefined) {
          byPart.set(part, rings);
          parts.push(rings);
        }
      }
      if (!pinched) this.#addRing(rings, this.#ring, this.#length);
      else for (const loop of splitAtPinches(chains, this.#ring, this.#length)) this.#addRing(rings, loop, loop.length);
    }
    this.#release(root);
    return keep ? parts : [];
  }

  /** Puts the vertices of the ring that `start` lies on into `#ring`; true when one of them is a pinch. */
  #walk(start: number): boolean {
    const { one, two, flags } = this.#chains;
    let ring = this.#ring;
    let n = 0;
    let before = two[start]!;
    let at = start;
    let seen = 0;
    do {
      if (n === ring.length) {
        ring = new Int32Array(2 * n);
        ring.set(this.#ring);
        this.#ring = ring;
      }
      ring[n++] = at;
      seen |= flags[at]!;
      flags[at]! |= VISITED;
      const next = one[at] === before ? two[at]! : one[at]!;
      before = at;
      at = next;
    } while (at !== start);
    this.#length = n;
    return (seen & PINCH) !== 0;
  }

  /** Gives the vertices back: each ring once, from the first of its starts that is still there. */
  #release(root: number): void {
    const chains = this.#chains;
    const { one, two, flags, nextStart } = chains;
    let next: number;
    for (let start = this.#regions.firstStart[root]!; start !== -1; start = next) {
      next = nextStart[start]!;
      if ((flags[start]! & VISITED) === 0) continue;
      let before = two[start]!;
      let at = start;
      do {
        const following = one[at] === before ? two[at]! : one[at]!;
        before = at;
        flags[at]! &= ~VISITED;
        chains.release(at);
        at = following;
      } while (at !== start);
    }
  }

  /** Adds vertices as a ring in its normal form, without those that simplification drops. */
  #addRing(rings: Ring[], vertices: ArrayLike<number>, n: number): void {
    const { x, y, flags } = this.#chains;
    let top = 0;
    let topX = x[vertices[0]!]!;
    let topY = y[vertices[0]!]!;
    // Twice the signed area: its sign is the sense of rotation.
    let area = 0;
    let kept = -1;
    let lastX = 0;
    let lastY = 0;
    for (let k = 0; k < n; k++) {
      const vertex = vertices[k]!;
      const vx = x[vertex]!;
      const vy = y[vertex]!;
      if (vy < topY || (vy === topY && vx < topX)) {
        top = k;
        topX = vx;
        topY = vy;
      }
      if ((flags[vertex]! & DROPPED) !== 0) continue;
      if (kept === -1) kept = vertex;
      area += lastX * (vy - y[kept]!) - (vx - x[kept]!) * lastY;
      lastX = vx - x[kept]!;
      lastY = vy - y[kept]!;
    }
    // The topmost vertex began its chain, so it is there even when it is dropped.
    const outer = (flags[vertices[top]!]! & CONVEX_START) !== 0;
    const step = area < 0 === outer ? 1 : -1;
    const from = this.#used;
    if (2 * (from + n) > this.points.length) this.#grow(from + n);
    const { points } = this;
    let to = from;
    for (let k = 0, at = top; k < n; k++) {
      const vertex = vertices[at]!;
      if ((flags[vertex]! & DROPPED) === 0) {
        points[2 * to] = x[vertex]!;
        points[2 * to + 1] = y[vertex]!;
        to++;
      }
      at += step;
      if (at === n) at = 0;
      else if (at < 0) at = n - 1;
    }
    this.#used = to;
    const ring: Ring = { outer, from, to };
    if (outer && rings.length > 0) rings.unshift(ring);
    else rings.push(ring);
  }

  #grow(count: number): void {
    const points = new Int32Array(4 * count);
    points.set(this.points);
    this.points = points;
  }
}

/**
 * A ring that comes twice through the same point encloses a hole there that touches the shell. Cut at such points it
 * becomes several rings that touch at single points, which is valid; the interior stays connected by pixel edges.
 */
function splitAtPinches(chains: Chains, ring: Int32Array, length: number): number[][] {
  const keyOf = (vertex: number): number => chains.y[vertex]! * 0x4000000 + chains.x[vertex]!;
  const isPinch = (vertex: number): boolean => (chains.flags[vertex]! & PINCH) !== 0;
  const loops: number[][] = [];
  const path: number[] = [];
  const places = new Map<number, number>();
  for (let k = 0; k < length; k++) {
    const vertex = ring[k]!;
    if (isPinch(vertex)) {
      const first = places.get(keyOf(vertex));
      if (first !== undefined) {
        const loop = path.splice(first);
        for (const gone of loop) if (isPinch(gone)) places.delete(keyOf(gone));
        loops.push(loop);
      }
      places.set(keyOf(vertex), path.length);
    }
    path.push(vertex);
  }
  loops.push(path);
  return loops;
}
