/**
 * Whether simplified borders still form the map they came from. They do when segments meet at common end points only, and
 * when nothing lies between a border and the segment that replaces it. All points are integers, so every test is exact.
 */

import type { Arc } from "./arcs.ts";

/** An arc and the indices of the points it keeps. */
export interface SimplifiedArc extends Arc {
  readonly kept: Uint32Array;
}

/** Side of a cell of the search grid, in pixels. */
const CELL = 16;

/** Segments of all arcs, found by place. */
class SegmentGrid {
  readonly #cells = new Map<number, number[]>();
  readonly arcOf: number[] = [];
  readonly indexOf: number[] = [];
  readonly #arcs: readonly SimplifiedArc[];

  constructor(arcs: readonly SimplifiedArc[]) {
    this.#arcs = arcs;
    for (const [arc, { kept }] of arcs.entries()) {
      for (let k = 0; k + 1 < kept.length; k++) {
        const id = this.arcOf.length;
        this.arcOf.push(arc);
        this.indexOf.push(k);
        this.#visit(this.segment(id), (cell) => {
          const list = this.#cells.get(cell);
          if (list === undefined) this.#cells.set(cell, [id]);
          else list.push(id);
        });
      }
    }
  }

  get count(): number {
    return this.arcOf.length;
  }

  segment(id: number): Segment {
    const { points, kept } = this.#arcs[this.arcOf[id]!]!;
    const [a, b] = [2 * kept[this.indexOf[id]!]!, 2 * kept[this.indexOf[id]! + 1]!];
    return [points[a]!, points[a + 1]!, points[b]!, points[b + 1]!];
  }

  /** Calls with segments near a segment, some of them several times. */
  near(segment: Segment, call: (id: number) => void): void {
    this.#visit(segment, (cell) => {
      for (const id of this.#cells.get(cell) ?? []) call(id);
    });
  }

  /** Calls with the segments that pass through the cells of a box. */
  inBox(left: number, top: number, right: number, bottom: number, call: (id: number) => void): void {
    for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++) {
      for (let col = Math.floor(left / CELL); col <= Math.floor(right / CELL); col++) {
        for (const id of this.#cells.get(cellKey(col, row)) ?? []) call(id);
      }
    }
  }

  /** The cells a segment passes through, row of cells by row of cells. */
  #visit([x1, y1, x2, y2]: Segment, call: (cell: number) => void): void {
    const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
    for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++) {
      const from = Math.max(top, row * CELL);
      const to = Math.min(bottom, (row + 1) * CELL);
      const xAt = (y: number): number => x1 + ((y - y1) * (x2 - x1)) / (y2 - y1);
      const [a, b] = y1 === y2 ? [x1, x2] : [xAt(from), xAt(to)];
      const right = Math.floor((Math.max(a, b) + 1e-6) / CELL);
      for (let col = Math.floor((Math.min(a, b) - 1e-6) / CELL); col <= right; col++) call(cellKey(col, row));
    }
  }
}

type Segment = readonly [x1: number, y1: number, x2: number, y2: number];

function cellKey(col: number, row: number): number {
  return row * 0x1000000 + col;
}

/** Arcs that must be simplified less: those of `changed`, and those they run into. */
export function findConflicts(arcs: readonly SimplifiedArc[], changed: ReadonlySet<number>): Set<number> {
  const grid = new SegmentGrid(arcs);
  const conflicts = new Set<number>();
  for (let id = 0; id < grid.count; id++) {
    const arc = grid.arcOf[id]!;
    if (!changed.has(arc)) continue;
    const segment = grid.segment(id);
    grid.near(segment, (other) => {
      if (other === id || !clash(segment, grid.segment(other))) return;
      conflicts.add(arc);
      conflicts.add(grid.arcOf[other]!);
    });
  }
  // A border moves only where it is simplified, but what lies there may belong to any arc.
  for (let id = 0; id < grid.count; id++) {
    const arc = grid.arcOf[id]!;
    if (!conflicts.has(arc) && changed.has(arc) && coversOthers(grid, arcs, id)) conflicts.add(arc);
  }
  return conflicts;
}

/** True when two segments have more in common than one end point of both. */
function clash(a: Segment, b: Segment): boolean {
  const [ax, ay, bx, by] = a;
  const [cx, cy, dx, dy] = b;
  if (Math.max(ax, bx) < Math.min(cx, dx) || Math.max(cx, dx) < Math.min(ax, bx)) return false;
  if (Math.max(ay, by) < Math.min(cy, dy) || Math.max(cy, dy) < Math.min(ay, by)) return false;
  const c = side(a, cx, cy);
  const d = side(a, dx, dy);
  const e = side(b, ax, ay);
  const f = side(b, bx, by);
  if (c === 0 && d === 0) return overlapOnLine(a, b);
  if (c * d > 0 || e * f > 0) return false;
  const shared = (ax === cx && ay === cy) || (ax === dx && ay === dy) || (bx === cx && by === cy) || (bx === dx && by === dy);
  return !shared;
}

/** For segments on one line: whether they share more than a point. */
function overlapOnLine([ax, ay, bx, by]: Segment, [cx, cy, dx, dy]: Segment): boolean {
  const [p, q, r, s] = ax === bx ? [ay, by, cy, dy] : [ax, bx, cx, dx];
  return Math.min(Math.max(p, q), Math.max(r, s)) > Math.max(Math.min(p, q), Math.min(r, s));
}

/** Which side of a segment a point lies on: -1, 0 or 1. */
function side([x1, y1, x2, y2]: Segment, x: number, y: number): number {
  return Math.sign((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1));
}

/** True when a point of another border lies between a segment and the points it replaces. */
function coversOthers(grid: SegmentGrid, arcs: readonly SimplifiedArc[], id: number): boolean {
  const own = grid.arcOf[id]!;
  const { points, kept } = arcs[own]!;
  const from = kept[grid.indexOf[id]!]!;
  const to = kept[grid.indexOf[id]! + 1]!;
  if (to - from < 2) return false;
  const pocket = points.subarray(2 * from, 2 * to + 2);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = 0; k < pocket.length; k += 2) {
    left = Math.min(left, pocket[k]!);
    right = Math.max(right, pocket[k]!);
    top = Math.min(top, pocket[k + 1]!);
    bottom = Math.max(bottom, pocket[k + 1]!);
  }
  let covers = false;
  grid.inBox(left, top, right, bottom, (other) => {
    if (covers || other === id) return;
    const [x1, y1, x2, y2] = grid.segment(other);
    covers = inside(pocket, x1, y1) || inside(pocket, x2, y2);
  });
  return covers;
}

/** Strictly inside a closed chain of points (even-odd); its own points are not inside. */
function inside(chain: Int32Array, x: number, y: number): boolean {
  let odd = false;
  for (let i = 0, j = chain.length - 2; i < chain.length; j = i, i += 2) {
    const [x1, y1, x2, y2] = [chain[j]!, chain[j + 1]!, chain[i]!, chain[i + 1]!];
    if (x1 === x && y1 === y) return false;
    if (y1 > y === y2 > y) continue;
    const turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
    if (turn === 0) return false;
    if (turn > 0 === y2 > y1) odd = !odd;
  }
  return odd;
}
