/** Polygons that adjoin each other, regularized together. */

import { validGeometry } from "@geolearn/core";

import { ringBox, ringsMeet, sharedArea } from "./adjoining.ts";
import type { LineDirection } from "./alignment-lines.ts";
import { circleRing, fitCircle, smoothCompactness } from "./circle.ts";
import { Conflicts, Overlaps } from "./conflicts.ts";
import { type Directed, type WallAngles, chooseLine, wallAngles } from "./directions.ts";
import { type Footprint, alignments, planWalls, prepareFootprint } from "./footprint.ts";
import { type Outline, ringArea } from "./outline.ts";
import { type Settings, wallRules } from "./settings.ts";
import { joinSharedWalls } from "./shared-walls.ts";
import { type Wall, cornersOf, outward, withoutShortWalls } from "./walls.ts";
import { yieldWalls } from "./yielding.ts";

/** Rings of a polygon as x, y pairs, not closed, the shell first. */
export type Rings = readonly Float64Array[];

/** How dear walls are made, one after the other, until a building is within the tolerance of its outline. */
const THRIFT = [1, 0.5, 0.25, 0.1, 2];

/** A polygon in plane coordinates near the origin, and the lines nearby that its walls are to follow one of. */
export interface Outlined {
  readonly rings: Rings;
  readonly lines: readonly LineDirection[];
}

/** A building on its way. */
interface Building extends Directed {
  readonly footprint: Footprint | null;
  /** Finished as circles. */
  readonly circles: Rings | null;
}

type Pair = readonly [number, number];

/**
 * Regularizes polygons; `pairs` lists those no farther apart than twice the tolerance. Null for those without a solution. Buildings
 * that touch take common directions and share their walls, as do others that would overlap otherwise. Those that a line would turn into
 * each other keep their own directions.
 */
export function regularizeBuildings(outlined: readonly Outlined[], pairs: readonly Pair[], settings: Settings): (Rings | null)[] {
  const polygons = outlined.map(({ rings }) => rings);
  const touching = new Set(pairs.filter(([a, b]) => polygonsMeet(polygons[a]!, polygons[b]!, settings.tolerance * 1e-6)));
  const overlaps = new Overlaps(polygons, settings.tolerance);
  let buildings = outlined.map((one) => makeBuilding(one, settings));
  for (let before: Plans | undefined; ;) {
    const { plans, results, left } = solveTogether({ overlaps, pairs, touching }, buildings, settings, before);
    const turned = turnedIntoConflict(plans.angles, results, left, pairs);
    if (turned.size === 0) return left;
    buildings = buildings.map((building, i) => (turned.has(plans.angles[i]!.group) ? { ...building, line: null } : building));
    before = plans;
  }
}

/** How much polygons overlap, which of them are near each other, and which touch. */
interface Neighbourhood {
  readonly overlaps: Overlaps;
  readonly pairs: readonly Pair[];
  readonly touching: ReadonlySet<Pair>;
}

interface Solution {
  readonly plans: Plans;
  readonly results: readonly (Rings | null)[];
  /** Results that do not overlap more than their polygons. */
  readonly left: (Rings | null)[];
}

function solveTogether(
  { overlaps, pairs, touching }: Neighbourhood,
  buildings: readonly Building[],
  settings: Settings,
  before: Plans | undefined,
): Solution {
  const plans = planBuildings(buildings, [...touching], settings, before);
  const results = finishBuildings(buildings, plans, [...touching], settings);
  const clashing = pairs.filter((pair) => !touching.has(pair) && overlaps.excess(pair, results[pair[0]]!, results[pair[1]]!) > 0);
  const settled = (planned: Plans, found: readonly (Rings | null)[]): Solution => {
    const conflicts = new Conflicts(overlaps, found, pairs);
    return { plans: planned, results: found, left: settle(conflicts, found, buildings, planned, settings) };
  };
  if (clashing.length === 0) return settled(plans, results);
  const meeting = [...touching, ...clashing];
  const together = planBuildings(buildings, meeting, settings, plans);
  return settled(together, finishBuildings(buildings, together, meeting, settings));
}

/** Results without conflicts: buildings that are given up are tried again with walls that follow their outlines more closely or give way. */
function settle(
  conflicts: Conflicts,
  results: readonly (Rings | null)[],
  buildings: readonly Building[],
  { angles }: Plans,
  settings: Settings,
): (Rings | null)[] {
  conflicts.giveUp();
  for (const [i, { footprint }] of buildings.entries()) {
    if (footprint === null || results[i] === null || conflicts.results[i] !== null) continue;
    const rings = yieldingResult(footprint, angles[i]!.own, (candidate, most) => conflicts.excess(i, candidate, most), settings);
    if (rings !== null) conflicts.replace(i, rings);
  }
  return [...conflicts.results];
}

/** The first result of a building that takes no more of its neighbours than its outline does, those nearest to its outline first. */
function yieldingResult(
  footprint: Footprint,
  angles: readonly number[],
  excess: (rings: Rings, most: number) => number,
  settings: Settings,
): Rings | null {
  for (const thrift of THRIFT.toSorted((a, b) => a - b)) {
    for (const angle of angles) {
      const walls = plannedWalls(footprint, angle, thrift, settings);
      const finished = walls === null ? null : finishedWalls(footprint, walls, angle, settings);
      if (finished === null) continue;
      const [shell, ...holes] = finished;
      const inner = holes.map(cornersOf);
      const yielding = { ...settings, excess: (corners: Float64Array, most: number) => excess([corners, ...inner], most) };
      const yielded = yieldWalls(shell!, yielding);
      const rings = yielded === null ? null : verified(footprint, [yielded, ...holes], angle, settings);
      if (rings !== null) return rings;
    }
  }
  return null;
}

/** Groups that have a line, of buildings that were lost to a conflict and of those near them. */
function turnedIntoConflict(
  angles: readonly WallAngles[],
  results: readonly (Rings | null)[],
  left: readonly (Rings | null)[],
  pairs: readonly Pair[],
): ReadonlySet<number> {
  const lost = (i: number): boolean => results[i] !== null && left[i] === null;
  const near = pairs.filter(([a, b]) => lost(a) || lost(b)).flat();
  return new Set(near.filter((i) => angles[i]!.line !== null).map((i) => angles[i]!.group));
}

function makeBuilding({ rings, lines }: Outlined, settings: Settings): Building {
  const footprint = prepareFootprint(rings, settings);
  const undirected = { footprint, alignments: [], line: null };
  if (footprint === null) return { ...undirected, circles: null };
  if (settings.method === "circle") return { ...undirected, circles: circlesOf(footprint, settings) };
  const own = alignments(footprint.outlines[0]!, settings);
  const circles = isRound(footprint, own[0]?.cost ?? Infinity, settings) ? circlesOf(footprint, settings) : null;
  return circles === null ? { footprint, alignments: own, line: chooseLine(lines, own[0]), circles } : { ...undirected, circles };
}

/** Round and without a hole, and no division into walls is better than the circle at the price of four. */
function isRound({ outlines }: Footprint, cost: number, settings: Settings): boolean {
  const { method, tolerance, circleCompactness } = settings;
  const [shell] = outlines;
  if (method === "anyAngles" || shell === undefined || outlines.length > 1) return false;
  if (smoothCompactness(shell, Math.min(tolerance, shell.perimeter / 40)) < circleCompactness) return false;
  const circle = fitCircle(shell, tolerance / 4);
  return circle !== null && circle.cost + 4 * wallRules(settings, 0).price <= cost;
}

/** A circle for each ring, or null when one does not fit. */
function circlesOf({ outlines, bands }: Footprint, { tolerance, minRadius, maxRadius, circleAreaRatio }: Settings): Rings | null {
  const rings: Float64Array[] = [];
  for (const [k, outline] of outlines.entries()) {
    const circle = fitCircle(outline, tolerance / 4);
    if (circle === null || circle.radius < minRadius || circle.radius > maxRadius) return null;
    const ring = circleRing(circle, tolerance);
    if (ring === null) return null;
    const fits = circleAreaRatio === null ? bands[k]!.holds(ring) : covers(ring, outline, circleAreaRatio, tolerance);
    if (!fits) return null;
    rings.push(ring);
  }
  return isValid(rings) ? rings : null;
}

/** Whether a circle's ring differs from an outline by no more than a share of its area, and stays in the place known to be the outline's. */
function covers(circle: Float64Array, { ring, area }: Outline, most: number, tolerance: number): boolean {
  const [box, own] = [ringBox(ring), ringBox(circle)];
  if (own.some((value, side) => (side < 2 ? value < box[side]! - tolerance : value > box[side]! + tolerance))) return false;
  const round = ringArea(circle);
  return round + area - 2 * sharedArea([circle], [ring]) <= most * round;
}

function polygonsMeet(one: Rings, other: Rings, reach: number): boolean {
  return one.some((ring) => other.some((against) => ringsMeet(ring, against, reach)));
}

interface WallPlan {
  readonly angle: number;
  readonly walls: readonly Wall[][];
}

/** A building's walls at its own angles, and along its line. */
interface Choice {
  readonly own: WallPlan | null;
  readonly along: WallPlan | null;
}

/** Plans of buildings, with the angles they were made for. */
interface Plans {
  readonly angles: readonly WallAngles[];
  readonly choices: readonly Choice[];
}

/** Plans for buildings of which some meet; those of `before` are kept where the angles are the same. */
function planBuildings(buildings: readonly Building[], meeting: readonly Pair[], settings: Settings, before?: Plans): Plans {
  const angles = wallAngles(buildings, meeting);
  const choices = buildings.map(({ footprint, circles }, i): Choice => {
    if (footprint === null || circles !== null) return { own: null, along: null };
    const [now, then, known] = [angles[i]!, before?.angles[i], before?.choices[i]];
    const same = known !== undefined && now.own.length === then!.own.length && now.own.every((angle, k) => angle === then!.own[k]);
    const own = same ? known.own : firstPlan(footprint, now.own, settings);
    if (now.line === null) return { own, along: null };
    return { own, along: known !== undefined && now.line === then!.line ? known.along : firstPlan(footprint, [now.line], settings) };
  });
  return { angles, choices };
}

/** The plans of groups of which every building has no more walls along the line are those along the line. */
function chosenPlans({ angles, choices }: Plans): (WallPlan | null)[] {
  const walls = ({ walls }: WallPlan): number => walls.flat().length;
  const refusing = choices.map(({ own, along }, i) => {
    const follows = own === null || (along !== null && walls(along) <= walls(own));
    return follows ? -1 : angles[i]!.group;
  });
  const apart = new Set(refusing);
  return choices.map(({ own, along }, i) => (apart.has(angles[i]!.group) ? own : (along ?? own)));
}

/** Rings of the plans, with shared walls where that keeps the rules. */
function finishBuildings(buildings: readonly Building[], planned: Plans, meeting: readonly Pair[], settings: Settings): (Rings | null)[] {
  const plans = chosenPlans(planned);
  const joined = joinPlans(plans, meeting, settings);
  return buildings.map(({ footprint, circles }, i) => {
    const plan = plans[i]!;
    if (plan === null || footprint === null) return circles;
    const together = joined[i] === undefined ? null : finish(footprint, joined[i], plan.angle, settings);
    return together ?? finish(footprint, plan.walls, plan.angle, settings);
  });
}

/** The first division of a building that stays within the tolerance, at one angle after the other. */
function firstPlan(footprint: Footprint, angles: readonly number[], settings: Settings): WallPlan | null {
  for (const angle of angles) {
    for (const thrift of THRIFT) {
      const walls = plannedWalls(footprint, angle, thrift, settings);
      if (walls !== null && verified(footprint, walls, angle, settings) !== null) return { angle, walls };
    }
  }
  return null;
}

function plannedWalls(footprint: Footprint, angle: number, thrift: number, settings: Settings): Wall[][] | null {
  const walls: Wall[][] = [];
  for (const outline of footprint.outlines) {
    const ring = planWalls(outline, settings, angle, thrift);
    if (ring === null) return null;
    walls.push(ring);
  }
  return walls;
}

/** Copies of the plans with shared walls joined; nothing for buildings that share none. */
function joinPlans(
  plans: readonly (WallPlan | null)[],
  meeting: readonly Pair[],
  { method, tolerance }: Settings,
): (Wall[][] | undefined)[] {
  const joined = new Array<Wall[][] | undefined>(plans.length);
  const pairs = meeting.filter(([a, b]) => plans[a] && plans[b] && (method === "anyAngles" || plans[a].angle === plans[b].angle));
  for (const i of pairs.flat()) joined[i] ??= plans[i]!.walls.map((ring) => ring.map((wall) => ({ ...wall })));
  joinSharedWalls(joined, pairs, tolerance);
  return joined;
}

/** The rings of {@link finishedWalls}. */
function finish(footprint: Footprint, walls: readonly Wall[][], angle: number, settings: Settings): Rings | null {
  return finishedWalls(footprint, walls, angle, settings)?.map(cornersOf) ?? null;
}

/** Walls that keep the area of their outlines and lie on the grid; without either where that breaks a rule; null where all of it does. */
function finishedWalls(footprint: Footprint, walls: readonly Wall[][], angle: number, settings: Settings): Wall[][] | null {
  const rules = wallRules(settings, angle);
  const cleaned = walls.map((ring) => withoutShortWalls(ring, rules));
  if (cleaned.some((ring) => ring === null)) return null;
  const rings = cleaned as Wall[][];
  const kept = rings.map((ring, k) => onGrid(withArea(ring, footprint.outlines[k]!.area, settings), settings));
  return [kept, rings].find((tried) => verified(footprint, tried, angle, settings) !== null) ?? null;
}

/** Moves the walls that no neighbour shares out or in, all by the same, so that the ring has the area. */
function withArea(walls: readonly Wall[], area: number, { tolerance }: Settings): Wall[] {
  let moved = walls.map((wall) => ({ ...wall }));
  for (let round = 0; round < 3; round++) {
    const corners = cornersOf(moved);
    let free = 0;
    const signs = moved.map(({ shared }, k) => {
      const next = (2 * k + 2) % corners.length;
      const [dx, dy] = [corners[next]! - corners[2 * k]!, corners[next + 1]! - corners[2 * k + 1]!];
      if (shared) return 0;
      free += Math.hypot(dx, dy);
      return outward(moved, corners, k);
    });
    if (free < tolerance) return moved;
    const shift = Math.max(-tolerance / 4, Math.min(tolerance / 4, (area - ringArea(corners)) / free));
    moved = moved.map((wall, k) => ({ ...wall, offset: wall.offset + signs[k]! * shift }));
  }
  return moved;
}

function onGrid(walls: readonly Wall[], { precision, method }: Settings): Wall[] {
  if (precision === 0 || method === "anyAngles") return [...walls];
  return walls.map((wall) => ({ ...wall, offset: precision * Math.round(wall.offset / precision) }));
}

/** The rings of walls when they keep every rule: no wall too short, within the tolerance of their outlines, valid together. */
function verified(footprint: Footprint, walls: readonly (readonly Wall[])[], angle: number, settings: Settings): Rings | null {
  const rules = wallRules(settings, angle);
  const rings: Float64Array[] = [];
  for (const [k, ring] of walls.entries()) {
    if (withoutShortWalls(ring, rules)?.length !== ring.length) return null;
    const corners = cornersOf(ring);
    if (!corners.every(Number.isFinite) || !(ringArea(corners) > 0) || !footprint.bands[k]!.holds(corners)) return null;
    rings.push(corners);
  }
  return isValid(rings) ? rings : null;
}

function isValid(rings: Rings): boolean {
  const coordinates = rings.map((ring) =>
    Array.from({ length: ring.length / 2 + 1 }, (_, i) => [ring[(2 * i) % ring.length]!, ring[(2 * i + 1) % ring.length]!]),
  );
  return validGeometry({ type: "Polygon", coordinates }).valid;
}
