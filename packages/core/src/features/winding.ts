/** The order of ring vertices. */

import type { Geometry, Position } from "geojson";

/** Signed area of a ring in squared units: positive when it runs counter-clockwise (x right, y up). */
export function ringArea(ring: readonly Position[]): number {
  const [x0, y0] = ring[0] ?? [0, 0];
  let twice = 0;
  for (let i = 1; i + 1 < ring.length; i += 1) {
    const a = ring[i]!;
    const b = ring[i + 1]!;
    twice += (a[0]! - x0!) * (b[1]! - y0!) - (b[0]! - x0!) * (a[1]! - y0!);
  }
  return twice / 2;
}

/** The same geometry with shells counter-clockwise and holes clockwise, as RFC 7946 and OGC have it. */
export function rightHanded(geometry: Geometry): Geometry {
  switch (geometry.type) {
    case "Polygon":
      return { type: "Polygon", coordinates: wound(geometry.coordinates, 1) };
    case "MultiPolygon":
      return { type: "MultiPolygon", coordinates: geometry.coordinates.map((rings) => wound(rings, 1)) };
    case "GeometryCollection":
      return { type: "GeometryCollection", geometries: geometry.geometries.map(rightHanded) };
    default:
      return geometry;
  }
}

/** Rings with the first one running by the given sign and all others against it. */
export function wound(rings: readonly (readonly Position[])[], sign: 1 | -1): Position[][] {
  return rings.map((ring, index) => {
    const wanted = index === 0 ? sign : -sign;
    return ringArea(ring) * wanted < 0 ? ring.toReversed() : [...ring];
  });
}
