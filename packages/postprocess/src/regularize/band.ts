/** Whether a ring stays within a distance of the outline it stands for, decided without sampling error. */

/** Edges on both sides of the nearest one that are looked at first. */
const NEAR = 6;
/** Length of a step over what is left of the tolerance: 2 would leave no doubt where the distance at both ends is the same. */
const STEP = 1.5;

/** Distances to an outline of x, y pairs, closed by itself. Made for points that follow the outline: it starts from the last answer. */
export class Band {
  readonly #ring: Float64Array;
  readonly #tolerance: number;
  #nearest = 0;

  constructor(ring: Float64Array, tolerance: number) {
    this.#ring = ring;
    this.#tolerance = tolerance;
  }

  /** True when no point of a ring (x, y pairs, closed by itself) is farther from the outline than the tolerance. */
  holds(ring: Float64Array): boolean {
    let before = this.#bound(ring[0]!, ring[1]!);
    for (let i = 0; i < ring.length; i += 2) {
      const next = (i + 2) % ring.length;
      before = this.#walk(ring[i]!, ring[i + 1]!, before, ring[next]!, ring[next + 1]!);
      if (!(before <= this.#tolerance)) return false;
    }
    return true;
  }

  /**
   * Goes along an edge in steps that end near where they began, so that the nearest edge of the outline is found near the last one. Gives
   * the bound at the edge's end; infinite where a step leaves the tolerance.
   */
  #walk(ax: number, ay: number, bound: number, bx: number, by: number): number {
    const long = Math.hypot(bx - ax, by - ay);
    const least = this.#tolerance / 1000;
    let [x, y, at, before] = [ax, ay, 0, bound];
    while (at < long) {
      at = Math.min(long, at + Math.max(least, STEP * (this.#tolerance - before)));
      const [nx, ny] = at === long ? [bx, by] : [ax + (at / long) * (bx - ax), ay + (at / long) * (by - ay)];
      const after = this.#bound(nx, ny);
      if (!this.#stays(x, y, before, nx, ny, after)) return Infinity;
      [x, y, before] = [nx, ny, after];
    }
    return before;
  }

  /** Halves an edge until the distances at both ends, which change by no more than one walks, leave no doubt. */
  #stays(ax: number, ay: number, before: number, bx: number, by: number, after: number): boolean {
    if (!(before <= this.#tolerance && after <= this.#tolerance)) return false;
    const long = Math.hypot(bx - ax, by - ay);
    if (before + after + long <= 2 * this.#tolerance || long < this.#tolerance / 1000) return true;
    const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
    const middle = this.#bound(x, y);
    return this.#stays(ax, ay, before, x, y, middle) && this.#stays(x, y, middle, bx, by, after);
  }

  /** At least the distance from a point to the outline; the distance itself where it is beyond the tolerance. */
  #bound(x: number, y: number): number {
    const count = this.#ring.length / 2;
    if (2 * NEAR + 1 < count) {
      const square = this.#scan(x, y, this.#nearest - NEAR + count, 2 * NEAR + 1);
      if (square <= this.#tolerance ** 2) return Math.sqrt(square);
    }
    return Math.sqrt(this.#scan(x, y, 0, count));
  }

  /** Least squared distance to `count` edges from `first` on; remembers the nearest. */
  #scan(x: number, y: number, first: number, count: number): number {
    const ring = this.#ring;
    const edges = ring.length / 2;
    let least = Infinity;
    for (let k = 0; k < count; k++) {
      const edge = (first + k) % edges;
      const next = edge + 1 === edges ? 0 : edge + 1;
      const ax = ring[2 * edge]!;
      const ay = ring[2 * edge + 1]!;
      const dx = ring[2 * next]! - ax;
      const dy = ring[2 * next + 1]! - ay;
      const square = dx * dx + dy * dy;
      const t = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
      const distance = (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2;
      if (distance >= least) continue;
      least = distance;
      this.#nearest = edge;
    }
    return least;
  }
}
