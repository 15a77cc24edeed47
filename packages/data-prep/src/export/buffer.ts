/** Points and lines grown to areas: discs and capsules measured in metres on the ground where they lie. */

import type { Geometry, MultiPolygon, Position } from "geojson";

import { type Crs, GeoLearnError, type Length, metresPerUnit } from "@geolearn/core";

/** Corners of a full circle, as in shapely's default of 16 a quarter. */
const CORNERS = 64;

/**
 * Grows points and lines; polygons stay as they are. The parts of the result overlap: burn them one after another.
 *
 * @param radius positive length
 * @param crs system of the coordinates; null only with a radius in its units
 */
export function bufferGeometry(geometry: Geometry, radius: Length, crs: Crs | null): Geometry {
  switch (geometry.type) {
    case "Point":
      return discs([geometry.coordinates], radius, crs);
    case "MultiPoint":
      return discs(geometry.coordinates, radius, crs);
    case "LineString":
      return capsules([geometry.coordinates], radius, crs);
    case "MultiLineString":
      return capsules(geometry.coordinates, radius, crs);
    case "GeometryCollection":
      return { type: "GeometryCollection", geometries: geometry.geometries.map((part) => bufferGeometry(part, radius, crs)) };
    default:
      return geometry;
  }
}

function discs(points: readonly Position[], radius: Length, crs: Crs | null): MultiPolygon {
  return { type: "MultiPolygon", coordinates: points.map((point) => [disc(point, scale(point, radius, crs))]) };
}

/** A disc at each vertex and a rectangle along each segment. */
function capsules(lines: readonly Position[][], radius: Length, crs: Crs | null): MultiPolygon {
  const parts: Position[][][] = [];
  for (const line of lines) {
    line.forEach((vertex, i) => {
      const size = scale(vertex, radius, crs);
      parts.push([disc(vertex, size)]);
      const next = line[i + 1];
      if (next !== undefined) {
        const side = rectangle(vertex, next, size);
        if (side !== null) parts.push([side]);
      }
    });
  }
  return { type: "MultiPolygon", coordinates: parts };
}

interface Radii {
  readonly x: number;
  readonly y: number;
}

/** The radius in units of the system along x and y, at a place. */
function scale(position: Position, radius: Length, crs: Crs | null): Radii {
  if (radius.unit === "crs") return { x: radius.value, y: radius.value };
  if (crs === null) {
    throw new GeoLearnError("CRS_MISSING", "A buffer in metres needs to know the reference system of the labels, which name none.", {
      hint: 'Give the radius in map units, such as `bufferRadius: "2 crs"`.',
    });
  }
  const metres = metresPerUnit(crs, position[0]!, position[1]!);
  return { x: radius.value / metres.x, y: radius.value / metres.y };
}

function disc([x, y]: Position, radius: Radii): Position[] {
  const ring: Position[] = [];
  for (let i = 0; i < CORNERS; i++) {
    const angle = (-2 * Math.PI * i) / CORNERS;
    ring.push([x! + radius.x * Math.cos(angle), y! + radius.y * Math.sin(angle)]);
  }
  ring.push(ring[0]!);
  return ring;
}

function rectangle([x1, y1]: Position, [x2, y2]: Position, radius: Radii): Position[] | null {
  const dx = (x2! - x1!) / radius.x;
  const dy = (y2! - y1!) / radius.y;
  const length = Math.hypot(dx, dy);
  if (length === 0) return null;
  const nx = (-dy / length) * radius.x;
  const ny = (dx / length) * radius.y;
  return [
    [x1! + nx, y1! + ny],
    [x2! + nx, y2! + ny],
    [x2! - nx, y2! - ny],
    [x1! - nx, y1! - ny],
    [x1! + nx, y1! + ny],
  ];
}
