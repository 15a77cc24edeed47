/**
 * Reference systems from PROJJSON (proj.org/specifications/projjson.html), the JSON twin of WKT 2, as GeoParquet holds them:
 * turned into the tree of a WKT 2 and read as that.
 */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { crsFromTree } from "./from-wkt.ts";
import { parseCrs } from "./parse.ts";
import type { WktNode } from "./wkt-tree.ts";

const MAX_DEPTH = 8;
const MAX_ITEMS = 1000;
const DEGREE = Math.PI / 180;
const ARC_SECOND = DEGREE / 3600;

type Json = Readonly<Record<string, unknown>>;

/**
 * The reference system of parsed PROJJSON.
 *
 * @throws CRS_UNKNOWN when it is damaged or describes what is not supported
 */
export function crsFromProjJson(value: unknown): Crs {
  const system = record(value, "the definition");
  const { authority, code } = idOf(system);
  if (authority === "OGC" && /^CRS84h?$/i.test(code)) return parseCrs(4326);
  return crsFromTree(systemNode(system, 0), null);
}

function systemNode(system: Json, depth: number): WktNode {
  if (depth > MAX_DEPTH) return refuse(`systems nest deeper than ${MAX_DEPTH} levels`);
  switch (system["type"]) {
    case "ProjectedCRS":
      return node(
        "PROJCRS",
        [text(system["name"])],
        [
          geographicNode("BASEGEOGCRS", record(system["base_crs"], "base_crs")),
          conversionNode(record(system["conversion"], "conversion")),
          ...axisNodes(system),
          ...idNodes(system),
        ],
      );
    case "GeographicCRS":
    case "GeodeticCRS":
      return geographicNode(isCartesian(system) ? "GEOCENTRICCRS" : "GEOGCRS", system);
    case "CompoundCRS":
      return node(
        "COMPOUNDCRS",
        [text(system["name"])],
        list(system["components"]).map((part) => systemNode(record(part, "a component"), depth + 1)),
      );
    case "BoundCRS":
      return node(
        "BOUNDCRS",
        [],
        [
          node("SOURCECRS", [], [systemNode(record(system["source_crs"], "source_crs"), depth + 1)]),
          transformationNode(record(system["transformation"], "transformation")),
        ],
      );
    default:
      return node(text(system["type"]).toUpperCase(), [text(system["name"])], []);
  }
}

function geographicNode(keyword: string, system: Json): WktNode {
  const datum = record(system["datum"] ?? system["datum_ensemble"], "datum");
  const ellipsoid = record(datum["ellipsoid"], "ellipsoid");
  const axes = axisNodes(system);
  const unit = Number(axes[0]?.children[0]?.values[1] ?? DEGREE);
  return node(
    keyword,
    [text(system["name"])],
    [
      node(system["datum"] === undefined ? "ENSEMBLE" : "DATUM", [text(datum["name"])], [ellipsoidNode(ellipsoid)]),
      // PRIMEM counts in the unit of the system
      node("PRIMEM", ["", radians(record(datum["prime_meridian"] ?? {}, "prime_meridian")["longitude"] ?? 0) / unit], []),
      ...axes,
      ...idNodes(system),
    ],
  );
}

function ellipsoidNode(ellipsoid: Json): WktNode {
  const a = metres(ellipsoid["semi_major_axis"] ?? ellipsoid["radius"]);
  const b = ellipsoid["semi_minor_axis"] === undefined ? a : metres(ellipsoid["semi_minor_axis"]);
  const flattening = ellipsoid["inverse_flattening"] === undefined ? (a === b ? 0 : a / (a - b)) : number(ellipsoid["inverse_flattening"]);
  return node("ELLIPSOID", [text(ellipsoid["name"]), a, flattening], []);
}

function conversionNode(conversion: Json): WktNode {
  const parameters = list(conversion["parameters"]).map((value) => {
    const parameter = record(value, "a parameter");
    const { keyword, name, factor } = unitOf(parameter["unit"]);
    return node("PARAMETER", [text(parameter["name"]), number(parameter["value"])], [node(keyword, [name, factor], [])]);
  });
  return node("CONVERSION", [text(conversion["name"])], [methodNode(conversion), ...parameters]);
}

/** The shift to WGS 84 of a bound system: metres, arc seconds, and the scale as BOUNDCRS writes it. */
function transformationNode(transformation: Json): WktNode {
  const parameters = list(transformation["parameters"]).map((item) => {
    const parameter = record(item, "a parameter");
    const { keyword, factor } = unitOf(parameter["unit"]);
    const value = number(parameter["value"]) * factor;
    return node(
      "PARAMETER",
      [text(parameter["name"]), keyword === "ANGLEUNIT" ? value / ARC_SECOND : keyword === "SCALEUNIT" ? 1 + value : value],
      [],
    );
  });
  return node("ABRIDGEDTRANSFORMATION", [text(transformation["name"])], [methodNode(transformation), ...parameters]);
}

function methodNode(operation: Json): WktNode {
  return node("METHOD", [text(record(operation["method"], "method")["name"])], []);
}

function axisNodes(system: Json): WktNode[] {
  if (system["coordinate_system"] === undefined) return [];
  return list(record(system["coordinate_system"], "coordinate_system")["axis"]).map((item) => {
    const axis = record(item, "an axis");
    const { keyword, name, factor } = unitOf(axis["unit"]);
    return node("AXIS", [text(axis["name"]), text(axis["direction"])], [node(keyword, [name, factor], [])]);
  });
}

function isCartesian(system: Json): boolean {
  const axes = system["coordinate_system"];
  return axes !== undefined && record(axes, "coordinate_system")["subtype"] === "Cartesian";
}

function idNodes(system: Json): WktNode[] {
  const { authority, code } = idOf(system);
  return authority === "" ? [] : [node("ID", [authority, code], [])];
}

function idOf(system: Json): { authority: string; code: string } {
  const ids = system["id"] === undefined ? list(system["ids"] ?? []) : [system["id"]];
  if (ids.length === 0) return { authority: "", code: "" };
  const id = record(ids[0], "id");
  return { authority: text(id["authority"]), code: String(id["code"]).slice(0, 100) };
}

/** A unit by its name or spelled out; degrees, metres and unity have names only. */
function unitOf(value: unknown): { keyword: string; name: string; factor: number } {
  if (value === "degree") return { keyword: "ANGLEUNIT", name: value, factor: DEGREE };
  if (value === undefined || value === "metre") return { keyword: "LENGTHUNIT", name: "metre", factor: 1 };
  if (value === "unity") return { keyword: "SCALEUNIT", name: value, factor: 1 };
  const unit = record(value, "unit");
  const keywords: Readonly<Record<string, string>> = { LinearUnit: "LENGTHUNIT", AngularUnit: "ANGLEUNIT", ScaleUnit: "SCALEUNIT" };
  const keyword = keywords[text(unit["type"])] ?? "UNIT";
  return { keyword, name: text(unit["name"]), factor: number(unit["conversion_factor"]) };
}

/** A length in metres, given as a number or as a value with a unit. */
function metres(value: unknown): number {
  if (typeof value === "number") return number(value);
  const measure = record(value, "a length");
  return number(measure["value"]) * unitOf(measure["unit"]).factor;
}

/** An angle, in degrees or a value with a unit. */
function radians(value: unknown): number {
  if (typeof value === "number") return number(value) * DEGREE;
  const measure = record(value, "an angle");
  return number(measure["value"]) * unitOf(measure["unit"]).factor;
}

function node(keyword: string, values: readonly (string | number)[], children: readonly WktNode[]): WktNode {
  return { keyword, values, children };
}

function record(value: unknown, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  return refuse(`${what} is not an object`);
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length <= MAX_ITEMS) return value;
  return refuse("a list is missing or too long");
}

function text(value: unknown): string {
  if (typeof value === "string") return value.slice(0, 1000);
  return refuse("a name is missing");
}

function number(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return refuse(`${JSON.stringify(value)?.slice(0, 40) ?? "nothing"} stands where a number must`);
}

function refuse(reason: string): never {
  throw new GeoLearnError("CRS_UNKNOWN", `The PROJJSON of the reference system cannot be read: ${reason}.`, {
    hint: "Check the metadata of the file, or name an EPSG code yourself.",
  });
}
