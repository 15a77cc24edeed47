/**
 * Outlines under construction. A vertex knows its (up to) two neighbours, without direction, so that joining two open
 * ends is one step; an open end is named by its last vertex. Vertices of finished outlines are used again.
 */

/** The region lies to the lower right of this start: it may be the corner of an outer ring. */
export const CONVEX_START = 1;
/** Another pixel of the same value lies diagonally opposite: the outline may touch itself here. */
export const PINCH = 2;
/** Three or four outlines meet here, or two bands: simplification keeps the point. */
export const NODE = 4;
/** The first vertex of a chain: a region's list names it, so it stays as long as the region. */
export const START = 8;
/** Simplification leaves the point out; only a {@link START} stays in its chain then. */
export const DROPPED = 16;
/** The vertex is in no chain. */
export const FREE = 32;

/** Storage of vertices. */
export class Chains {
  /** Lattice position: the corner between pixels (x - 1, y - 1) and (x, y). */
  x: Int32Array = new Int32Array(0);
  y: Int32Array = new Int32Array(0);
  /** Neighbours, -1 for an open end. */
  one: Int32Array = new Int32Array(0);
  two: Int32Array = new Int32Array(0);
  /** Sum of {@link CONVEX_START}, {@link PINCH}, {@link NODE}, {@link START}, {@link DROPPED}, {@link FREE}; higher bits are for those who walk. */
  flags: Uint8Array = new Uint8Array(0);
  /** Label and successor in the region's list, of chain starts only. */
  label: Int32Array = new Int32Array(0);
  nextStart: Int32Array = new Int32Array(0);
  /** With `record`, the vertices made since somebody set `madeCount` back; those used again stand there twice. */
  made: Int32Array = new Int32Array(0);
  madeCount = 0;
  readonly #record: boolean;
  #used = 0;
  #free = -1;
  #freeCount = 0;

  constructor(record = false) {
    this.#record = record;
  }

  /** Vertices in chains. */
  get inUse(): number {
    return this.#used - this.#freeCount;
  }

  /** Vertices that can be made before {@link reserve} is due again. */
  reserve(count: number): void {
    if (this.#record && this.madeCount + count > this.made.length) this.made = longer(this.made, this.madeCount + count);
    const needed = this.#used + Math.max(0, count - this.#freeCount);
    if (needed <= this.x.length) return;
    this.x = longer(this.x, needed);
    this.y = longer(this.y, needed);
    this.one = longer(this.one, needed);
    this.two = longer(this.two, needed);
    this.label = longer(this.label, needed);
    this.nextStart = longer(this.nextStart, needed);
    const flags = new Uint8Array(this.x.length);
    flags.set(this.flags);
    this.flags = flags;
  }

  /** A new vertex without neighbours. */
  add(x: number, y: number, flags: number): number {
    let vertex = this.#free;
    if (vertex === -1) vertex = this.#used++;
    else {
      this.#free = this.one[vertex]!;
      this.#freeCount--;
    }
    this.x[vertex] = x;
    this.y[vertex] = y;
    this.one[vertex] = -1;
    this.two[vertex] = -1;
    this.flags[vertex] = flags;
    if (this.#record) this.made[this.madeCount++] = vertex;
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

  /** Takes a vertex out from between two others and gives it back. */
  unlink(vertex: number, before: number, after: number): void {
    if (this.one[before] === vertex) this.one[before] = after;
    else this.two[before] = after;
    if (this.one[after] === vertex) this.one[after] = before;
    else this.two[after] = before;
    this.release(vertex);
  }

  release(vertex: number): void {
    this.one[vertex] = this.#free;
    this.flags[vertex] = FREE;
    this.#free = vertex;
    this.#freeCount++;
  }
}

function longer(old: Int32Array, needed: number): Int32Array {
  const next = new Int32Array(Math.max(needed, 2 * old.length));
  next.set(old);
  return next;
}
