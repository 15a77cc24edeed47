/** The directions that walls follow: those of a line nearby, else those that neighbours have in common, else a building's own. */

import type { LineDirection } from "./alignment-lines.ts";
import { scatterAngle } from "./base-angle.ts";
import type { Alignment } from "./footprint.ts";

/** Directions of buildings that share walls differ by less than this: 10 degrees. */
const SAME_DIRECTION = Math.PI / 18;
const QUARTER = Math.PI / 2;

/** What gives a building its directions. */
export interface Directed {
  /** Its own directions, the best first. */
  readonly alignments: readonly Alignment[];
  /** The line that it is to follow. */
  readonly line: LineDirection | null;
}

/** Angles that the walls of a building may follow. */
export interface WallAngles {
  /** Buildings of one number have their directions in common: all of them follow the line, or none. */
  readonly group: number;
  /** That of a line, or null. */
  readonly line: number | null;
  /** Others, the best first. */
  readonly own: readonly number[];
}

/** Of lines that are equally near, the one that turns the building least. */
export function chooseLine(lines: readonly LineDirection[], own: Alignment | undefined): LineDirection | null {
  const turn = ({ angle }: LineDirection): number => (own === undefined ? 0 : Math.abs(quarterDifference(angle, own.angle)));
  return lines.reduce<LineDirection | null>((best, line) => (best === null || turn(line) < turn(best) ? line : best), null);
}

/**
 * Angles for the walls of each building. Buildings that adjoin and run in nearly the same directions have them in common: that of the
 * line nearest to any of them, and the one that fits all of their walls.
 */
export function wallAngles(buildings: readonly Directed[], meeting: readonly (readonly [number, number])[]): readonly WallAngles[] {
  const angles = new Array<WallAngles>(buildings.length);
  for (const [number, group] of groupsOf(buildings, meeting).entries()) {
    const line = nearestLine(group.map((i) => buildings[i]!.line))?.angle ?? null;
    const common = group.length > 1 ? [commonAngle(group.map((i) => buildings[i]!.alignments[0]!))] : [];
    for (const i of group) angles[i] = { group: number, line, own: [...common, ...buildings[i]!.alignments.map(({ angle }) => angle)] };
  }
  return angles;
}

function groupsOf(buildings: readonly Directed[], meeting: readonly (readonly [number, number])[]): number[][] {
  const parent = buildings.map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  for (const [a, b] of meeting) {
    const [one, other] = [buildings[a]!.alignments[0], buildings[b]!.alignments[0]];
    if (one === undefined || other === undefined || Math.abs(quarterDifference(one.angle, other.angle)) > SAME_DIRECTION) continue;
    parent[find(a)] = find(b);
  }
  const groups = new Map<number, number[]>();
  for (const i of buildings.keys()) {
    const group = groups.get(find(i));
    if (group === undefined) groups.set(find(i), [i]);
    else group.push(i);
  }
  return [...groups.values()];
}

function nearestLine(lines: readonly (LineDirection | null)[]): LineDirection | null {
  return lines.reduce((best, line) => (best === null || (line !== null && line.distance < best.distance) ? line : best), null);
}

function commonAngle(alignments: readonly Alignment[]): number {
  const reference = alignments[0]!;
  let [cos, sin] = [0, 0];
  for (const { angle, pull } of alignments) {
    const turned = Math.round((angle - reference.angle) / QUARTER) % 2 === 0 ? 1 : -1;
    cos += turned * pull[0];
    sin += turned * pull[1];
  }
  return scatterAngle([cos, sin], reference.angle);
}

function quarterDifference(a: number, b: number): number {
  return a - b - QUARTER * Math.round((a - b) / QUARTER);
}
