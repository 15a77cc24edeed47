/**
 * Regions while rows go by: a label per run that begins without a neighbour above, labels united (union-find) where runs
 * meet. Labels of finished regions are used again, so memory follows what is open, not what has been seen.
 */

import type { Chains } from "./chains.ts";

/** Regions of equal value, 4- or 8-connected. */
export class Regions {
  /** Value of the pixels, by label. */
  value: Float64Array = new Float64Array(0);
  /** Pixels, by the root label of a region. */
  pixels: Float64Array = new Float64Array(0);
  /** Ground area, by root. */
  area: Float64Array = new Float64Array(0);
  /** Row that last added to the region, by root. */
  lastRow: Int32Array = new Int32Array(0);
  /** First and last vertex of the list of chain starts, by root; -1 for none. */
  firstStart: Int32Array = new Int32Array(0);
  lastStart: Int32Array = new Int32Array(0);
  /** 1 for a region that was cut along a row to limit memory, or is the piece below such a cut; by root. */
  cut: Uint8Array = new Uint8Array(0);
  readonly #eight: boolean;
  readonly #chains: Chains;
  /** Parents in the 4-connected and, with 8-connectivity, in the wider union; one array when they are the same. */
  #parent4: Int32Array = new Int32Array(0);
  #parent: Int32Array = new Int32Array(0);
  /** Labels of one region, a list from its root. */
  #next: Int32Array = new Int32Array(0);
  #last: Int32Array = new Int32Array(0);
  #used = 0;
  #free: number[] = [];
  #retired: number[] = [];

  constructor(connectivity: 4 | 8, chains: Chains) {
    this.#chains = chains;
    this.#eight = connectivity === 8;
    this.#grow(1024);
  }

  create(value: number, row: number): number {
    const label = this.#free.pop() ?? this.#used++;
    if (label >= this.#parent.length) this.#grow(2 * this.#parent.length);
    this.#parent[label] = label;
    this.#parent4[label] = label;
    this.#next[label] = -1;
    this.#last[label] = label;
    this.value[label] = value;
    this.pixels[label] = 0;
    this.area[label] = 0;
    this.lastRow[label] = row;
    this.firstStart[label] = -1;
    this.lastStart[label] = -1;
    this.cut[label] = 0;
    return label;
  }

  /** Root label of the region a label belongs to. */
  find(label: number): number {
    return findRoot(this.#parent, label);
  }

  /** Root label of the 4-connected part a label belongs to. */
  findPart(label: number): number {
    return findRoot(this.#parent4, label);
  }

  /** Makes two labels one region; `part` tells that they share an edge, not only a corner. */
  unite(a: number, b: number, part: boolean): void {
    if (part && this.#eight) {
      const [rootA, rootB] = [findRoot(this.#parent4, a), findRoot(this.#parent4, b)];
      if (rootA !== rootB) this.#parent4[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
    }
    const rootA = this.find(a);
    const rootB = this.find(b);
    if (rootA === rootB) return;
    // The lists are joined whole, so the order of their parts is the order of the unions: the same for any strip size.
    this.#parent[rootB] = rootA;
    this.pixels[rootA]! += this.pixels[rootB]!;
    this.area[rootA]! += this.area[rootB]!;
    this.cut[rootA]! |= this.cut[rootB]!;
    if (this.lastRow[rootB]! > this.lastRow[rootA]!) this.lastRow[rootA] = this.lastRow[rootB]!;
    this.#next[this.#last[rootA]!] = rootB;
    this.#last[rootA] = this.#last[rootB]!;
    if (this.firstStart[rootB] !== -1) {
      if (this.firstStart[rootA] === -1) this.firstStart[rootA] = this.firstStart[rootB]!;
      else this.#chains.nextStart[this.lastStart[rootA]!] = this.firstStart[rootB]!;
      this.lastStart[rootA] = this.lastStart[rootB]!;
    }
  }

  /** Notes the first vertex of a new chain of a label's region. */
  addStart(label: number, vertex: number): void {
    const root = this.find(label);
    this.#chains.nextStart[vertex] = -1;
    this.#chains.label[vertex] = label;
    if (this.firstStart[root] === -1) this.firstStart[root] = vertex;
    else this.#chains.nextStart[this.lastStart[root]!] = vertex;
    this.lastStart[root] = vertex;
  }

  /** Marks a region as finished; its labels are free after the next {@link Regions.recycle}. */
  retire(root: number): void {
    for (let label = root; label !== -1; label = this.#next[label]!) this.#retired.push(label);
  }

  recycle(): void {
    for (let i = this.#retired.length - 1; i >= 0; i--) this.#free.push(this.#retired[i]!);
    this.#retired.length = 0;
  }

  #grow(capacity: number): void {
    const longer = <T extends Int32Array | Float64Array | Uint8Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    this.value = longer(this.value, new Float64Array(capacity));
    this.pixels = longer(this.pixels, new Float64Array(capacity));
    this.area = longer(this.area, new Float64Array(capacity));
    this.lastRow = longer(this.lastRow, new Int32Array(capacity));
    this.cut = longer(this.cut, new Uint8Array(capacity));
    this.firstStart = longer(this.firstStart, new Int32Array(capacity));
    this.lastStart = longer(this.lastStart, new Int32Array(capacity));
    this.#next = longer(this.#next, new Int32Array(capacity));
    this.#last = longer(this.#last, new Int32Array(capacity));
    this.#parent = longer(this.#parent, new Int32Array(capacity));
    this.#parent4 = this.#eight ? longer(this.#parent4, new Int32Array(capacity)) : this.#parent;
  }
}

/** Root with path halving. */
function findRoot(parent: Int32Array, label: number): number {
  let at = label;
  while (parent[at] !== at) {
    parent[at] = parent[parent[at]!]!;
    at = parent[at]!;
  }
  return at;
}
