/** Walls that buildings share: those that face each other become one line, fitted to both outlines together. */

import { joinMoments, lineAngle } from "./moments.ts";
import { type Wall, cornersOf, meanOffset } from "./walls.ts";

/** Lines of walls anywhere are one when they differ by less than this: 10 degrees. */
const ALMOST_PARALLEL = Math.cos(Math.PI / 18);

interface Side {
  readonly wall: Wall;
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
  readonly long: number;
}

/**
 * Moves walls of neighbours that stand against each other, no farther apart than `reach`, onto common lines.
 *
 * @param buildings - the rings of each, the shell first; the walls are changed
 * @param pairs - neighbours
 */
export function joinSharedWalls(
  buildings: readonly (readonly (readonly Wall[])[] | undefined)[],
  pairs: readonly (readonly [number, number])[],
  reach: number,
): void {
  const sides = buildings.map((rings) => (rings ?? []).flatMap((walls, k) => sidesOf(walls, k > 0)));
  const lineOf = new Map<Wall, Set<Wall>>();
  for (const [a, b] of pairs) {
    for (const one of sides[a]!) for (const other of sides[b]!) if (faces(one, other, reach)) join(lineOf, one.wall, other.wall);
  }
  for (const line of new Set(lineOf.values())) {
    const walls = [...line];
    const moments = walls.map((wall) => wall.moments).reduce(joinMoments);
    const angle = walls.find(({ direction }) => direction !== -1)?.angle ?? lineAngle(moments);
    const offset = meanOffset(moments, angle);
    for (const wall of walls) Object.assign(wall, { moments, angle, offset, shared: true });
  }
}

function join(lineOf: Map<Wall, Set<Wall>>, one: Wall, other: Wall): void {
  const [first, second] = [lineOf.get(one) ?? new Set([one]), lineOf.get(other) ?? new Set([other])];
  for (const wall of second) first.add(wall);
  for (const wall of first) lineOf.set(wall, first);
}

/** Sides with their building on the left. */
function sidesOf(walls: readonly Wall[], hole: boolean): Side[] {
  const corners = cornersOf(walls);
  return walls.map((wall, k) => {
    const next = (2 * k + 2) % corners.length;
    const [ax, ay, bx, by] = [corners[2 * k]!, corners[2 * k + 1]!, corners[next]!, corners[next + 1]!];
    const long = Math.hypot(bx - ax, by - ay);
    return hole ? { wall, ax: bx, ay: by, bx: ax, by: ay, long } : { wall, ax, ay, bx, by, long };
  });
}

function faces(one: Side, other: Side, reach: number): boolean {
  const [ux, uy] = [(one.bx - one.ax) / one.long, (one.by - one.ay) / one.long];
  const against = ux * (other.bx - other.ax) + uy * (other.by - other.ay);
  if (against > -ALMOST_PARALLEL * other.long) return false;
  const along = (x: number, y: number): number => ux * (x - one.ax) + uy * (y - one.ay);
  const across = (x: number, y: number): number => ux * (y - one.ay) - uy * (x - one.ax);
  const [from, to] = [Math.max(0, along(other.bx, other.by)), Math.min(one.long, along(other.ax, other.ay))];
  if (to - from < reach / 2) return false;
  // how far apart they are at both ends of what faces each other
  const [p, q] = [along(other.ax, other.ay), along(other.bx, other.by)];
  const [s, t] = [across(other.ax, other.ay), across(other.bx, other.by)];
  const at = (x: number): number => s + ((x - p) / (q - p)) * (t - s);
  return Math.abs(at(from)) <= reach && Math.abs(at(to)) <= reach;
}
