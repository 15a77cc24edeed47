/** Borders between points where three or more outlines meet; the two regions that share a border share its arc. */

import { type Chains, FREE, NODE } from "../polygonize/chains.ts";

/** Bit of a vertex's flags that marks it as visited; taken away again when a band is done. */
export const SEEN = 64;

/** The arcs of a band, each stored once, whichever side it is met from, and the sides of their regions. */
export class BandArcs {
  /** x, y of the points of all arcs; point k is at 2k and 2k + 1. */
  points: Int32Array = new Int32Array(1 << 12);
  /** Arc a has the points `from[a]` up to but not including `from[a + 1]`. */
  from: Int32Array = new Int32Array(1 << 10);
  /** Four numbers a side: its first and second vertex, its arc, and 1 when it runs against the arc. */
  sides: Int32Array = new Int32Array(1 << 12);
  count = 0;
  sideCount = 0;
  readonly #byEdge = new Map<number, number>();
  /** Vertices of the line being walked. */
  #line: Int32Array = new Int32Array(1 << 10);
  #length = 0;

  /**
   * Collects the arcs between the lines `top` and `bottom` of the lattice, whose points are all nodes. Edges along the lines
   * belong to no band: nothing else ever lies on them.
   */
  constructor(chains: Chains, top: number, bottom: number) {
    const { made, madeCount, flags, y, one, two } = chains;
    for (let k = 0; k < madeCount; k++) {
      const vertex = made[k]!;
      if ((flags[vertex]! & NODE) === 0 || (flags[vertex]! & (FREE | SEEN)) !== 0) continue;
      flags[vertex]! |= SEEN;
      for (const next of [one[vertex]!, two[vertex]!]) {
        if (next === -1 || y[next]! < top) continue;
        if (y[vertex] === y[next] && (y[vertex] === top || y[vertex] === bottom)) continue;
        this.#walkToNode(chains, vertex, next);
        // The walk from the other end meets the same side again; one of the two directions counts.
        if (!this.#runsBackwards(chains, 0, this.#length - 1)) this.#addLine(chains);
      }
    }
    for (let k = 0; k < madeCount; k++) {
      const vertex = made[k]!;
      if ((flags[vertex]! & (FREE | SEEN)) !== 0) continue;
      this.#walkRing(chains, vertex);
      this.#addLine(chains);
    }
  }

  #walkToNode({ one, two, flags }: Chains, start: number, second: number): void {
    this.#length = 0;
    this.#push(start);
    let before = start;
    let at = second;
    while ((flags[at]! & NODE) === 0) {
      flags[at]! |= SEEN;
      this.#push(at);
      const next = one[at] === before ? two[at]! : one[at]!;
      before = at;
      at = next;
    }
    this.#push(at);
  }

  /** A ring without a node, from its topmost (of these leftmost) point: both sides agree on that. */
  #walkRing({ one, two, flags, x, y }: Chains, vertex: number): void {
    let start = vertex;
    let before = two[vertex]!;
    let at = vertex;
    do {
      flags[at]! |= SEEN;
      if (y[at]! < y[start]! || (y[at] === y[start] && x[at]! < x[start]!)) start = at;
      const next = one[at] === before ? two[at]! : one[at]!;
      before = at;
      at = next;
    } while (at !== vertex);
    this.#length = 0;
    before = two[start]!;
    at = start;
    do {
      this.#push(at);
      const next = one[at] === before ? two[at]! : one[at]!;
      before = at;
      at = next;
    } while (at !== start);
    this.#push(start);
  }

  #push(vertex: number): void {
    if (this.#length === this.#line.length) this.#line = longer(this.#line, 2 * this.#length);
    this.#line[this.#length++] = vertex;
  }

  /** Adds the line as one arc, or as two when its ends meet. */
  #addLine(chains: Chains): void {
    const last = this.#length - 1;
    const far = this.#farthest(chains);
    if (far === -1) return this.#addSide(chains, 0, last);
    this.#addSide(chains, 0, far);
    this.#addSide(chains, far, last);
  }

  /** Of a line that ends where it begins, the point farthest from there (of equals the last in reading order); else -1. */
  #farthest({ x, y }: Chains): number {
    const line = this.#line;
    const last = this.#length - 1;
    const [x0, y0] = [x[line[0]!]!, y[line[0]!]!];
    if (x0 !== x[line[last]!] || y0 !== y[line[last]!]) return -1;
    let far = 1;
    let most = -1;
    for (let k = 1; k < last; k++) {
      const [px, py] = [x[line[k]!]!, y[line[k]!]!];
      const distance = (px - x0) ** 2 + (py - y0) ** 2;
      const later = py - y[line[far]!]! || px - x[line[far]!]!;
      if (distance > most || (distance === most && later > 0)) {
        most = distance;
        far = k;
      }
    }
    return far;
  }

  /** One side of an arc: the points a to b of the line. The arc's own direction is the one that starts lower in reading order. */
  #addSide(chains: Chains, a: number, b: number): void {
    const line = this.#line;
    const backwards = this.#runsBackwards(chains, a, b);
    const key = backwards ? edgeKey(chains, line[b]!, line[b - 1]!) : edgeKey(chains, line[a]!, line[a + 1]!);
    let arc = this.#byEdge.get(key);
    if (arc === undefined) {
      arc = this.count;
      this.#byEdge.set(key, arc);
      this.#addArc(chains, a, b, backwards);
    }
    const at = 4 * this.sideCount++;
    if (at + 4 > this.sides.length) this.sides = longer(this.sides, 2 * this.sides.length);
    this.sides[at] = line[a]!;
    this.sides[at + 1] = line[a + 1]!;
    this.sides[at + 2] = arc;
    this.sides[at + 3] = backwards ? 1 : 0;
  }

  #addArc({ x, y }: Chains, a: number, b: number, backwards: boolean): void {
    const from = this.from[this.count]!;
    const to = from + b - a + 1;
    if (2 * to > this.points.length) this.points = longer(this.points, Math.max(2 * to, 2 * this.points.length));
    if (this.count + 2 > this.from.length) this.from = longer(this.from, 2 * this.from.length);
    for (let k = 0; k <= b - a; k++) {
      const vertex = this.#line[backwards ? b - k : a + k]!;
      this.points[2 * (from + k)] = x[vertex]!;
      this.points[2 * (from + k) + 1] = y[vertex]!;
    }
    this.from[++this.count] = to;
  }

  /** Ends may be equal (a loop through one node): then the points beside them decide. */
  #runsBackwards({ x, y }: Chains, a: number, b: number): boolean {
    const line = this.#line;
    for (let k = 0; k < b - a; k++) {
      const [p, q] = [line[a + k]!, line[b - k]!];
      const order = y[p]! - y[q]! || x[p]! - x[q]!;
      if (order !== 0) return order > 0;
    }
    return false;
  }
}

/** An edge of the lattice names the arc that begins with it: where it starts and which of four directions it leaves in. */
function edgeKey({ x, y }: Chains, a: number, b: number): number {
  const [dx, dy] = [x[b]! - x[a]!, y[b]! - y[a]!];
  const direction = dx > 0 ? 0 : dx < 0 ? 1 : dy > 0 ? 2 : 3;
  return (y[a]! * 0x1000000 + x[a]!) * 4 + direction;
}

function longer(old: Int32Array, length: number): Int32Array {
  const next = new Int32Array(length);
  next.set(old);
  return next;
}
