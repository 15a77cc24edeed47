/** Where rings meet themselves and each other, found by a sweep over their edges and decided exactly. */

import type { Position } from "geojson";

import { orientation } from "./orientation.ts";

/** A ring without repeated points; the last point is not the first again. */
export interface Ring {
  readonly polygon: number;
  /** 0 for the shell. */
  readonly index: number;
  readonly points: readonly Position[];
  readonly box: readonly [number, number, number, number];
}

/** A place where two rings, or one with itself, share more than an edge's end with its neighbour. */
export interface RingMeeting {
  readonly kind: "crossing" | "overlap" | "touch";
  /** Positions of the rings in the list. */
  readonly a: number;
  readonly b: number;
  readonly position: Position;
}

interface Edge {
  readonly ring: number;
  readonly from: number;
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
  readonly xmin: number;
  readonly xmax: number;
  readonly ymin: number;
  readonly ymax: number;
}

/** Takes out repeated points and the closing one. */
export function prepareRing(line: readonly Position[], polygon: number, index: number): Ring {
  const points: Position[] = [];
  for (const position of line) {
    const last = points.at(-1);
    if (last === undefined || last[0] !== position[0] || last[1] !== position[1]) points.push(position);
  }
  if (points.length > 1 && points[0]![0] === points.at(-1)![0] && points[0]![1] === points.at(-1)![1]) points.pop();
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    xmin = Math.min(xmin, x!);
    ymin = Math.min(ymin, y!);
    xmax = Math.max(xmax, x!);
    ymax = Math.max(ymax, y!);
  }
  return { polygon, index, points, box: [xmin, ymin, xmax, ymax] };
}

/** All meetings; the sweep stops at the first crossing or overlap, which decides alone. */
export function findMeetings(rings: readonly Ring[]): RingMeeting[] {
  const edges = rings.flatMap(edgesOf).sort((one, other) => one.xmin - other.xmin);
  const meetings: RingMeeting[] = [];
  let active: Edge[] = [];
  for (const edge of edges) {
    const still: Edge[] = [];
    for (const other of active) {
      if (other.xmax < edge.xmin) continue;
      still.push(other);
      if (other.ymax < edge.ymin || other.ymin > edge.ymax) continue;
      const meeting = meet(edge, other, rings);
      if (meeting === null) continue;
      if (meeting.kind !== "touch") return [meeting];
      meetings.push(meeting);
    }
    still.push(edge);
    active = still;
  }
  return meetings;
}

function edgesOf({ points }: Ring, ring: number): Edge[] {
  return points.map(([ax, ay], from) => {
    const [bx, by] = points[(from + 1) % points.length] as [number, number];
    return {
      ring,
      from,
      ax: ax!,
      ay: ay!,
      bx,
      by,
      xmin: Math.min(ax!, bx),
      xmax: Math.max(ax!, bx),
      ymin: Math.min(ay!, by),
      ymax: Math.max(ay!, by),
    };
  });
}

function meet(s: Edge, t: Edge, rings: readonly Ring[]): RingMeeting | null {
  const sa = Math.sign(orientation(t.ax, t.ay, t.bx, t.by, s.ax, s.ay));
  const sb = Math.sign(orientation(t.ax, t.ay, t.bx, t.by, s.bx, s.by));
  const ta = Math.sign(orientation(s.ax, s.ay, s.bx, s.by, t.ax, t.ay));
  const tb = Math.sign(orientation(s.ax, s.ay, s.bx, s.by, t.bx, t.by));
  if (sa * sb > 0 || ta * tb > 0) return null;
  const base = { a: Math.min(s.ring, t.ring), b: Math.max(s.ring, t.ring) };
  if (sa === 0 && sb === 0) return collinear(s, t, base, rings);
  if (sa * sb < 0 && ta * tb < 0) return { kind: "crossing", ...base, position: crossingPoint(s, t) };
  const position: Position = sa === 0 ? [s.ax, s.ay] : sb === 0 ? [s.bx, s.by] : ta === 0 ? [t.ax, t.ay] : [t.bx, t.by];
  if (!onBoth(position, s, t) || areNeighbours(s, t, rings)) return null;
  const crosses = crossesAt(position, s, t, rings);
  return { kind: crosses ? "crossing" : "touch", ...base, position };
}

function onBoth([x, y]: Position, s: Edge, t: Edge): boolean {
  return [s, t].every((edge) => x! >= edge.xmin && x! <= edge.xmax && y! >= edge.ymin && y! <= edge.ymax);
}

/** Edges on one line: more than a point in common is an overlap, neighbours that turn back included. */
function collinear(s: Edge, t: Edge, base: { a: number; b: number }, rings: readonly Ring[]): RingMeeting | null {
  const [xmin, xmax] = [Math.max(s.xmin, t.xmin), Math.min(s.xmax, t.xmax)];
  const [ymin, ymax] = [Math.max(s.ymin, t.ymin), Math.min(s.ymax, t.ymax)];
  if (xmin > xmax || ymin > ymax) return null;
  if (xmin < xmax || ymin < ymax) return { kind: "overlap", ...base, position: [xmin, ymin] };
  if (areNeighbours(s, t, rings)) return null;
  const position: Position = [xmin, ymin];
  return { kind: crossesAt(position, s, t, rings) ? "crossing" : "touch", ...base, position };
}

function areNeighbours(s: Edge, t: Edge, rings: readonly Ring[]): boolean {
  if (s.ring !== t.ring) return false;
  const count = rings[s.ring]!.points.length;
  return (s.from + 1) % count === t.from || (t.from + 1) % count === s.from;
}

/** Whether two rings that share a point pass through each other there, by the order of their edges around it. */
function crossesAt(position: Position, s: Edge, t: Edge, rings: readonly Ring[]): boolean {
  const [s1, s2] = armsAt(position, s, rings[s.ring]!);
  const [t1, t2] = armsAt(position, t, rings[t.ring]!);
  const between = (arm: Position): number => {
    // 0 along an arm of s, else which of the two sectors of s it is in
    if (sameDirection(position, arm, s1) || sameDirection(position, arm, s2)) return 0;
    return leftSector(position, s1, s2, arm) ? 1 : -1;
  };
  return between(t1) * between(t2) < 0;
}

/** The points before and after a position on an edge of a ring. */
function armsAt([x, y]: Position, edge: Edge, { points }: Ring): [Position, Position] {
  const count = points.length;
  if (x === edge.ax && y === edge.ay) return [points[(edge.from + count - 1) % count]!, [edge.bx, edge.by]];
  if (x === edge.bx && y === edge.by) return [[edge.ax, edge.ay], points[(edge.from + 2) % count]!];
  return [
    [edge.ax, edge.ay],
    [edge.bx, edge.by],
  ];
}

function sameDirection([x, y]: Position, a: Position, b: Position): boolean {
  if (orientation(x!, y!, a[0]!, a[1]!, b[0]!, b[1]!) !== 0) return false;
  return (a[0]! - x!) * (b[0]! - x!) >= 0 && (a[1]! - y!) * (b[1]! - y!) >= 0;
}

/** True when `arm` lies counter-clockwise between `first` and `second` around the point. */
function leftSector([x, y]: Position, first: Position, second: Position, arm: Position): boolean {
  const ofFirst = orientation(x!, y!, first[0]!, first[1]!, arm[0]!, arm[1]!) > 0;
  const ofSecond = orientation(x!, y!, second[0]!, second[1]!, arm[0]!, arm[1]!) < 0;
  const wide = orientation(x!, y!, first[0]!, first[1]!, second[0]!, second[1]!) <= 0;
  return wide ? ofFirst || ofSecond : ofFirst && ofSecond;
}

function crossingPoint(s: Edge, t: Edge): Position {
  const [dx, dy, ex, ey] = [s.bx - s.ax, s.by - s.ay, t.bx - t.ax, t.by - t.ay];
  const at = ((t.ax - s.ax) * ey - (t.ay - s.ay) * ex) / (dx * ey - dy * ex);
  return [s.ax + at * dx, s.ay + at * dy];
}

/** 1 inside, -1 outside, 0 on the border. */
export function pointInRing({ points, box }: Ring, x: number, y: number): number {
  if (x < box[0] || x > box[2] || y < box[1] || y > box[3]) return -1;
  let inside = false;
  for (let i = 0; i < points.length; i += 1) {
    const [ax, ay] = points[i] as [number, number];
    const [bx, by] = points[(i + 1) % points.length] as [number, number];
    if ((y < ay && y < by) || (y > ay && y > by)) continue;
    const side = orientation(ax, ay, bx, by, x, y);
    if (side === 0 && x >= Math.min(ax, bx) && x <= Math.max(ax, bx)) return 0;
    if (ay > y !== by > y && side > 0 === by > ay) inside = !inside;
  }
  return inside ? 1 : -1;
}
