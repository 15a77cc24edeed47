/** Walking the positions of a geometry, whatever its type. */

import type { Geometry, Position } from "geojson";

/** A geometry whose every position is the image of the given one. Type, order and nesting stay. */
export function mapPositions(geometry: Geometry, map: (position: Position) => Position): Geometry {
  switch (geometry.type) {
    case "Point":
      return { type: "Point", coordinates: map(geometry.coordinates) };
    case "MultiPoint":
    case "LineString":
      return { type: geometry.type, coordinates: geometry.coordinates.map(map) };
    case "MultiLineString":
    case "Polygon":
      return { type: geometry.type, coordinates: geometry.coordinates.map((line) => line.map(map)) };
    case "MultiPolygon":
      return { type: "MultiPolygon", coordinates: geometry.coordinates.map((polygon) => polygon.map((ring) => ring.map(map))) };
    case "GeometryCollection":
      return { type: "GeometryCollection", geometries: geometry.geometries.map((part) => mapPositions(part, map)) };
  }
}

/** Calls `visit` for every position. */
export function forEachPosition(geometry: Geometry, visit: (position: Position) => void): void {
  switch (geometry.type) {
    case "Point":
      if (geometry.coordinates.length > 0) visit(geometry.coordinates);
      return;
    case "MultiPoint":
    case "LineString":
      for (const position of geometry.coordinates) visit(position);
      return;
    case "MultiLineString":
    case "Polygon":
      for (const line of geometry.coordinates) for (const position of line) visit(position);
      return;
    case "MultiPolygon":
      for (const polygon of geometry.coordinates) for (const ring of polygon) for (const position of ring) visit(position);
      return;
    case "GeometryCollection":
      for (const part of geometry.geometries) forEachPosition(part, visit);
  }
}

/** Polygons of a geometry as lists of rings, those of collections included. */
export function polygonsOf(geometry: Geometry): readonly (readonly Position[][])[] {
  switch (geometry.type) {
    case "Polygon":
      return [geometry.coordinates];
    case "MultiPolygon":
      return geometry.coordinates;
    case "GeometryCollection":
      return geometry.geometries.flatMap(polygonsOf);
    default:
      return [];
  }
}
