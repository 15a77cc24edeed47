/**
 * Whether simplified borders still form the map they came from. They do when segments meet at common end points only, and
 * when nothing lies between a border and the segment that replaces it. All points are integers, so every test is exact.
 */

import type { BandArcs } from "./arcs.ts";

/** Where the arcs lie: between two lines of the lattice, from column 0 to `width`. */
export interface BandFrame {
  readonly top: number;
  readonly bottom: number;
  readonly width: number;
}

/** Side of a cell of the search grid, in pixels. */
const CELL = 16;

/** Arcs that must be simplified less: those of `changed`, and those they run into; 1 for each. */
export function findConflicts(arcs: BandArcs, keep: Uint8Array, changed: Uint8Array, frame: BandFrame): Uint8Array {
  const grid = new SegmentGrid(arcs, keep, frame);
  const { points } = arcs;
  const { first, second, arcOf, count } = grid;
  const conflicts = new Uint8Array(arcs.count);
  for (let id = 0; id < count; id++) {
    const arc = arcOf[id]!;
    if (changed[arc] === 0) continue;
    const [a, b] = [first[id]!, second[id]!];
    const y = points[2 * a + 1]!;
    // Beyond the lines between bands nobody looks, so nothing new may lie on them.
    if (b - a > 1 && y === points[2 * b + 1]! && (y === frame.top || y === frame.bottom)) conflicts[arc] = 1;
    grid.near(id, (other) => {
      if (other === id || !clash(points, a, b, first[other]!, second[other]!)) return;
      conflicts[arc] = 1;
      conflicts[arcOf[other]!] = 1;
    });
  }
  // A border moves only where it is simplified, but what lies there may belong to any arc.
  for (let id = 0; id < count; id++) {
    const arc = arcOf[id]!;
    if (conflicts[arc] === 0 && changed[arc] === 1 && coversOthers(grid, points, id)) conflicts[arc] = 1;
  }
  return conflicts;
}

/** Segments of all arcs, found by place: a list per cell of a grid, one after the other in one array. */
class SegmentGrid {
  /** Points a segment goes from and to, and its arc. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly arcOf: Int32Array;
  readonly count: number;
  readonly #points: Int32Array;
  readonly #frame: BandFrame;
  readonly #cols: number;
  readonly #rows: number;
  /** Cell c lists the segments `lists[ends[c - 1]]` up to but not including `lists[ends[c]]`. */
  readonly #ends: Int32Array;
  readonly #lists: Int32Array;

  constructor({ points, from, count }: BandArcs, keep: Uint8Array, frame: BandFrame) {
    let kept = 0;
    for (const k of keep) kept += k;
    const first = new Int32Array(kept);
    const second = new Int32Array(kept);
    const arcOf = new Int32Array(kept);
    let segments = 0;
    for (let arc = 0; arc < count; arc++) {
      let before = from[arc]!;
      for (let k = before + 1; k < from[arc + 1]!; k++) {
        if (keep[k] === 0) continue;
        first[segments] = before;
        second[segments] = k;
        arcOf[segments++] = arc;
        before = k;
      }
    }
    this.first = first;
    this.second = second;
    this.arcOf = arcOf;
    this.count = segments;
    this.#points = points;
    this.#frame = frame;
    this.#cols = Math.floor(frame.width / CELL) + 1;
    this.#rows = Math.floor((frame.bottom - frame.top) / CELL) + 1;
    const ends = new Int32Array(this.#cols * this.#rows + 1);
    for (let id = 0; id < segments; id++) this.#visit(id, (cell) => ends[cell + 1]!++);
    for (let cell = 1; cell < ends.length; cell++) ends[cell]! += ends[cell - 1]!;
    this.#lists = new Int32Array(ends.at(-1)!);
    // Filling moves each cell's start to its end.
    for (let id = 0; id < segments; id++) this.#visit(id, (cell) => (this.#lists[ends[cell]!++] = id));
    this.#ends = ends;
  }

  /** Calls with segments near a segment, some of them several times. */
  near(id: number, call: (other: number) => void): void {
    this.#visit(id, (cell) => this.#list(cell, call));
  }

  /** Calls with the segments that pass through the cells of a box. */
  inBox(left: number, top: number, right: number, bottom: number, call: (other: number) => void): void {
    const y0 = this.#frame.top;
    for (let row = Math.floor((top - y0) / CELL); row <= Math.floor((bottom - y0) / CELL); row++) {
      for (let col = Math.floor(left / CELL); col <= Math.floor(right / CELL); col++) this.#list(row * this.#cols + col, call);
    }
  }

  #list(cell: number, call: (other: number) => void): void {
    const end = this.#ends[cell]!;
    for (let k = cell === 0 ? 0 : this.#ends[cell - 1]!; k < end; k++) call(this.#lists[k]!);
  }

  /** The cells a segment passes through, row of cells by row of cells. */
  #visit(id: number, call: (cell: number) => void): void {
    const points = this.#points;
    const [a, b] = [2 * this.first[id]!, 2 * this.second[id]!];
    const [x1, x2] = [points[a]!, points[b]!];
    const [y1, y2] = [points[a + 1]! - this.#frame.top, points[b + 1]! - this.#frame.top];
    const [top, bottom] = y1 < y2 ? [y1, y2] : [y2, y1];
    for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++) {
      let [left, right] = x1 < x2 ? [x1, x2] : [x2, x1];
      if (y1 !== y2) {
        const from = x1 + ((Math.max(top, row * CELL) - y1) * (x2 - x1)) / (y2 - y1);
        const to = x1 + ((Math.min(bottom, (row + 1) * CELL) - y1) * (x2 - x1)) / (y2 - y1);
        left = Math.max(left, Math.min(from, to) - 1e-6);
        right = Math.min(right, Math.max(from, to) + 1e-6);
      }
      const last = Math.floor(right / CELL);
      for (let col = Math.floor(left / CELL); col <= last; col++) call(row * this.#cols + col);
    }
  }
}

/** True when two segments, given by their points, have more in common than one end point of both. */
function clash(points: Int32Array, p: number, q: number, r: number, s: number): boolean {
  const [ax, ay, bx, by] = [points[2 * p]!, points[2 * p + 1]!, points[2 * q]!, points[2 * q + 1]!];
  const [cx, cy, dx, dy] = [points[2 * r]!, points[2 * r + 1]!, points[2 * s]!, points[2 * s + 1]!];
  if (Math.max(ax, bx) < Math.min(cx, dx) || Math.max(cx, dx) < Math.min(ax, bx)) return false;
  if (Math.max(ay, by) < Math.min(cy, dy) || Math.max(cy, dy) < Math.min(ay, by)) return false;
  const c = side(ax, ay, bx, by, cx, cy);
  const d = side(ax, ay, bx, by, dx, dy);
  const e = side(cx, cy, dx, dy, ax, ay);
  const f = side(cx, cy, dx, dy, bx, by);
  if (c === 0 && d === 0) return ax === bx ? overlap(ay, by, cy, dy) : overlap(ax, bx, cx, dx);
  if (c * d > 0 || e * f > 0) return false;
  const shared = (ax === cx && ay === cy) || (ax === dx && ay === dy) || (bx === cx && by === cy) || (bx === dx && by === dy);
  return !shared;
}

/** Whether two intervals share more than a point. */
function overlap(p: number, q: number, r: number, s: number): boolean {
  return Math.min(Math.max(p, q), Math.max(r, s)) > Math.max(Math.min(p, q), Math.min(r, s));
}

/** Which side of a segment a point lies on: -1, 0 or 1. */
function side(x1: number, y1: number, x2: number, y2: number, x: number, y: number): number {
  return Math.sign((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1));
}

/** True when a point of another border lies between a segment and the points it replaces. */
function coversOthers(grid: SegmentGrid, points: Int32Array, id: number): boolean {
  const [from, to] = [grid.first[id]!, grid.second[id]!];
  if (to - from < 2) return false;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = from; k <= to; k++) {
    left = Math.min(left, points[2 * k]!);
    right = Math.max(right, points[2 * k]!);
    top = Math.min(top, points[2 * k + 1]!);
    bottom = Math.max(bottom, points[2 * k + 1]!);
  }
  const holds = (point: number): boolean => inside(points, from, to, points[2 * point]!, points[2 * point + 1]!);
  let covers = false;
  grid.inBox(left, top, right, bottom, (other) => {
    if (covers || other === id) return;
    covers = holds(grid.first[other]!) || holds(grid.second[other]!);
  });
  return covers;
}

/** Strictly inside the closed chain of the points `from` to `to` (even-odd); its own points are not inside. */
function inside(points: Int32Array, from: number, to: number, x: number, y: number): boolean {
  let odd = false;
  let [x1, y1] = [points[2 * to]!, points[2 * to + 1]!];
  for (let k = from; k <= to; k++) {
    const [x2, y2] = [points[2 * k]!, points[2 * k + 1]!];
    if (x1 === x && y1 === y) return false;
    if (y1 > y !== y2 > y) {
      const turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
      if (turn === 0) return false;
      if (turn > 0 === y2 > y1) odd = !odd;
    }
    [x1, y1] = [x2, y2];
  }
  return odd;
}
