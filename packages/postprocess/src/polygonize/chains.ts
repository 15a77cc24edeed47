/**
 * Outlines under construction. A vertex knows its (up to) two neighbours, without direction, so that joining two open
 * ends is one step; an open end is named by its last vertex. Vertices of finished outlines are used again.
 */

/** The region lies to the lower right of this start: it may be the corner of an outer ring. */
export const CONVEX_START = 1;
/** Another pixel of the same value lies diagonally opposite: the outline may touch itself here. */
export const PINCH = 2;
/** Three or four outlines meet here, so that simplification must keep the point. */
export const NODE = 4;

/** Storage of vertices. */
export class Chains {
  /** Lattice position: the corner between pixels (x - 1, y - 1) and (x, y). */
  x: Int32Array = new Int32Array(0);
  y: Int32Array = new Int32Array(0);
  /** Neighbours, -1 for an open end. */
  one: Int32Array = new Int32Array(0);
  two: Int32Array = new Int32Array(0);
  /** Sum of {@link CONVEX_START}, {@link PINCH}, {@link NODE}. */
  flags: Uint8Array = new Uint8Array(0);
  /** Label and successor in the region's list, of chain starts only. */
  label: Int32Array = new Int32Array(0);
  nextStart: Int32Array = new Int32Array(0);
  #used = 0;
  #free = -1;

  /** Vertices that can be made before {@link reserve} is due again. */
  reserve(count: number): void {
    const needed = this.#used + count;
    if (needed <= this.x.length) return;
    const capacity = Math.max(needed, 2 * this.x.length);
    const longer = (old: Int32Array): Int32Array => {
      const next = new Int32Array(capacity);
      next.set(old);
      return next;
    };
    this.x = longer(this.x);
    this.y = longer(this.y);
    this.one = longer(this.one);
    this.two = longer(this.two);
    this.label = longer(this.label);
    this.nextStart = longer(this.nextStart);
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
  }

  /** A new vertex without neighbours. */
  add(x: number, y: number, flags: number): number {
    let vertex = this.#free;
    if (vertex === -1) vertex = this.#used++;
    else this.#free = this.one[vertex]!;
    this.x[vertex] = x;
    this.y[vertex] = y;
    this.one[vertex] = -1;
    this.two[vertex] = -1;
    this.flags[vertex] = flags;
    return vertex;
  }

  /** A new vertex at the open end `tip`. */
  extend(tip: number, x: number, y: number, flags: number): number {
    const vertex = this.add(x, y, flags);
    this.one[vertex] = tip;
    if (this.one[tip] === -1) this.one[tip] = vertex;
    else this.two[tip] = vertex;
    return vertex;
  }

  /** A new vertex between two open ends. */
  join(tipA: number, tipB: number, x: number, y: number, flags: number): void {
    const vertex = this.extend(tipA, x, y, flags);
    this.two[vertex] = tipB;
    if (this.one[tipB] === -1) this.one[tipB] = vertex;
    else this.two[tipB] = vertex;
  }

  release(vertex: number): void {
    this.one[vertex] = this.#free;
    this.#free = vertex;
  }
}
