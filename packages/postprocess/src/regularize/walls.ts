/** Walls: the lines fitted to runs of an outline, and the ring of their corners. */

import { type Moments, joinMoments, lineAngle } from "./moments.ts";
import { type Outline, runMoments } from "./outline.ts";
import type { Run, WallRules } from "./runs.ts";

/** A straight wall. Its line is `cos(angle) y - sin(angle) x = offset`. */
export interface Wall {
  /** What it was fitted to. */
  moments: Moments;
  /** Direction of travel, counter-clockwise around the ring; -1 for a direction of its own. */
  readonly direction: number;
  /** Angle of the line in radians: the same for walls there and back. */
  angle: number;
  offset: number;
  /** Where it leaves the wall before it: for walls so nearly in line that their lines give no corner. */
  readonly startX: number;
  readonly startY: number;
  /** Pieces of the outline it stands for. */
  from: number;
  to: number;
  /** A neighbour stands against it. */
  shared: boolean;
}

/** Sine of the least angle between lines that are made to meet: 15 degrees. */
const LEAST_SINE = Math.sin(Math.PI / 12);

/** A wall for each run. */
export function fitWalls(outline: Outline, runs: readonly Run[], rules: WallRules): Wall[] {
  return runs.map(({ from, to, direction }) => {
    const moments = runMoments(outline, from, to);
    const angle = direction === -1 ? lineAngle(moments) : wallAngle(rules, direction);
    const [startX, startY] = [outline.px[from]!, outline.py[from]!];
    return { moments, direction, angle, offset: meanOffset(moments, angle), startX, startY, from, to, shared: false };
  });
}

/** Angle of the line of a direction. */
export function wallAngle({ base, directions }: WallRules, direction: number): number {
  return base + ((direction % (directions / 2)) * 2 * Math.PI) / directions;
}

/** Offset of the line at an angle through the middle of a run: the one of the least squares. */
export function meanOffset({ length, x, y }: Moments, angle: number): number {
  return (Math.cos(angle) * y - Math.sin(angle) * x) / length;
}

/** Corners of the walls as x, y pairs: corner k is where wall k begins. */
export function cornersOf(walls: readonly Wall[]): Float64Array {
  const corners = new Float64Array(2 * walls.length);
  for (let k = 0; k < walls.length; k++) {
    const wall = walls[k]!;
    const before = walls[(k + walls.length - 1) % walls.length]!;
    const c1 = Math.cos(before.angle);
    const s1 = Math.sin(before.angle);
    const c2 = Math.cos(wall.angle);
    const s2 = Math.sin(wall.angle);
    const sine = Math.sin(wall.angle - before.angle);
    if (Math.abs(sine) >= LEAST_SINE) {
      corners[2 * k] = (before.offset * c2 - c1 * wall.offset) / sine;
      corners[2 * k + 1] = (s2 * before.offset - s1 * wall.offset) / sine;
      continue;
    }
    // nearly in line: halfway between the feet of the point where one run ends and the other begins
    const [x, y] = [wall.startX, wall.startY];
    const one = before.offset - (c1 * y - s1 * x);
    const two = wall.offset - (c2 * y - s2 * x);
    corners[2 * k] = x - (one * s1 + two * s2) / 2;
    corners[2 * k + 1] = y + (one * c1 + two * c2) / 2;
  }
  return corners;
}

/** What an offset must be changed by for a wall to move out of its ring: 1 or -1. */
export function outward(walls: readonly Wall[], corners: Float64Array, k: number): 1 | -1 {
  const next = (2 * k + 2) % corners.length;
  const [dx, dy] = [corners[next]! - corners[2 * k]!, corners[next + 1]! - corners[2 * k + 1]!];
  const { angle } = walls[k]!;
  return Math.cos(angle) * dx + Math.sin(angle) * dy > 0 ? -1 : 1;
}

/**
 * Takes out walls that came out shorter than `shortest`, or the wrong way round, the shortest first: those on both sides of one become
 * one wall where they run in the same direction, and meet where they do not. Null when fewer than three walls are left.
 */
export function withoutShortWalls(walls: readonly Wall[], rules: WallRules): Wall[] | null {
  let left = [...walls];
  for (;;) {
    const least = rules.directions === 4 && rules.freePrice === Infinity ? 4 : 3;
    if (left.length < least) return null;
    const corners = cornersOf(left);
    let [worst, shortest] = [-1, rules.shortest];
    for (let k = 0; k < left.length; k++) {
      const long = lengthAlong(left, corners, k, rules);
      if (long >= shortest) continue;
      shortest = long;
      worst = k;
    }
    if (worst === -1) return left;
    left = withoutWall(left, worst, rules);
  }
}

/** Length of a wall from corner to corner; negative when it came out the wrong way round. */
function lengthAlong(walls: readonly Wall[], corners: Float64Array, k: number, rules: WallRules): number {
  const next = (k + 1) % walls.length;
  const dx = corners[2 * next]! - corners[2 * k]!;
  const dy = corners[2 * next + 1]! - corners[2 * k + 1]!;
  const { direction, startX, startY } = walls[k]!;
  if (direction === -1) {
    const forward = dx * (walls[next]!.startX - startX) + dy * (walls[next]!.startY - startY);
    return forward >= 0 ? Math.hypot(dx, dy) : -Math.hypot(dx, dy);
  }
  const travel = rules.base + (direction * 2 * Math.PI) / rules.directions;
  return Math.cos(travel) * dx + Math.sin(travel) * dy;
}

function withoutWall(walls: readonly Wall[], k: number, rules: WallRules): Wall[] {
  const count = walls.length;
  const before = walls[(k + count - 1) % count]!;
  const after = walls[(k + 1) % count]!;
  const half = rules.directions / 2;
  const sameLine = before.direction !== -1 && after.direction !== -1 && before.direction % half === after.direction % half;
  if (!sameLine || count < 4) return walls.filter((_, i) => i !== k);
  if (before.direction !== after.direction) {
    // a spike: there and back again
    const keep = before.moments.length >= after.moments.length ? before : after;
    return walls.filter((wall) => wall === keep || (wall !== before && wall !== after && wall !== walls[k]));
  }
  const moments = joinMoments(before.moments, after.moments);
  const joined: Wall = { ...before, moments, offset: meanOffset(moments, before.angle), to: after.to };
  return walls.flatMap((wall) => (wall === before ? [joined] : wall === after || wall === walls[k] ? [] : [wall]));
}
