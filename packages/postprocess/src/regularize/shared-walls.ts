/** Walls that buildings share: those that face each other become one line, fitted to both outlines together. */

import { joinMoments, lineAngle } from "./moments.ts";
import { type Wall, cornersOf, meanOffset } from "./walls.ts";

/** A ring of walls of one of several adjoining buildings. */
export interface WallRing {
  readonly walls: Wall[];
  readonly building: number;
  readonly hole: boolean;
}

/** Lines of walls anywhere are one when they differ by less than this: 10 degrees. */
const ALMOST_PARALLEL = Math.cos(Math.PI / 18);

interface Side {
  readonly wall: Wall;
  readonly building: number;
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
  readonly long: number;
}

/** Moves walls of neighbours that stand against each other, no farther apart than `reach`, onto common lines. */
export function joinSharedWalls(rings: readonly WallRing[], areNeighbours: (a: number, b: number) => boolean, reach: number): void {
  const sides = rings.flatMap(sidesOf);
  const parent = sides.map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  for (let i = 0; i < sides.length; i++) {
    for (let j = i + 1; j < sides.length; j++) {
      const [one, other] = [sides[i]!, sides[j]!];
      if (one.building === other.building || !areNeighbours(one.building, other.building)) continue;
      if (faces(one, other, reach)) parent[find(i)] = find(j);
    }
  }
  const groups = new Map<number, Wall[]>();
  for (let i = 0; i < sides.length; i++) groups.set(find(i), [...(groups.get(find(i)) ?? []), sides[i]!.wall]);
  for (const walls of groups.values()) {
    if (walls.length < 2) continue;
    const moments = walls.map((wall) => wall.moments).reduce(joinMoments);
    const angle = walls[0]!.direction === -1 ? lineAngle(moments) : walls[0]!.angle;
    const offset = meanOffset(moments, angle);
    for (const wall of walls) Object.assign(wall, { moments, angle, offset, shared: true });
  }
}

/** Sides with their building on the left. */
function sidesOf({ walls, building, hole }: WallRing): Side[] {
  const corners = cornersOf(walls);
  return walls.map((wall, k) => {
    const next = (2 * k + 2) % corners.length;
    const [ax, ay, bx, by] = [corners[2 * k]!, corners[2 * k + 1]!, corners[next]!, corners[next + 1]!];
    const long = Math.hypot(bx - ax, by - ay);
    return hole ? { wall, building, ax: bx, ay: by, bx: ax, by: ay, long } : { wall, building, ax, ay, bx, by, long };
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
