/** Polygons cut by a rectangle of pixels: their exact part inside it, which gives the box, the area and the outline of an object in a chip. */

import type { Geometry, Position } from "geojson";

import { type Affine, applyAffine, invertAffine } from "@geolearn/core";

/** A place in pixels, corner based: (0, 0) is the upper left corner of the first pixel. */
export type Point = readonly [x: number, y: number];

/** An open ring. Shells have a positive {@link signedArea}, holes a negative one. */
export type Ring = readonly Point[];

/** Rings of the polygons of a geometry in pixels of a grid, shells and holes wound apart; nothing for points and lines. */
export function pixelRings(geometry: Geometry, transform: Affine): Ring[] {
  const toPixel = invertAffine(transform);
  return polygonsOf(geometry).flatMap((polygon) =>
    polygon.map((ring, index) => {
      const points = openRing(ring).map(([x, y]) => applyAffine(toPixel, x!, y!));
      return signedArea(points) < 0 === (index === 0) ? points.reverse() : points;
    }),
  );
}

function openRing(ring: readonly Position[]): readonly Position[] {
  const [first, last] = [ring[0], ring.at(-1)];
  return first !== undefined && ring.length > 1 && first[0] === last![0] && first[1] === last![1] ? ring.slice(0, -1) : ring;
}

function polygonsOf(geometry: Geometry): readonly Position[][][] {
  if (geometry.type === "Polygon") return [geometry.coordinates];
  if (geometry.type === "MultiPolygon") return geometry.coordinates;
  if (geometry.type === "GeometryCollection") return geometry.geometries.flatMap(polygonsOf);
  return [];
}

/** Area of rings in square pixels, holes taken off. */
export function ringsArea(rings: readonly Ring[]): number {
  return rings.reduce((sum, ring) => sum + signedArea(ring), 0);
}

/** Area by the shoelace formula, relative to the first point so that large coordinates lose no digits. */
export function signedArea(points: Ring): number {
  const first = points[0];
  if (first === undefined) return 0;
  let double = 0;
  for (let i = 1; i + 1 < points.length; i++) {
    const [x1, y1] = points[i]!;
    const [x2, y2] = points[i + 1]!;
    double += (x1 - first[0]) * (y2 - first[1]) - (x2 - first[0]) * (y1 - first[1]);
  }
  return double / 2;
}

/** What is smaller only touches the rectangle, square pixels. */
const NO_AREA = 1e-9;

/**
 * The part of rings inside `[0, width] x [0, height]`. A concave polygon may come out as several shells; what only touches
 * the border is left out. For rings that cross themselves the result is defined, but not that of any fill rule.
 */
export function clipRings(rings: readonly Ring[], width: number, height: number): Ring[] {
  let left: readonly Ring[] = rings;
  for (const side of [
    { axis: 0, bound: 0, sign: 1 },
    { axis: 0, bound: width, sign: -1 },
    { axis: 1, bound: 0, sign: 1 },
    { axis: 1, bound: height, sign: -1 },
  ] as const) {
    left = cutRings(left, side);
  }
  return left.filter((ring) => Math.abs(signedArea(ring)) > NO_AREA);
}

/** A half plane: points whose coordinate on `axis` is at least `bound` (sign 1) or at most (sign -1). */
interface Side {
  readonly axis: 0 | 1;
  readonly bound: number;
  readonly sign: 1 | -1;
}

/**
 * Cuts rings by a line. What is inside of a ring that crosses the line are chains from where it enters to where it leaves. With
 * the interior to the left of every ring, exits and entries alternate along the line, and the border runs from the n-th exit to
 * the n-th entry.
 */
function cutRings(rings: readonly Ring[], side: Side): Ring[] {
  const whole: Ring[] = [];
  const chains: Point[][] = [];
  for (const ring of rings) {
    const inside = ring.map((point) => depth(point, side) >= 0);
    if (!inside.includes(false)) whole.push(ring);
    else if (inside.includes(true)) chains.push(...chainsInside(ring, inside, side));
  }
  if (chains.length === 0) return whole;

  const along = (point: Point): number => (side.axis === 0 ? -side.sign * point[1] : side.sign * point[0]);
  const numbered = chains.map((_, i) => i);
  const exits = numbered.toSorted((a, b) => along(chains[a]!.at(-1)!) - along(chains[b]!.at(-1)!));
  const entries = numbered.toSorted((a, b) => along(chains[a]![0]!) - along(chains[b]![0]!));
  const next = new Map(exits.map((chain, rank) => [chain, entries[rank]!]));
  while (next.size > 0) {
    const ring: Point[] = [];
    for (let chain: number | undefined = next.keys().next().value; chain !== undefined;) {
      ring.push(...chains[chain]!);
      const following: number | undefined = next.get(chain);
      next.delete(chain);
      chain = following !== undefined && next.has(following) ? following : undefined;
    }
    whole.push(withoutRepeats(ring));
  }
  return whole;
}

/** Distance into the half plane. */
function depth(point: Point, { axis, bound, sign }: Side): number {
  return sign * (point[axis] - bound);
}

function chainsInside(ring: Ring, inside: readonly boolean[], side: Side): Point[][] {
  const count = ring.length;
  const before = (i: number): number => (i + count - 1) % count;
  const first = inside.findIndex((own, i) => own && !inside[before(i)]!);
  const chains: Point[][] = [];
  let chain: Point[] = [];
  for (let step = 0; step < count; step++) {
    const i = (first + step) % count;
    const crosses = inside[i] !== inside[before(i)];
    if (inside[i]!) {
      if (crosses) chain = [crossing(ring[before(i)]!, ring[i]!, side)];
      chain.push(ring[i]!);
    } else if (crosses) {
      chain.push(crossing(ring[before(i)]!, ring[i]!, side));
      chains.push(chain);
    }
  }
  return chains;
}

/** Where an edge meets the line; exactly on it. */
function crossing(from: Point, to: Point, side: Side): Point {
  const a = depth(from, side);
  const b = depth(to, side);
  const t = a / (a - b);
  const x = side.axis === 0 ? side.bound : from[0] + t * (to[0] - from[0]);
  const y = side.axis === 1 ? side.bound : from[1] + t * (to[1] - from[1]);
  return [x, y];
}

function withoutRepeats(ring: readonly Point[]): Point[] {
  return ring.filter(([x, y], i) => {
    const [px, py] = ring[(i + ring.length - 1) % ring.length]!;
    return ring.length === 1 || x !== px || y !== py;
  });
}
