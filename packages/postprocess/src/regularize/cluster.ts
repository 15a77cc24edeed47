/** Features that may adjoin, from coordinates to a plane, through the regularizing, and back. */

import { type Feature, GeoLearnError, validGeometry } from "@geolearn/core";
import { ringBox } from "./adjoining.ts";
import type { LineDirection } from "./alignment-lines.ts";
import { type Rings, regularizeBuildings } from "./buildings.ts";
import type { Frame, Frames } from "./frame.ts";
import { type RegularizePlan, settingsIn } from "./options.ts";

type Geometry = NonNullable<Feature["geometry"]>;
type Position = number[];

/** A polygon in its plane. */
interface Part {
  readonly feature: number;
  readonly rings: readonly Float64Array[];
  readonly box: readonly [number, number, number, number];
}

/** Numbers this far from 0 have too few digits left behind the tolerance: to a millionth of it. */
const DIGITS = 2 ** -52 * 1e6;

/**
 * Regularizes features that may adjoin each other. Each comes back with `STATUS` 0, or as it was with `STATUS` 1 where there is no
 * solution or no polygon.
 */
export function regularizeCluster(features: readonly Feature[], frames: Frames, plan: RegularizePlan): Feature[] {
  const solved = solve(features, frames, plan);
  return features.map((feature, i) => {
    const geometry = solved.get(i) ?? null;
    return { ...feature, geometry: geometry ?? feature.geometry, properties: { ...feature.properties, STATUS: geometry === null ? 1 : 0 } };
  });
}

function solve(features: readonly Feature[], frames: Frames, plan: RegularizePlan): Map<number, Geometry> {
  const none = new Map<number, Geometry>();
  try {
    const place = firstPosition(features);
    if (place === null) return none;
    const frame = frames.at(place[0]!, place[1]!);
    const parts = features.flatMap((feature, i) => partsOf(feature, i, frame, frame.size(plan.tolerance)));
    const pairs = pairsWithin(parts, 2 * frame.size(plan.tolerance));
    const results = new Array<Rings | null>(parts.length).fill(null);
    for (const group of groupsOf(parts.length, pairs)) solveGroup(group, parts, pairs, frame, plan, results);
    return geometriesOf(features, parts, results, frame);
  } catch (error) {
    // a place outside of the system has no metres
    if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return features.length > 1 ? eachAlone(features, frames, plan) : none;
    throw error;
  }
}

function eachAlone(features: readonly Feature[], frames: Frames, plan: RegularizePlan): Map<number, Geometry> {
  const solved = new Map<number, Geometry>();
  for (const [i, feature] of features.entries()) for (const geometry of solve([feature], frames, plan).values()) solved.set(i, geometry);
  return solved;
}

function firstPosition(features: readonly Feature[]): Position | null {
  for (const { geometry } of features) {
    const position = polygonsOf(geometry)[0]?.[0]?.[0];
    if (position !== undefined) return position;
  }
  return null;
}

/** Polygons of a geometry; none of those that are no polygons. */
function polygonsOf(geometry: Geometry | null): readonly (readonly (readonly Position[])[])[] {
  if (geometry?.type === "Polygon") return [geometry.coordinates];
  return geometry?.type === "MultiPolygon" ? geometry.coordinates : [];
}

function partsOf({ geometry }: Feature, feature: number, frame: Frame, tolerance: number): Part[] {
  return polygonsOf(geometry).map((polygon) => {
    const rings = polygon.map((line) => {
      const ring = new Float64Array(2 * line.length);
      for (let k = 0; k < line.length; k++) {
        const place = frame.toPlane(line[k]![0]!, line[k]![1]!);
        ring[2 * k] = place[0];
        ring[2 * k + 1] = place[1];
      }
      return ring;
    });
    const usable = rings.length > 0 && rings.every((ring) => ring.length >= 6 && ring.every((v) => Math.abs(v) * DIGITS < tolerance));
    return usable ? { feature, rings, box: ringBox(rings[0]!) } : { feature, rings: [], box: [Infinity, Infinity, -Infinity, -Infinity] };
  });
}

/** Pairs of parts of different features whose boxes are no farther apart than `reach`, found along x. */
function pairsWithin(parts: readonly Part[], reach: number): [number, number][] {
  const order = Array.from(parts.keys()).sort((a, b) => parts[a]!.box[0] - parts[b]!.box[0] || a - b);
  const pairs: [number, number][] = [];
  let active: number[] = [];
  for (const i of order) {
    const { box, feature } = parts[i]!;
    active = active.filter((j) => parts[j]!.box[2] + reach >= box[0]);
    for (const j of active) {
      const other = parts[j]!;
      if (other.feature !== feature && other.box[1] <= box[3] + reach && other.box[3] + reach >= box[1])
        pairs.push(i < j ? [i, j] : [j, i]);
    }
    active.push(i);
  }
  return pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

function groupsOf(count: number, pairs: readonly (readonly [number, number])[]): number[][] {
  const parent = Array.from({ length: count }, (_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  for (const [a, b] of pairs) parent[find(b)] = find(a);
  const groups = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const root = find(i);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [i]);
    else group.push(i);
  }
  return [...groups.values()];
}

/** Solves parts near an origin of their own, so that no digits are lost. */
function solveGroup(
  group: readonly number[],
  parts: readonly Part[],
  pairs: readonly (readonly [number, number])[],
  frame: Frame,
  plan: RegularizePlan,
  results: (Rings | null)[],
): void {
  const settings = settingsIn(frame, plan);
  const usable = group.filter((i) => parts[i]!.rings.length > 0);
  if (usable.length === 0) return;
  const position = new Map(usable.map((i, k) => [i, k]));
  const [x0, y0] = [Math.min(...usable.map((i) => parts[i]!.box[0])), Math.min(...usable.map((i) => parts[i]!.box[1]))];
  const outlined = usable.map((i) => ({
    rings: parts[i]!.rings.map((ring) => moved(ring, -x0, -y0)),
    lines: linesNear(parts[i]!.rings[0]!, frame, plan),
  }));
  const own = pairs.filter(([a]) => position.has(a)).map(([a, b]) => [position.get(a)!, position.get(b)!] as const);
  const solved = regularizeBuildings(outlined, own, settings);
  for (const [k, rings] of solved.entries()) results[usable[k]!] = rings === null ? null : rings.map((ring) => moved(ring, x0, y0));
}

/** Distances of an outline are known to the tolerance: a line farther by less is as near. */
function linesNear(shell: Float64Array, frame: Frame, { alignment, alignmentTolerance, tolerance }: RegularizePlan): LineDirection[] {
  if (alignment === null) return [];
  if (typeof alignment === "number") return [{ angle: alignment, distance: 0 }];
  return alignment.near(shell, frame, alignmentTolerance === null ? Infinity : frame.size(alignmentTolerance), frame.size(tolerance));
}

function moved(ring: Float64Array, x: number, y: number): Float64Array {
  return ring.map((value, k) => value + (k % 2 === 0 ? x : y));
}

function geometriesOf(
  features: readonly Feature[],
  parts: readonly Part[],
  results: readonly (Rings | null)[],
  frame: Frame,
): Map<number, Geometry> {
  const polygons = features.map((): Position[][][] | null => []);
  for (const [k, { feature }] of parts.entries()) {
    const rings = results[k];
    if (rings) polygons[feature]?.push(rings.map((ring, r) => lineOf(ring, r > 0, frame)));
    else polygons[feature] = null;
  }
  const geometries = new Map<number, Geometry>();
  for (const [i, coordinates] of polygons.entries()) {
    if (coordinates === null || coordinates.length === 0) continue;
    if (features[i]!.geometry?.type === "Polygon") geometries.set(i, { type: "Polygon", coordinates: coordinates[0]! });
    else if (validGeometry({ type: "MultiPolygon", coordinates }).valid) geometries.set(i, { type: "MultiPolygon", coordinates });
  }
  return geometries;
}

/** A closed line in coordinates, holes clockwise. */
function lineOf(ring: Float64Array, hole: boolean, frame: Frame): Position[] {
  const line: Position[] = [];
  for (let i = 0; i < ring.length; i += 2) line.push([...frame.fromPlane(ring[i]!, ring[i + 1]!)]);
  if (hole) line.reverse();
  line.push([...line[0]!]);
  return line;
}
