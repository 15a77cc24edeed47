/**
 * Objects that several windows saw, each once and whole.
 *
 * Two sightings of neighbouring windows are of one object when they look alike in the pixels both windows saw. Sightings that belong
 * together become one object: each side of its box comes from those that a window's border did not cut there. An object longer than
 * the windows' overlap is seen whole by none and is put together from its pieces; objects that touch are told apart, because
 * their parts in the overlap differ. A piece that remains is left out where another window sees all of it and what lies beyond the
 * border, and does not tell of it, or where it lies on an object that was seen whole.
 */

import { boxCoverage, nms } from "@geolearn/core";
import Flatbush from "flatbush";

import type { WindowPlan } from "../windows/window-plan.ts";
import { clipBox, maskBoundsIn, type PixelBox, type PixelMask, type SceneObject, type Sighting } from "./detection.ts";
import { joinMasks } from "./join-masks.ts";

/** How sightings become objects. */
export interface MergeOptions {
  /** Of two objects of a class that overlap by more than this IoU the better one stays, 0 to 1. */
  readonly nmsOverlap: number;
}

/** Pixels from a window's border within which a box counts as cut there; sides may differ by as much between two windows. */
const EDGE = 4;

/** Share of a piece on an object that was seen whole, from which on it is taken for a part of that object. */
const PART = 0.7;

/** What windows saw, by their position in the plan: row by row. */
export type Sightings = readonly (readonly Sighting[])[];

interface Node {
  readonly window: number;
  readonly sighting: Sighting;
  /** Whether the window's border cut the object: left, top, right, bottom. */
  readonly cut: readonly boolean[];
}

interface Link {
  readonly a: number;
  readonly b: number;
  readonly misfit: number;
}

/** Puts what windows saw together, the best first. Sightings of windows beyond the scene's border end there. */
export function mergeSightings(plan: WindowPlan, sightings: Sightings, { nmsOverlap }: MergeOptions): SceneObject[] {
  const nodes: Node[] = [];
  const byWindow = sightings.map((seen, window) =>
    seen.map((sighting) => nodes.push({ window, sighting, cut: cutSides(plan, window, sighting) }) - 1),
  );
  const links: Link[] = [];
  for (const [one, other] of neighbours(plan)) {
    const shared = clipBox(windowBox(plan, one), windowBox(plan, other));
    links.push(...pairs(nodes, byWindow[one]!, byWindow[other]!, shared));
  }
  links.sort((x, y) => x.misfit - y.misfit || x.a - y.a || x.b - y.b);
  const groups = new Groups(nodes);
  for (const { a, b } of links) groups.join(a, b);
  const objects = groups.all().map((members) =>
    together(
      plan,
      members.map((i) => nodes[i]!),
    ),
  );
  const isPart = partsOf(objects.filter(({ whole }) => whole));
  return bestOf(
    objects.filter((object) => object.whole || !(seenBetter(plan, object) || isPart(object))),
    nmsOverlap,
  );
}

/** The pixels of the scene a window gives results for. */
export function windowBox({ columns, rows, coreWidth, coreHeight, width, height }: WindowPlan, window: number): PixelBox {
  const [left, top] = [columns[window % columns.length]!, rows[Math.floor(window / columns.length)]!];
  return [left, top, Math.min(width, left + coreWidth), Math.min(height, top + coreHeight)];
}

/** Sides at which a sighting ends at a border of its window that is not the scene's. */
export function cutSides(plan: WindowPlan, window: number, { box }: Pick<Sighting, "box">): boolean[] {
  const [left, top, right, bottom] = windowBox(plan, window);
  return [
    left > 0 && box[0] <= left + EDGE,
    top > 0 && box[1] <= top + EDGE,
    right < plan.width && box[2] >= right - EDGE,
    bottom < plan.height && box[3] >= bottom - EDGE,
  ];
}

/** Windows that share pixels, each pair once. */
function* neighbours(plan: WindowPlan): Generator<[number, number]> {
  const { columns, rows, coreWidth, coreHeight } = plan;
  for (let r = 0; r < rows.length; r++) {
    for (let c = 0; c < columns.length; c++) {
      for (let below = r; below < rows.length && rows[below]! < rows[r]! + coreHeight; below++) {
        for (let beside = 0; beside < columns.length; beside++) {
          if (Math.abs(columns[beside]! - columns[c]!) >= coreWidth || (below === r && beside <= c)) continue;
          yield [r * columns.length + c, below * columns.length + beside];
        }
      }
    }
  }
}

/** Sightings of two windows that look alike in what both saw, each with at most one of the other window. */
function pairs(nodes: readonly Node[], one: readonly number[], other: readonly number[], shared: PixelBox): Link[] {
  const [seenByOne, seenByOther] = [one, other].map((window) =>
    window.flatMap((i) => {
      const part = partIn(nodes[i]!.sighting, shared);
      return part === null ? [] : [{ i, part }];
    }),
  ) as [Seen[], Seen[]];
  const candidates: Link[] = [];
  for (const { i: a, part } of seenByOne) {
    for (const { i: b, part: against } of seenByOther) {
      if (nodes[a]!.sighting.classIndex !== nodes[b]!.sighting.classIndex) continue;
      const misfit = misfitOf(part, against);
      if (misfit <= 1) candidates.push({ a, b, misfit });
    }
  }
  candidates.sort((x, y) => x.misfit - y.misfit || x.a - y.a || x.b - y.b);
  const taken = new Set<number>();
  return candidates.filter(({ a, b }) => {
    if (taken.has(a) || taken.has(b)) return false;
    taken.add(a).add(b);
    return true;
  });
}

interface Seen {
  readonly i: number;
  readonly part: PixelBox;
}

/** The part of what was seen inside a box; one without area where it ends up to {@link EDGE} before it, null where it is farther away. */
function partIn({ box, mask }: Sighting, shared: PixelBox): PixelBox | null {
  if (box[0] > shared[2] + EDGE || box[2] < shared[0] - EDGE || box[1] > shared[3] + EDGE || box[3] < shared[1] - EDGE) return null;
  return (mask && maskBoundsIn(mask, shared)) ?? clipBox(box, shared);
}

/** How far the sides of two parts are apart, in units of what is allowed: a quarter of their shorter length, at least {@link EDGE}. */
function misfitOf(a: PixelBox, b: PixelBox): number {
  let worst = 0;
  for (const axis of [0, 1]) {
    const [aLow, aHigh, bLow, bHigh] = [a[axis]!, a[axis + 2]!, b[axis]!, b[axis + 2]!];
    const allowed = Math.max(EDGE, Math.min(aHigh - aLow, bHigh - bLow) / 4);
    worst = Math.max(worst, Math.abs(aLow - bLow) / allowed, Math.abs(aHigh - bHigh) / allowed);
  }
  return worst;
}

/** Sets of sightings, each an object; no set has two of one window, nor ends before it begins. */
class Groups {
  readonly #parent: Int32Array;
  readonly #members: number[][];
  readonly #nodes: readonly Node[];

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes;
    this.#parent = Int32Array.from(nodes, (_, i) => i);
    this.#members = nodes.map((_, i) => [i]);
  }

  join(a: number, b: number): void {
    const [one, other] = [this.#root(a), this.#root(b)];
    if (one === other) return;
    const windows = new Set(this.#members[one]!.map((i) => this.#nodes[i]!.window));
    if (this.#members[other]!.some((i) => windows.has(this.#nodes[i]!.window))) return;
    const [left, top, right, bottom] = boxOf([...this.#members[one]!, ...this.#members[other]!].map((i) => this.#nodes[i]!));
    if (left >= right || top >= bottom) return;
    this.#parent[other] = one;
    this.#members[one]!.push(...this.#members[other]!);
    this.#members[other] = [];
  }

  all(): number[][] {
    return this.#members.filter(({ length }) => length > 0).map((members) => members.sort((a, b) => a - b));
  }

  #root(i: number): number {
    const parent = this.#parent;
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  }
}

/** An object, and how it was seen. */
interface Found extends SceneObject {
  /** Whether the borders of windows left nothing of it out. */
  readonly whole: boolean;
  /** Windows that saw it. */
  readonly seenBy: readonly number[];
}

/** A box each side of which is where those see it that no border cut there. Of sightings of two objects it may end before it begins. */
function boxOf(members: readonly Node[]): PixelBox {
  const side = (k: number): number => {
    const seen = members.filter(({ cut }) => !cut[k]);
    if (seen.length > 0) return weightedMean(seen.map(({ sighting }) => [sighting.box[k]!, sighting.score]));
    const values = members.map(({ sighting }) => sighting.box[k]!);
    return k < 2 ? Math.min(...values) : Math.max(...values);
  };
  return [side(0), side(1), side(2), side(3)];
}

/** One object from its sightings. */
function together(plan: WindowPlan, members: readonly Node[]): Found {
  const whole = members.filter(({ cut }) => !cut.some(Boolean));
  const best = (whole.length > 0 ? whole : members).reduce((a, b) => (b.sighting.score > a.sighting.score ? b : a));
  const seen = members.flatMap(({ window, sighting }) => (sighting.mask ? [{ window: windowBox(plan, window), mask: sighting.mask }] : []));
  return {
    box: boxOf(members),
    score: best.sighting.score,
    classIndex: best.sighting.classIndex,
    mask: seen.length === 0 ? null : joinMasks(seen),
    windows: members.length,
    seenBy: members.map(({ window }) => window),
    whole: whole.length > 0 || [0, 1, 2, 3].every((k) => members.some(({ cut }) => !cut[k])),
  };
}

function weightedMean(values: readonly (readonly [value: number, weight: number])[]): number {
  const weights = values.reduce((sum, [, weight]) => sum + weight, 0);
  return values.reduce((sum, [value, weight]) => sum + value * weight, 0) / weights;
}

/** Whether a window that saw nothing of a piece has all of it before it, away from its borders. */
function seenBetter(plan: WindowPlan, { box, seenBy }: Found): boolean {
  const { columns, rows, coreWidth, coreHeight } = plan;
  const around = (starts: readonly number[], length: number, low: number, high: number): number[] =>
    starts.flatMap((start, i) => (start <= low && start + length >= high ? [i] : []));
  const across = around(columns, coreWidth, box[0], box[2]);
  return around(rows, coreHeight, box[1], box[3]).some((row) =>
    across.some((column) => {
      const window = row * columns.length + column;
      return !seenBy.includes(window) && !cutSides(plan, window, { box }).some(Boolean);
    }),
  );
}

/** Tells whether a piece lies on one of some objects, by pixels where both have outlines, else by boxes; the classes may differ. */
function partsOf(wholes: readonly Found[]): (piece: Found) => boolean {
  if (wholes.length === 0) return () => false;
  const index = new Flatbush(wholes.length);
  for (const { box } of wholes) index.add(...box);
  index.finish();
  return (piece) => index.search(...piece.box).some((i) => coverage(piece, wholes[i]!) >= PART);
}

/** Share of a piece on an object. */
function coverage(piece: SceneObject, object: SceneObject): number {
  if (piece.mask === null || object.mask === null) return boxCoverage(Float64Array.from(piece.box), 0, Float64Array.from(object.box), 0);
  let [all, common] = [0, 0];
  const { left, top, width, height, bits } = piece.mask;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (bits[y * width + x] === 0) continue;
      all++;
      if (maskHolds(object.mask, left + x, top + y)) common++;
    }
  }
  return all === 0 ? 0 : common / all;
}

function maskHolds({ left, top, width, height, bits }: PixelMask, x: number, y: number): boolean {
  return x >= left && y >= top && x < left + width && y < top + height && bits[(y - top) * width + x - left] === 1;
}

/** Objects seen whole, the best first, then pieces. */
function bestOf(objects: readonly Found[], nmsOverlap: number): SceneObject[] {
  const kept: SceneObject[] = [];
  const boxes = new Float64Array(objects.flatMap(({ box }) => [...box]));
  // whole objects come before any piece
  const order = objects.map(({ score, whole }) => score + (whole ? 1 : 0));
  const labels = objects.map(({ classIndex }) => classIndex);
  for (const i of nms(boxes, order, { maxOverlap: nmsOverlap, labels })) {
    const { whole: _whole, seenBy: _seenBy, ...object } = objects[i]!;
    kept.push(object);
  }
  return kept.sort((a, b) => b.score - a.score);
}
