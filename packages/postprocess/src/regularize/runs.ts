/**
 * Which pieces of an outline form a wall: the division into runs with the least
 *
 *     sum over runs of  ∫ d² ds  +  price
 *
 * where d is the distance from the run's best line, found by dynamic programming over the ends of pieces (the compression of
 * polylines of Gribov and Bodansky 2004 and Gribov 2015, with squared deviations along the whole outline). Walls run in given
 * directions, in any, or in any at a higher price.
 */

import type { Outline } from "./outline.ts";

/** Directions walls may have, and what a wall costs. */
export interface WallRules {
  /** Directions around the circle: 4 for right angles, 8 with diagonals, 0 when there are none. */
  readonly directions: 0 | 4 | 8;
  /** Angle of the first direction, in radians. */
  readonly base: number;
  /** Cost of a wall. */
  readonly price: number;
  /** Cost of a diagonal wall. */
  readonly diagonalPrice: number;
  /** Cost of a wall in a direction of its own; infinite when there is to be none. */
  readonly freePrice: number;
  /** Least distance between the ends of a run. */
  readonly shortest: number;
}

/** Pieces `from` up to but not including `to` (counted beyond the ring's end in the second turn), and the wall's direction (-1 for its own). */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly direction: number;
}

/** A division of a ring. */
export interface Division {
  readonly cost: number;
  readonly runs: readonly Run[];
}

/** Divides a closed outline; null when no division keeps the rules. The start given to the search does not matter much: the ring is cut at a corner found by a first search. */
export function divideRing(outline: Outline, rules: WallRules): Division | null {
  const first = divisionFrom(outline, rules);
  if (first === null) return null;
  const middle = first.runs.reduce((best, run) =>
    nearMiddle(run, first.runs, outline) < nearMiddle(best, first.runs, outline) ? run : best,
  );
  return search(outline, rules, middle.from % outline.count, middle.direction) ?? first;
}

/** Cost of the best division from the outline's farthest corner, without the second search. */
export function divisionFrom(outline: Outline, rules: WallRules): Division | null {
  return search(outline, rules, farthestEnd(outline), -1);
}

function nearMiddle(run: Run, runs: readonly Run[], outline: Outline): number {
  return Math.abs(run.from - runs[0]!.from - outline.count / 2);
}

/** The end of a piece that lies farthest from the middle: a corner of the building. */
function farthestEnd({ count, px, py, x, y, length }: Outline): number {
  const [cx, cy] = [x[count]! / length[count]!, y[count]! / length[count]!];
  let far = 0;
  let most = -1;
  for (let k = 0; k < count; k++) {
    const distance = (px[k]! - cx) ** 2 + (py[k]! - cy) ** 2;
    if (distance <= most) continue;
    most = distance;
    far = k;
  }
  return far;
}

/** Best division of the turn from `start`; its first run has the direction `wanted` (-1: whichever), its last one can turn into that. */
function search(outline: Outline, rules: WallRules, start: number, wanted: number): Division | null {
  const { directions, base, price, diagonalPrice, freePrice, shortest } = rules;
  const { count, px, py } = outline;
  const half = directions / 2;
  // walls with a direction of their own are one more state behind the directions
  const states = directions + (freePrice < Infinity ? 1 : 0);
  const { cost, cameFrom, ready, before, length, u, v, vv } = tablesFor(count + 1, states);
  for (let d = 0; d < states; d++) if (wanted === -1 || d === wanted) ready[d] = 0;
  const turns = turnsOf(directions, states);
  for (let i = 0; i <= count; i++) length[i] = outline.length[start + i]!;
  for (let o = 0; o < half; o++) axisSums(outline, start, base + (o * 2 * Math.PI) / directions, u[o]!, v[o]!, vv[o]!);
  const limit = spreadLimit(rules);
  for (let j = 1; j <= count; j++) {
    for (let o = 0; o < half; o++) endAlong(j, o, u[o]!, v[o]!, vv[o]!);
    if (states > directions) endFree(j);
    for (let d = 0; d < states; d++) {
      for (const e of turns[d]!) {
        const total = cost[j * states + e]!;
        if (total >= ready[j * states + d]!) continue;
        ready[j * states + d] = total;
        before[j * states + d] = e;
      }
    }
  }
  return trace();

  /** The best runs along an axis, there and back, that end with piece j. */
  function endAlong(j: number, o: number, us: Float64Array, vs: Float64Array, vvs: Float64Array): void {
    const fixed = directions === 8 && o % 2 === 1 ? diagonalPrice : price;
    const most = 4 * fixed + limit;
    const forth = j * states + o;
    const back = forth + half;
    const uEnd = us[j]!;
    const vEnd = vs[j]!;
    const vvEnd = vvs[j]!;
    const lengthEnd = length[j]!;
    let bestForth = Infinity;
    let bestBack = Infinity;
    for (let i = j - 1; i >= 0; i--) {
      const step = uEnd - us[i]!;
      if (step < shortest && -step < shortest) continue;
      const mean = vEnd - vs[i]!;
      const spread = vvEnd - vvs[i]! - (mean * mean) / (lengthEnd - length[i]!);
      const own = fixed + (spread > 0 ? spread : 0);
      // the spread only grows with longer runs
      if (own >= bestForth && own >= bestBack) break;
      if (step > 0) {
        const total = ready[i * states + o]! + own;
        if (total < bestForth) {
          bestForth = total;
          cameFrom[forth] = i;
        }
      } else {
        const total = ready[i * states + o + half]! + own;
        if (total < bestBack) {
          bestBack = total;
          cameFrom[back] = i;
        }
      }
      if (own > most) break;
    }
    cost[forth] = bestForth;
    cost[back] = bestBack;
  }

  /** The best run that ends with piece j and has the direction of its own best line. */
  function endFree(j: number): void {
    const { x, y, xx, xy, yy } = outline;
    const [end, state] = [start + j, j * states + directions];
    let best = Infinity;
    for (let i = j - 1; i >= 0; i--) {
      const begin = start + i;
      const long = length[j]! - length[i]!;
      const [sx, sy] = [x[end]! - x[begin]!, y[end]! - y[begin]!];
      const a = xx[end]! - xx[begin]! - (sx * sx) / long;
      const b = xy[end]! - xy[begin]! - (sx * sy) / long;
      const c = yy[end]! - yy[begin]! - (sy * sy) / long;
      const spread = (a + c) / 2 - Math.sqrt(((a - c) / 2) ** 2 + b * b);
      const own = freePrice + (spread > 0 ? spread : 0);
      if (own >= best || own > 4 * freePrice + limit) break;
      if ((px[end]! - px[begin]!) ** 2 + (py[end]! - py[begin]!) ** 2 < shortest * shortest) continue;
      const total = ready[i * states + directions]! + own;
      if (total >= best) continue;
      best = total;
      cameFrom[state] = i;
    }
    cost[state] = best;
  }

  function trace(): Division | null {
    let [last, total] = [-1, Infinity];
    for (let d = 0; d < states; d++) {
      if (wanted !== -1 && !canTurn(d, wanted, directions)) continue;
      if (cost[count * states + d]! >= total) continue;
      total = cost[count * states + d]!;
      last = d;
    }
    if (last === -1) return null;
    const runs: Run[] = [];
    for (let j = count, d = last; j > 0;) {
      const i = cameFrom[j * states + d]!;
      runs.push({ from: start + i, to: start + j, direction: d === directions ? -1 : d });
      d = before[i * states + d]!;
      j = i;
    }
    return { cost: total, runs: runs.reverse() };
  }
}

/** Runs whose spread is beyond this are no walls: they are not looked at. */
function spreadLimit({ price, diagonalPrice }: WallRules): number {
  return 8 * (price + diagonalPrice);
}

/** Whether a wall of direction `to` may follow one of direction `from`: neither straight on nor straight back, unless one has its own. */
function canTurn(from: number, to: number, directions: number): boolean {
  if (from === directions || to === directions) return true;
  const turn = (to - from + directions) % directions;
  return directions === 4 ? turn === 1 || turn === 3 : turn !== 0 && turn !== 4;
}

/** Directions that a run of each may follow. */
function turnsOf(directions: number, states: number): readonly (readonly number[])[] {
  const all = Array.from({ length: states }, (_, d) => d);
  return all.map((to) => all.filter((from) => canTurn(from, to, directions)));
}

/**
 * Where pieces end along an axis at an angle, and running sums across it, of the turn from `start`: v and vv, v being the distance to
 * the left of it.
 */
function axisSums(
  { count, px, py, x, y, xx, xy, yy }: Outline,
  start: number,
  angle: number,
  u: Float64Array,
  v: Float64Array,
  vv: Float64Array,
): void {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let i = 0; i <= count; i++) {
    const k = start + i;
    u[i] = cos * px[k]! + sin * py[k]!;
    v[i] = cos * y[k]! - sin * x[k]!;
    vv[i] = sin * sin * xx[k]! - 2 * sin * cos * xy[k]! + cos * cos * yy[k]!;
  }
}

/** What a search writes down, by the end of a piece and, of the first four, the state there. */
interface Tables {
  readonly size: number;
  /** Least cost of a division up to there whose last run has the state, and where that run begins (-1: there is none). */
  readonly cost: Float64Array;
  readonly cameFrom: Int32Array;
  /** Least cost before a run of the state begins there, and the state before it. */
  readonly ready: Float64Array;
  readonly before: Int8Array;
  readonly length: Float64Array;
  /** By axis: see {@link axisSums}. */
  readonly u: readonly Float64Array[];
  readonly v: readonly Float64Array[];
  readonly vv: readonly Float64Array[];
}

const MOST_STATES = 9;
const MOST_AXES = 4;
/** Kept from search to search, as making them takes longer than filling them, but for outlines so long that they need megabytes. */
const KEPT = 4096;
let tables = makeTables(256);

function makeTables(size: number): Tables {
  const axes = (): Float64Array[] => Array.from({ length: MOST_AXES }, () => new Float64Array(size));
  const states = MOST_STATES * size;
  return {
    ...{ size, cost: new Float64Array(states), cameFrom: new Int32Array(states), ready: new Float64Array(states) },
    ...{ before: new Int8Array(states), length: new Float64Array(size), u: axes(), v: axes(), vv: axes() },
  };
}

/** Tables that are empty for so many ends and states, until the next search. */
function tablesFor(size: number, states: number): Tables {
  const found = tables.size >= size ? tables : makeTables(size <= KEPT ? 2 ** Math.ceil(Math.log2(size)) : size);
  if (size <= KEPT) tables = found;
  found.cost.fill(Infinity, 0, size * states);
  found.ready.fill(Infinity, 0, size * states);
  found.cameFrom.fill(-1, 0, size * states);
  found.before.fill(-1, 0, size * states);
  return found;
}
