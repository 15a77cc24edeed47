/** The meridian of 180 degrees, where longitudes jump: cutting geometries there, and bringing them to one side of it. */

import type { Geometry, LineString, Polygon, Position } from "geojson";

import { mapPositions } from "./positions.ts";
import { pointInRing, prepareRing } from "./ring-meetings.ts";
import { rightHanded, ringArea } from "./winding.ts";

/** A turn around the Earth, in degrees. */
const TURN = 360;

/**
 * A geometry in degrees whose longitudes run on beyond 180 (181 rather than -179), cut there as RFC 7946 (3.1.9) wants it: every
 * longitude of the result lies from -180 to 180, and what was cut is a Multi geometry. Edges are straight in degrees.
 */
export function cutAtAntimeridian(geometry: Geometry): Geometry {
  switch (geometry.type) {
    case "Point":
    case "MultiPoint":
      return mapPositions(geometry, ([x, ...rest]) => [inside(x!), ...rest]);
    case "LineString":
      return linesOf(cutLine(geometry.coordinates));
    case "MultiLineString":
      return { type: "MultiLineString", coordinates: geometry.coordinates.flatMap(cutLine) };
    case "Polygon":
      return polygonsOf(cutPolygon(geometry));
    case "MultiPolygon":
      return {
        type: "MultiPolygon",
        coordinates: geometry.coordinates.flatMap((coordinates) => cutPolygon({ type: "Polygon", coordinates })),
      };
    case "GeometryCollection":
      return { type: "GeometryCollection", geometries: geometry.geometries.map(cutAtAntimeridian) };
  }
}

/**
 * A geometry in degrees moved by whole turns so that it lies around a longitude: each point, line and polygon so that its middle
 * is at most 180 degrees away. What was cut at 180 degrees meets again there.
 */
export function bringAround(geometry: Geometry, longitude: number): Geometry {
  const moved = <T extends Geometry>(part: T, xs: readonly number[]): T => {
    const middle = (xs.reduce((a, b) => Math.min(a, b), Infinity) + xs.reduce((a, b) => Math.max(a, b), -Infinity)) / 2;
    const turns = Math.round((longitude - middle) / TURN);
    return turns === 0 || !Number.isFinite(turns) ? part : (mapPositions(part, ([x, ...rest]) => [x! + turns * TURN, ...rest]) as T);
  };
  const lonOf = ([x]: Position): number => x!;
  switch (geometry.type) {
    case "Point":
      return moved(geometry, [lonOf(geometry.coordinates)]);
    case "LineString":
      return moved(geometry, geometry.coordinates.map(lonOf));
    case "Polygon":
      return moved(geometry, (geometry.coordinates[0] ?? []).map(lonOf));
    case "MultiPoint":
      return mapPositions(geometry, (position) => moved({ type: "Point", coordinates: position }, [lonOf(position)]).coordinates);
    case "MultiLineString":
      return {
        type: "MultiLineString",
        coordinates: geometry.coordinates.map((line) => moved({ type: "LineString", coordinates: line }, line.map(lonOf)).coordinates),
      };
    case "MultiPolygon":
      return {
        type: "MultiPolygon",
        coordinates: geometry.coordinates.map(
          (rings) => moved({ type: "Polygon", coordinates: rings }, (rings[0] ?? []).map(lonOf)).coordinates,
        ),
      };
    case "GeometryCollection":
      return { type: "GeometryCollection", geometries: geometry.geometries.map((part) => bringAround(part, longitude)) };
  }
}

/** A longitude brought from -180 to 180; those two stay as they are. */
function inside(x: number): number {
  return x >= -180 && x <= 180 ? x : x - TURN * Math.round(x / TURN);
}

/** The longitudes of 180 degrees and whole turns from there that lie between two, ascending. */
function meridians(xmin: number, xmax: number): number[] {
  const found: number[] = [];
  for (let x = 180 + TURN * Math.ceil((xmin - 180) / TURN); x < xmax; x += TURN) if (x > xmin) found.push(x);
  return found;
}

function range(positions: readonly Position[]): [xmin: number, xmax: number] {
  let [xmin, xmax] = [Infinity, -Infinity];
  for (const [x] of positions) {
    xmin = Math.min(xmin, x!);
    xmax = Math.max(xmax, x!);
  }
  return [xmin, xmax];
}

/** Positions moved by the whole turns that bring a part between two meridians inside. */
function home(positions: readonly Position[]): Position[] {
  const [xmin, xmax] = range(positions);
  const turns = Math.round((xmin + xmax) / 2 / TURN);
  return positions.map(([x, ...rest]) => [x! - turns * TURN, ...rest]);
}

/** Where an edge meets a meridian; heights are interpolated too. */
function crossing(a: Position, b: Position, x: number): Position {
  const share = (x - a[0]!) / (b[0]! - a[0]!);
  const between = (i: number): number => a[i]! + share * (b[i]! - a[i]!);
  return a.length > 2 && b.length > 2 ? [x, between(1), between(2)] : [x, between(1)];
}

// --- lines -----------------------------------------------------------------------------------------------------------------

function linesOf(lines: Position[][]): Geometry {
  return lines.length === 1 ? { type: "LineString", coordinates: lines[0]! } : { type: "MultiLineString", coordinates: lines };
}

function cutLine(line: LineString["coordinates"]): Position[][] {
  const parts: Position[][] = [];
  let part: Position[] = [];
  let zone: number | null = null;
  for (const position of line) {
    const before = part.at(-1);
    const here = zoneOf(position[0]!);
    if (before !== undefined) {
      const cuts = meridians(Math.min(before[0]!, position[0]!), Math.max(before[0]!, position[0]!));
      for (const x of before[0]! < position[0]! ? cuts : cuts.toReversed()) {
        const cut = crossing(before, position, x);
        parts.push([...part, cut]);
        part = [cut];
        zone = null;
      }
      // the line was on the meridian and goes on beyond it
      if (zone !== null && here !== null && here !== zone) {
        parts.push(part);
        part = [before];
      }
    }
    zone = here ?? zone;
    part.push(position);
  }
  parts.push(part);
  return parts.map(home);
}

/** How many turns east of the Greenwich one a longitude lies; null on the meridian between two turns. */
function zoneOf(x: number): number | null {
  const turns = (x + 180) / TURN;
  return Number.isInteger(turns) ? null : Math.floor(turns);
}

// --- polygons --------------------------------------------------------------------------------------------------------------

type Rings = Position[][];

function polygonsOf(polygons: Rings[]): Geometry {
  return polygons.length === 1 ? { type: "Polygon", coordinates: polygons[0]! } : { type: "MultiPolygon", coordinates: polygons };
}

function cutPolygon(polygon: Polygon): Rings[] {
  const [xmin, xmax] = range(polygon.coordinates[0] ?? []);
  const cuts = meridians(xmin, xmax);
  if (cuts.length === 0) return [homeRings(polygon.coordinates)];
  const parts: Rings[] = [];
  let right: Rings[] = [(rightHanded(polygon) as Polygon).coordinates];
  for (const x of cuts) {
    parts.push(...right.flatMap((rings) => partsBeside(rings, x, "left")));
    right = right.flatMap((rings) => partsBeside(rings, x, "right"));
  }
  return [...parts, ...right].map(homeRings);
}

/** All rings of a part moved alike, by the turns of the shell. */
function homeRings(rings: readonly (readonly Position[])[]): Rings {
  const [xmin, xmax] = range(rings[0] ?? []);
  const turns = Math.round((xmin + xmax) / 2 / TURN);
  return turns === 0 || !Number.isFinite(turns)
    ? rings.map((ring) => [...ring])
    : rings.map((ring) => ring.map(([x, ...rest]) => [x! - turns * TURN, ...rest]));
}

/** A piece of a ring inside a side, from crossing to crossing. */
interface Chain {
  readonly points: Position[];
  /** Positions in the list of crossings. */
  start: number;
  end: number;
}

/** Where a ring crosses the meridian, eastwards or westwards, and the chain that begins or ends there. */
interface Crossing {
  readonly y: number;
  readonly east: boolean;
  readonly chain: Chain;
}

/** The parts of a polygon (shell counter-clockwise, holes clockwise) on one side of a meridian. */
function partsBeside(rings: Rings, x: number, side: "left" | "right"): Rings[] {
  // A corner on the meridian is outside on either side, so that a side that only touches there is not taken to go through it.
  const isInside = ([px]: Position): boolean => (side === "left" ? px! < x : px! > x);
  const whole: Rings = [];
  const chains: Chain[] = [];
  const crossings: Crossing[] = [];
  for (const ring of rings) {
    const points = ring.slice(0, -1);
    const n = points.length;
    const first = points.findIndex((point, i) => !isInside(point) && isInside(points[(i + 1) % n]!));
    if (first === -1) {
      if (points.some(isInside)) whole.push(ring);
      continue;
    }
    // from the edge that comes in first, once round
    for (let k = 0; k < n; k++) {
      const [a, b] = [points[(first + k) % n]!, points[(first + k + 1) % n]!];
      if (isInside(a) !== isInside(b)) {
        const cut = crossing(a, b, x);
        if (isInside(b)) chains.push({ points: [cut], start: -1, end: -1 });
        else chains.at(-1)!.points.push(cut);
        crossings.push({ y: cut[1]!, east: isInside(b) === (side === "right"), chain: chains.at(-1)! });
      }
      if (isInside(b)) chains.at(-1)!.points.push(b);
    }
  }
  sortCrossings(crossings);
  for (const [k, { chain, east }] of crossings.entries()) {
    if (east === (side === "right")) chain.start = k;
    else chain.end = k;
  }
  return assemble(chains, crossings, whole);
}

/** From south to north; the interior lies between the first and the second, the third and the fourth, and so on. */
function sortCrossings(crossings: Crossing[]): void {
  crossings.sort((a, b) => a.y - b.y);
  // With the interior on the left hand, rings go east at its southern end and west at its northern one; equals are put so.
  for (let k = 0; k < crossings.length; k++) {
    const east = k % 2 === 0;
    if (crossings[k]!.east === east) continue;
    const other = crossings.findIndex((one, i) => i > k && one.east === east && one.y === crossings[k]!.y);
    if (other !== -1) [crossings[k], crossings[other]] = [crossings[other]!, crossings[k]!];
  }
}

/** Chains of one side joined along the meridian to shells, with the holes that no meridian met. */
function assemble(chains: readonly Chain[], crossings: readonly Crossing[], whole: Rings): Rings[] {
  const used = new Set<Chain>();
  const shells: Rings = [];
  for (const chain of chains) {
    if (used.has(chain)) continue;
    const ring: Position[] = [];
    for (let at = chain; !used.has(at);) {
      used.add(at);
      for (const point of at.points) if (!samePlace(point, ring.at(-1))) ring.push(point);
      at = crossings[at.end ^ 1]!.chain;
    }
    if (!samePlace(ring[0]!, ring.at(-1))) ring.push(ring[0]!);
    if (ring.length > 3) shells.push(ring);
  }
  const parts: Rings[] = [...shells, ...whole.filter((ring) => ringArea(ring) > 0)].map((shell) => [shell]);
  for (const hole of whole) {
    if (ringArea(hole) > 0) continue;
    parts.find(([shell]) => holds(shell!, hole))?.push(hole);
  }
  return parts;
}

function samePlace(a: Position, b: Position | undefined): boolean {
  return b !== undefined && a[0] === b[0] && a[1] === b[1];
}

/** Whether a hole lies in a shell; it may touch it at single points. */
function holds(shell: readonly Position[], hole: readonly Position[]): boolean {
  const prepared = prepareRing(shell, 0, 0);
  for (const [x, y] of hole) {
    const place = pointInRing(prepared, x!, y!);
    if (place !== 0) return place > 0;
  }
  return true;
}
