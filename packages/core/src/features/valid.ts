/**
 * Whether a geometry is simple in the sense of the OGC (06-103r4): what every other tool expects before it computes areas
 * or overlays. Rings are closed and do not meet themselves, rings of a polygon touch at points only and leave its
 * interior in one piece, holes lie within their shell and polygons of one geometry do not overlap.
 */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../errors.ts";
import { type Ring, type RingMeeting, findMeetings, pointInRing, prepareRing } from "./ring-meetings.ts";

/** Answer of {@link validGeometry}. */
export type Validity = { readonly valid: true } | { readonly valid: false; readonly reason: string; readonly position: Position | null };

/**
 * Checks a geometry with exact arithmetic.
 *
 * @example
 * const check = validGeometry({ type: "Polygon", coordinates: [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]] });
 * if (!check.valid) check.reason; // "it crosses itself at (0.5, 0.5)"
 */
export function validGeometry(geometry: Geometry): Validity {
  switch (geometry.type) {
    case "Point":
    case "MultiPoint":
      return finite([geometry.type === "Point" ? [geometry.coordinates] : geometry.coordinates]);
    case "LineString":
      return validLines([geometry.coordinates]);
    case "MultiLineString":
      return validLines(geometry.coordinates);
    case "Polygon":
      return validPolygons([geometry.coordinates]);
    case "MultiPolygon":
      return validPolygons(geometry.coordinates);
    case "GeometryCollection": {
      for (const part of geometry.geometries) {
        const check = validGeometry(part);
        if (!check.valid) return check;
      }
      return VALID;
    }
  }
}

/** @throws GEOMETRY_INVALID with the reason; `where` names the feature */
export function requireValid(geometry: Geometry, where: string): void {
  const check = validGeometry(geometry);
  if (check.valid) return;
  throw new GeoLearnError("GEOMETRY_INVALID", `The geometry of ${where} is not valid: ${check.reason}.`, {
    hint: "Repair it (QGIS: Fix geometries; ArcGIS: Repair Geometry; ogr2ogr -makevalid) or leave the feature out.",
    data: { where, position: check.position },
  });
}

const VALID: Validity = { valid: true };

function invalid(reason: string, position: Position | null = null): Validity {
  return { valid: false, reason, position };
}

function finite(lines: readonly (readonly Position[])[]): Validity {
  for (const line of lines) {
    for (const position of line) {
      if (!Number.isFinite(position[0]) || !Number.isFinite(position[1])) return invalid(`a position is [${position.join(", ")}]`);
    }
  }
  return VALID;
}

function validLines(lines: readonly (readonly Position[])[]): Validity {
  const numbers = finite(lines);
  if (!numbers.valid) return numbers;
  for (const line of lines) {
    if (line.length === 0) continue;
    if (line.every(([x, y]) => x === line[0]![0] && y === line[0]![1])) return invalid("a line has no length", line[0]!);
  }
  return VALID;
}

function validPolygons(polygons: readonly (readonly (readonly Position[])[])[]): Validity {
  const rings: Ring[] = [];
  for (const [polygon, lines] of polygons.entries()) {
    const numbers = finite(lines);
    if (!numbers.valid) return numbers;
    for (const [index, line] of lines.entries()) {
      if (line.length === 0 && index === 0 && lines.length === 1) continue; // an empty polygon
      const flaw = ringFlaw(line);
      if (flaw !== null) return invalid(flaw, line[0] ?? null);
      rings.push(prepareRing(line, polygon, index));
    }
  }
  const meetings = findMeetings(rings);
  for (const meeting of meetings) {
    const at = `(${meeting.position[0]}, ${meeting.position[1]})`;
    if (meeting.kind === "crossing" || meeting.kind === "overlap") {
      const what = meeting.kind === "crossing" ? "crosses" : "runs along";
      const whom =
        meeting.a === meeting.b ? "itself" : rings[meeting.a]!.polygon === rings[meeting.b]!.polygon ? "another ring" : "another polygon";
      return invalid(`a ring ${what} ${whom} at ${at}`, meeting.position);
    }
    if (meeting.a === meeting.b) return invalid(`a ring touches itself at ${at}`, meeting.position);
  }
  return nestingFlaw(rings) ?? disconnectedFlaw(rings, meetings) ?? VALID;
}

function ringFlaw(line: readonly Position[]): string | null {
  const [first, last] = [line[0], line.at(-1)];
  if (first === undefined || last === undefined) return "a ring is empty";
  if (first[0] !== last[0] || first[1] !== last[1]) return "a ring is not closed";
  const second = line.find((position) => differ(position, first));
  const third = second && line.find((position) => differ(position, first) && differ(position, second));
  return third === undefined ? "a ring has fewer than three different corners" : null;
}

function differ(one: Position, other: Position): boolean {
  return one[0] !== other[0] || one[1] !== other[1];
}

/** Holes within their shell and not in each other, shells not in each other's interior. */
function nestingFlaw(rings: readonly Ring[]): Validity | null {
  for (const [index, ring] of rings.entries()) {
    for (const [other, around] of rings.entries()) {
      if (index === other) continue;
      const samePolygon = ring.polygon === around.polygon;
      if (samePolygon && ring.index > 0 && around.index === 0) {
        if (!inside(ring, around)) return invalid("a hole lies outside of its polygon", ring.points[0]!);
      } else if (samePolygon && ring.index > 0 && around.index > 0) {
        if (inside(ring, around)) return invalid("a hole lies within another hole", ring.points[0]!);
      } else if (!samePolygon && ring.index === 0 && around.index === 0 && inside(ring, around) && !inHole(ring, around, rings)) {
        return invalid("a polygon lies within another polygon of the same geometry", ring.points[0]!);
      }
    }
  }
  return null;
}

function inHole(ring: Ring, shell: Ring, rings: readonly Ring[]): boolean {
  return rings.some((hole) => hole.polygon === shell.polygon && hole.index > 0 && inside(ring, hole));
}

/** Rings that do not cross: one corner, or the middle of one edge, off the border decides. */
function inside(ring: Ring, around: Ring): boolean {
  const [xmin, ymin, xmax, ymax] = around.box;
  if (ring.box[0] < xmin || ring.box[1] < ymin || ring.box[2] > xmax || ring.box[3] > ymax) return false;
  for (const [x, y] of ring.points) {
    const side = pointInRing(around, x!, y!);
    if (side !== 0) return side > 0;
  }
  for (const [i, [x, y]] of ring.points.entries()) {
    const [nx, ny] = ring.points[(i + 1) % ring.points.length]!;
    const side = pointInRing(around, (x! + nx!) / 2, (y! + ny!) / 2);
    if (side !== 0) return side > 0;
  }
  return true;
}

/** Touching points and the rings of a polygon must form no cycle, else the cycle cuts its interior in two. */
function disconnectedFlaw(rings: readonly Ring[], meetings: readonly RingMeeting[]): Validity | null {
  const parents = new Map<string, string>();
  const find = (name: string): string => {
    let root = name;
    while (parents.has(root) && parents.get(root) !== root) root = parents.get(root)!;
    return root;
  };
  const joined = new Set<string>();
  for (const { a, b, position } of meetings) {
    const polygon = rings[a]!.polygon;
    if (polygon !== rings[b]!.polygon) continue;
    const point = `${polygon}:${position[0]} ${position[1]}`;
    for (const ring of [a, b]) {
      const edge = `${ring}|${point}`;
      if (joined.has(edge)) continue;
      joined.add(edge);
      const [one, other] = [find(String(ring)), find(point)];
      if (one === other) return invalid(`rings that touch cut the interior in two at (${position[0]}, ${position[1]})`, position);
      parents.set(one, other);
    }
  }
  return null;
}
