/** From parsed JSON of unknown making to a {@link Feature}: types, nesting and numbers are checked. */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../errors.ts";
import type { Feature, FieldValue } from "./features.ts";

/** Collections inside collections that are read. */
const MAX_COLLECTION_DEPTH = 16;

/**
 * A feature from a GeoJSON Feature or a bare geometry. Nested values of properties become their JSON text.
 *
 * @param value - parsed JSON
 * @param where - names the feature in messages, e.g. `"feature 3 of roads.geojson"`
 * @throws FEATURES_CORRUPT when it is neither; GEOMETRY_INVALID when its coordinates are wrong
 */
export function featureFromJson(value: unknown, where: string): Feature {
  if (!isRecord(value)) return corrupt(where, `a GeoJSON feature must be an object, got ${kindOf(value)}`);
  if (value["type"] !== "Feature") return { geometry: geometryFromJson(value, where), properties: emptyProperties() };
  const geometry = value["geometry"] ?? null;
  const id = value["id"];
  return {
    ...(typeof id === "string" || (typeof id === "number" && Number.isFinite(id)) ? { id } : {}),
    geometry: geometry === null ? null : geometryFromJson(geometry, where),
    properties: propertiesFromJson(value["properties"] ?? null, where),
  };
}

/** @throws FEATURES_CORRUPT, GEOMETRY_INVALID */
export function geometryFromJson(value: unknown, where: string, depth = 0): Geometry {
  if (!isRecord(value)) return corrupt(where, `a geometry must be an object, got ${kindOf(value)}`);
  const type = value["type"];
  const coordinates = value["coordinates"];
  switch (type) {
    case "Point":
      return { type, coordinates: position(coordinates, where) };
    case "MultiPoint":
    case "LineString":
      return { type, coordinates: list(coordinates, where, type, position) };
    case "MultiLineString":
    case "Polygon":
      return { type, coordinates: list(coordinates, where, type, positions) };
    case "MultiPolygon":
      return { type, coordinates: list(coordinates, where, type, rings) };
    case "GeometryCollection": {
      if (depth >= MAX_COLLECTION_DEPTH) return invalid(where, `geometry collections nest deeper than ${MAX_COLLECTION_DEPTH}`);
      const parts = value["geometries"];
      if (!Array.isArray(parts)) return invalid(where, `"geometries" must be a list, got ${kindOf(parts)}`);
      return { type, geometries: parts.map((part) => geometryFromJson(part, where, depth + 1)) };
    }
    default:
      return invalid(where, `"${String(type).slice(0, 60)}" is no GeoJSON geometry type`);
  }
}

function rings(value: unknown, where: string): Position[][] {
  return list(value, where, "a polygon", positions);
}

function positions(value: unknown, where: string): Position[] {
  return list(value, where, "a line or ring", position);
}

function position(value: unknown, where: string): Position {
  if (!Array.isArray(value) || value.length < 2) return invalid(where, `a position must be [x, y], got ${shown(value)}`);
  const [x, y, z] = value as unknown[];
  if (!isFinite(x) || !isFinite(y)) return invalid(where, `a position must be two finite numbers, got ${shown(value)}`);
  return z === undefined || !isFinite(z) ? [x, y] : [x, y, z];
}

function list<T>(value: unknown, where: string, what: string, read: (item: unknown, where: string) => T): T[] {
  if (!Array.isArray(value)) return invalid(where, `the coordinates of ${what} must be a list, got ${kindOf(value)}`);
  return value.map((item) => read(item, where));
}

/**
 * Properties without a prototype, so that no field name can reach one.
 *
 * @throws FEATURES_CORRUPT for a field named `__proto__`, which would change objects it is later copied into
 */
export function propertiesFromJson(value: unknown, where: string): Record<string, FieldValue> {
  const properties = emptyProperties();
  if (value === null) return properties;
  if (!isRecord(value)) return corrupt(where, `"properties" must be an object or null, got ${kindOf(value)}`);
  for (const [name, item] of Object.entries(value)) setField(properties, name, fieldValue(item), where);
  return properties;
}

/** Sets a field on properties without a prototype. @throws FEATURES_CORRUPT for the name `__proto__` */
export function setField(properties: Record<string, FieldValue>, name: string, value: FieldValue, where: string): void {
  if (name === "__proto__") corrupt(where, 'the field name "__proto__" is not allowed');
  properties[name] = value;
}

/** An empty set of properties without a prototype. */
export function emptyProperties(): Record<string, FieldValue> {
  return Object.create(null) as Record<string, FieldValue>;
}

function fieldValue(value: unknown): FieldValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value === undefined) return null;
  return JSON.stringify(value);
}

/** An integer of 64 bits as a number where that is exact, else as its digits: the value is never another. */
export function wholeNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** Null for what is no number. */
export function finiteNumber(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFinite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 60);
}

function corrupt(where: string, reason: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${where}: ${reason}.`, {
    hint: "Open the file in a GIS and save it again, or repair it with ogr2ogr -skipfailures.",
    data: { where },
  });
}

function invalid(where: string, reason: string): never {
  throw new GeoLearnError("GEOMETRY_INVALID", `${where}: ${reason}.`, {
    hint: "Repair the geometry (QGIS: Fix geometries; ArcGIS: Repair Geometry; ogr2ogr -makevalid) or leave the feature out.",
    data: { where },
  });
}
