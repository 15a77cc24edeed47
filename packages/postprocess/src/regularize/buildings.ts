/** Polygons that adjoin each other, regularized together. */

import { validGeometry } from "@geolearn/core";

import { ringBox, ringsMeet, sharedArea } from "./adjoining.ts";
import type { LineDirection } from "./alignment-lines.ts";
import { circleRing, fitCircle, smoothCompactness } from "./circle.ts";
import { overlapsMore, withoutConflicts } from "./conflicts.ts";
import { type Directed, type WallAngles, chooseLine, wallAngles } from "./directions.ts";
import { type Footprint, alignments, planWalls, prepareFootprint } from "./footprint.ts";
import { type Outline, ringArea } from "./outline.ts";
import { type Settings, wallRules } from "./settings.ts";
import { joinSharedWalls } from "./shared-walls.ts";
import { type Wall, cornersOf, withoutShortWalls } from "./walls.ts";

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
 * that touch take common directions and share their walls, as do others that would overlap otherwise.
 */
export function regularizeBuildings(outlined: readonly Outlined[], pairs: readonly Pair[], settings: Settings): (Rings | null)[] {
  const { tolerance } = settings;
  const polygons = outlined.map(({ rings }) => rings);
  const buildings = outlined.map((one) => makeBuilding(one, settings));
  const touching = new Set(pairs.filter(([a, b]) => polygonsMeet(polygons[a]!, polygons[b]!, tolerance * 1e-6)));
  const plans = planBuildings(buildings, [...touching], settings);
  const results = finishBuildings(buildings, plans, [...touching], settings);
  const clashing = pairs.filter((pair) => !touching.has(pair) && overlapsMore(polygons, results, pair, tolerance));
  if (clashing.length === 0) return withoutConflicts(polygons, results, [...touching], tolerance);
  const meeting = [...touching, ...clashing];
  const again = finishBuildings(buildings, planBuildings(buildings, meeting, settings, plans), meeting, settings);
  return withoutConflicts(polygons, again, pairs, tolerance);
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

/** Plans of buildings, with the angles they were made for. */
interface Plans {
  readonly angles: readonly WallAngles[];
  readonly plans: readonly (WallPlan | null)[];
}

/** Plans for buildings of which some meet; those of `before` are kept where the angles are the same. */
function planBuildings(buildings: readonly Building[], meeting: readonly Pair[], settings: Settings, before?: Plans): Plans {
  const angles = wallAngles(buildings, meeting);
  const plans = buildings.map(({ footprint, circles }, i) => {
    if (footprint === null || circles !== null) return null;
    const [now, then] = [angles[i]!, before?.angles[i]];
    const same = now.line === then?.line && now.own.length === then.own.length && now.own.every((angle, k) => angle === then.own[k]);
    return same ? before!.plans[i]! : planFootprint(footprint, now, settings);
  });
  return { angles, plans };
}

/** Rings of the plans, with shared walls where that keeps the rules. */
function finishBuildings(buildings: readonly Building[], { plans }: Plans, meeting: readonly Pair[], settings: Settings): (Rings | null)[] {
  const joined = joinPlans(plans, meeting, settings);
  return buildings.map(({ footprint, circles }, i) => {
    const plan = plans[i]!;
    if (plan === null || footprint === null) return circles;
    const together = joined[i] === undefined ? null : finish(footprint, joined[i], plan.angle, settings);
    return together ?? finish(footprint, plan.walls, plan.angle, settings);
  });
}

/** Walls along a line where there are no more of them that way, else at the building's own angles. */
function planFootprint(footprint: Footprint, { line, own }: WallAngles, settings: Settings): WallPlan | null {
  const plan = firstPlan(footprint, own, settings);
  const along = line === null ? null : firstPlan(footprint, [line], settings);
  return along !== null && (plan === null || along.walls.flat().length <= plan.walls.flat().length) ? along : plan;
}

/** The first division of a building that stays within the tolerance, at one angle after the other. */
function firstPlan(footprint: Footprint, angles: readonly number[], settings: Settings): WallPlan | null {
  for (const angle of angles) {
    for (const thrift of THRIFT) {
      const walls: Wall[][] = [];
      for (const outline of footprint.outlines) {
        const ring = planWalls(outline, settings, angle, thrift);
        if (ring === null) break;
        walls.push(ring);
      }
      if (walls.length < footprint.outlines.length) continue;
      if (verified(footprint, walls, angle, settings) !== null) return { angle, walls };
    }
  }
  return null;
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

/** Walls to rings that keep their area and lie on the grid; without either where that breaks a rule; null where all of it does. */
function finish(footprint: Footprint, walls: readonly Wall[][], angle: number, settings: Settings): Rings | null {
  const rules = wallRules(settings, angle);
  const cleaned = walls.map((ring) => withoutShortWalls(ring, rules));
  if (cleaned.some((ring) => ring === null)) return null;
  const rings = cleaned as Wall[][];
  const kept = rings.map((ring, k) => onGrid(withArea(ring, footprint.outlines[k]!.area, settings), settings));
  return verified(footprint, kept, angle, settings) ?? verified(footprint, rings, angle, settings);
}

/** Moves the walls that no neighbour shares out or in, all by the same, so that the ring has the area. */
function withArea(walls: readonly Wall[], area: number, { tolerance }: Settings): Wall[] {
  let moved = walls.map((wall) => ({ ...wall }));
  for (let round = 0; round < 3; round++) {
    const corners = cornersOf(moved);
    let free = 0;
    const signs = moved.map(({ angle, shared }, k) => {
      const next = (2 * k + 2) % corners.length;
      const [dx, dy] = [corners[next]! - corners[2 * k]!, corners[next + 1]! - corners[2 * k + 1]!];
      if (shared) return 0;
      free += Math.hypot(dx, dy);
      return Math.cos(angle) * dx + Math.sin(angle) * dy > 0 ? -1 : 1;
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
