/** Polygons that adjoin each other, regularized together. */

import { validGeometry } from "@geolearn/core";

import { ringsMeet, sharedArea } from "./adjoining.ts";
import { scatterAngle } from "./base-angle.ts";
import { circleRing, fitCircle, smoothCompactness } from "./circle.ts";
import { type Alignment, type Footprint, alignments, planWalls, prepareFootprint } from "./footprint.ts";
import { ringArea } from "./outline.ts";
import { type Settings, wallRules } from "./settings.ts";
import { joinSharedWalls } from "./shared-walls.ts";
import { type Wall, cornersOf, withoutShortWalls } from "./walls.ts";

/** Rings of a polygon as x, y pairs, not closed, the shell first. */
export type Rings = readonly Float64Array[];

/** Directions of buildings that share walls differ by less than this: 10 degrees. */
const SAME_DIRECTION = Math.PI / 18;
const QUARTER = Math.PI / 2;
/** How dear walls are made, one after the other, until a building is within the tolerance of its outline. */
const THRIFT = [1, 0.5, 0.25, 0.1, 2];

/** A building on its way. */
interface Building {
  readonly input: Rings;
  readonly footprint: Footprint | null;
  /** Its own directions, the best first. */
  readonly alignments: readonly Alignment[];
  /** Finished as circles. */
  circles: Rings | null;
}

/**
 * Regularizes polygons in plane coordinates near the origin; `neighbours` lists the pairs that may adjoin. Null for those without a
 * solution. Buildings that adjoin take common directions and share their walls.
 */
export function regularizeBuildings(
  polygons: readonly Rings[],
  pairs: readonly (readonly [number, number])[],
  settings: Settings,
): (Rings | null)[] {
  const buildings = polygons.map((input) => makeBuilding(input, settings));
  const meeting = pairs.filter(([a, b]) => polygonsMeet(polygons[a]!, polygons[b]!, settings.tolerance * 1e-6));
  const results = buildings.map((building) => building.circles);
  const frames = commonAngles(buildings, meeting);
  const plans = buildings.map((building, i) => (building.circles === null ? firstPlan(building, frames[i]!, settings) : null));
  const joined = joinPlans(plans, meeting, settings);
  for (const [i, building] of buildings.entries()) {
    const plan = plans[i]!;
    if (plan === null || building.footprint === null) continue;
    const together = joined[i] ?? null;
    results[i] =
      (together && finish(building.footprint, together, plan.angle, settings)) ??
      finish(building.footprint, plan.walls, plan.angle, settings);
  }
  copyConflicts(polygons, results, meeting, settings);
  return results;
}

function makeBuilding(input: Rings, settings: Settings): Building {
  const footprint = prepareFootprint(input, settings);
  if (footprint === null) return { input, footprint, alignments: [], circles: null };
  if (settings.method === "circle") return { input, footprint, alignments: [], circles: circlesOf(footprint, settings) };
  const own = alignments(footprint.outlines[0]!, settings);
  return {
    input,
    footprint,
    alignments: own,
    circles: isRound(footprint, own[0]?.cost ?? Infinity, settings) ? circlesOf(footprint, settings) : null,
  };
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
function circlesOf({ outlines, bands }: Footprint, { tolerance, minRadius, maxRadius }: Settings): Rings | null {
  const rings: Float64Array[] = [];
  for (const [k, outline] of outlines.entries()) {
    const circle = fitCircle(outline, tolerance / 4);
    if (circle === null || circle.radius < Math.max(minRadius, tolerance) || circle.radius > maxRadius) return null;
    const ring = circleRing(circle);
    if (!bands[k]!.holds(ring)) return null;
    rings.push(ring);
  }
  return isValid(rings) ? rings : null;
}

function polygonsMeet(one: Rings, other: Rings, reach: number): boolean {
  return one.some((ring) => other.some((against) => ringsMeet(ring, against, reach)));
}

/** One angle for buildings that adjoin and run in nearly the same directions; null for those that stand alone. */
function commonAngles(buildings: readonly Building[], meeting: readonly (readonly [number, number])[]): (number | null)[] {
  const parent = buildings.map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const first = (i: number): Alignment | undefined => (buildings[i]!.circles === null ? buildings[i]!.alignments[0] : undefined);
  for (const [a, b] of meeting) {
    const [one, other] = [first(a), first(b)];
    if (one === undefined || other === undefined || Math.abs(quarterDifference(one.angle, other.angle)) > SAME_DIRECTION) continue;
    parent[find(a)] = find(b);
  }
  const pulls = new Map<number, [number, number]>();
  for (const i of buildings.keys()) {
    const [root, own] = [find(i), first(i)];
    const reference = first(root);
    if (own === undefined || reference === undefined) continue;
    const turned = Math.round((own.angle - reference.angle) / QUARTER) % 2 === 0 ? 1 : -1;
    const [cos, sin] = pulls.get(root) ?? [0, 0];
    pulls.set(root, [cos + turned * own.pull[0], sin + turned * own.pull[1]]);
  }
  const members = new Map<number, number>();
  for (const i of buildings.keys()) members.set(find(i), (members.get(find(i)) ?? 0) + 1);
  return buildings.map((_, i) => {
    const pull = pulls.get(find(i));
    if (members.get(find(i)) === 1 || pull === undefined) return null;
    return scatterAngle(pull, first(find(i))!.angle);
  });
}

function quarterDifference(a: number, b: number): number {
  return a - b - QUARTER * Math.round((a - b) / QUARTER);
}

interface WallPlan {
  readonly angle: number;
  readonly walls: readonly Wall[][];
}

/** The first division of a building that stays within the tolerance: at the common angle, else at its own. */
function firstPlan({ footprint, alignments: own }: Building, common: number | null, settings: Settings): WallPlan | null {
  if (footprint === null) return null;
  const angles = own.map(({ angle }) => angle);
  for (const angle of common === null ? angles : [common, ...angles]) {
    for (const thrift of THRIFT) {
      const walls: Wall[][] = [];
      for (const outline of footprint.outlines) {
        const ring = planWalls(outline, settings, angle, thrift);
        if (ring === null) break;
        walls.push(ring);
      }
      if (walls.length < footprint.outlines.length) continue;
      const plan = { angle, walls };
      if (verified(footprint, walls, angle, settings) !== null) return plan;
    }
  }
  return null;
}

/** Copies of the plans with shared walls joined; nothing for buildings that share none. */
function joinPlans(
  plans: readonly (WallPlan | null)[],
  meeting: readonly (readonly [number, number])[],
  { tolerance }: Settings,
): (Wall[][] | undefined)[] {
  const joined = new Array<Wall[][] | undefined>(plans.length);
  const pairs = meeting.filter(([a, b]) => plans[a] && plans[b] && plans[a].angle === plans[b].angle);
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

/** Leaves those as they were that would overlap their neighbours more than before. */
function copyConflicts(
  polygons: readonly Rings[],
  results: (Rings | null)[],
  meeting: readonly (readonly [number, number])[],
  { tolerance }: Settings,
): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const [a, b] of meeting) {
      const [one, other] = [results[a], results[b]];
      if (!one && !other) continue;
      const after = sharedArea(one ?? polygons[a]!, other ?? polygons[b]!);
      if (after <= 1e-6 * tolerance ** 2 || after <= sharedArea(polygons[a]!, polygons[b]!)) continue;
      results[a] = null;
      results[b] = null;
      changed = true;
    }
  }
}
