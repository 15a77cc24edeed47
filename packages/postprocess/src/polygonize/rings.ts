/** From the closed chains of a region to rings: holes told from shells, rings that touch themselves taken apart. */

import { CONVEX_START, type Chains, NODE, PINCH } from "./chains.ts";
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
  /** 1 for points where three or more outlines meet (when the tracer keeps nodes). */
  nodes: Uint8Array = new Uint8Array(512);
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

  /** Adds vertices as a ring in its normal form. */
  #addRing(rings: Ring[], vertices: ArrayLike<number>, n: number): void {
    const { x, y, flags } = this.#chains;
    let top = 0;
    let topX = x[vertices[0]!]!;
    let topY = y[vertices[0]!]!;
    for (let k = 1; k < n; k++) {
      const vertex = vertices[k]!;
      const vy = y[vertex]!;
      if (vy > topY || (vy === topY && x[vertex]! > topX)) continue;
      top = k;
      topX = x[vertex]!;
      topY = vy;
    }
    const outer = (flags[vertices[top]!]! & CONVEX_START) !== 0;
    // At the topmost point one edge goes down and one goes right.
    const step = (x[vertices[top + 1 === n ? 0 : top + 1]!] === topX) === outer ? 1 : -1;
    const from = this.#used;
    const to = from + n;
    if (2 * to > this.points.length) this.#grow(to);
    const { points, nodes } = this;
    for (let k = from, at = top; k < to; k++) {
      const vertex = vertices[at]!;
      points[2 * k] = x[vertex]!;
      points[2 * k + 1] = y[vertex]!;
      nodes[k] = (flags[vertex]! & NODE) >> 2;
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
    const nodes = new Uint8Array(2 * count);
    nodes.set(this.nodes);
    this.nodes = nodes;
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
