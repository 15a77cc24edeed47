/** Reference systems from well-known text: WKT 1 (OGC, GDAL), Esri's .prj flavour and WKT 2. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { epsgDefinition } from "./epsg.ts";
import { baseDatum, findGeographic, findProjected } from "./find.ts";
import { METHODS, type Method, plainName } from "./methods.ts";
import { formatProjString, isGeographicProj, linearUnit, parseProjString } from "./proj-string.ts";
import { projection } from "./projection.ts";
import { type WktNode, child, parseWkt } from "./wkt-tree.ts";

const PROJECTED = ["PROJCS", "PROJCRS", "PROJECTEDCRS", "BASEPROJCRS"];
const GEOGRAPHIC = ["GEOGCS", "GEOGCRS", "GEOGRAPHICCRS", "GEODCRS", "GEODETICCRS", "BASEGEOGCRS", "BASEGEODCRS"];
const DATUM = ["DATUM", "GEODETICDATUM", "TRF", "ENSEMBLE"];
const COMPOUND = ["COMPD_CS", "COMPOUNDCRS"];

/**
 * The reference system of a WKT. The horizontal part of a compound system counts; an EPSG code at its end decides where
 * the offline table has it.
 *
 * @throws CRS_UNKNOWN when the text is damaged or names a projection that is not supported
 */
export function crsFromWkt(wkt: string): Crs {
  return crsFromTree(parseWkt(wkt), wkt);
}

/** The same from a tree that was parsed, or made of something else. `wkt` is the text that it came from. */
export function crsFromTree(root: WktNode, wkt: string | null): Crs {
  const { node, shift } = horizontal(root);
  const epsg = authorityCode(node);
  const name = String(node.values[0] ?? "unnamed");
  const definition = epsg === null || shift !== null ? null : epsgDefinition(epsg);
  if (definition !== null) return finish(epsg, definition.name, definition.proj, wkt);
  const extension = child(node, "EXTENSION");
  if (extension?.values[0] === "PROJ4") return recognized(name, parseProjString(String(extension.values[1])), null, wkt, epsg);
  const base = PROJECTED.includes(node.keyword) ? child(node, ...GEOGRAPHIC) : node;
  if (base === undefined) return refuse(node, "it has no geographic base");
  const code = shift === null ? geographicCode(base) : null;
  if (node === base) {
    const known = code === null ? null : epsgDefinition(code);
    if (known !== null) return finish(code, known.name, known.proj, wkt);
  }
  const parameters =
    node === base ? new Map([["proj", "longlat"], ...datumParametersOf(base, code), ["no_defs", ""]]) : projectedProj(node, base, code);
  if (shift !== null) parameters.set("towgs84", shift);
  return recognized(name, parameters, code, wkt, epsg);
}

/** Gives a system that has no code the code of its twin in the table. */
function recognized(name: string, parameters: Map<string, string>, base: number | null, wkt: string | null, epsg: number | null): Crs {
  const proj = formatProjString(parameters);
  const twin = epsg === null ? findProjected(name, proj, base) : null;
  if (twin === null) return finish(epsg, name, proj, wkt);
  const definition = epsgDefinition(twin.code)!;
  return finish(typeof twin.code === "number" ? twin.code : null, definition.name, definition.proj, wkt);
}

function finish(epsg: number | null, name: string, proj: string, wkt: string | null): Crs {
  const parameters = parseProjString(proj);
  const geographic = isGeographicProj(parameters);
  const crs: Crs = { epsg, name, proj, wkt, geographic, metresPerUnit: geographic ? 1 : linearUnit(parameters) };
  projection(crs);
  return crs;
}

/** The projected or geographic node, and the shift to WGS 84 of a bound system around it. */
function horizontal(root: WktNode): { node: WktNode; shift: string | null } {
  if (PROJECTED.includes(root.keyword) || GEOGRAPHIC.includes(root.keyword)) return { node: root, shift: null };
  if (COMPOUND.includes(root.keyword) || root.keyword === "SOURCECRS") {
    for (const part of root.children) {
      if ([...PROJECTED, ...GEOGRAPHIC, "BOUNDCRS"].includes(part.keyword)) return horizontal(part);
    }
  }
  const source = root.keyword === "BOUNDCRS" ? child(root, "SOURCECRS") : undefined;
  if (source !== undefined) return { node: horizontal(source).node, shift: boundShift(root) };
  throw new GeoLearnError("CRS_UNKNOWN", `A ${root.keyword} ("${String(root.values[0])}") places nothing on the Earth.`, {
    hint: "Georeference the data, or name the right system (an EPSG code) yourself.",
  });
}

function boundShift(bound: WktNode): string | null {
  const transformation = child(bound, "ABRIDGEDTRANSFORMATION");
  if (transformation === undefined) return null;
  const values = transformation.children.filter(({ keyword }) => keyword === "PARAMETER").map(({ values: [, value] }) => Number(value));
  if ((values.length !== 3 && values.length !== 7) || values.some(Number.isNaN)) return null;
  const method = String(child(transformation, "METHOD")?.values[0] ?? "");
  if (values.length === 3) return values.join(",");
  const sign = plainName(method).includes("coordinateframe") ? -1 : 1;
  const [dx, dy, dz, rx, ry, rz, scale] = values as [number, number, number, number, number, number, number];
  return [dx, dy, dz, sign * rx, sign * ry, sign * rz, scaleParts(scale)].join(",");
}

/** BOUNDCRS writes the scale as 1 + ppm * 1e-6. */
function scaleParts(scale: number): number {
  return Math.abs(scale - 1) < 0.1 ? Number(((scale - 1) * 1e6).toPrecision(9)) : scale;
}

/** The EPSG code of this very node. */
function authorityCode(node: WktNode): number | null {
  const id = child(node, "AUTHORITY", "ID");
  if (id === undefined || String(id.values[0]).toUpperCase() !== "EPSG") return null;
  const code = Number(id.values[1]);
  return Number.isInteger(code) && code > 0 ? code : null;
}

function projectedProj(node: WktNode, base: WktNode, code: number | null): Map<string, string> {
  const conversion = child(node, "CONVERSION") ?? node;
  const methodName = String(child(conversion, "METHOD", "PROJECTION")?.values[0] ?? "");
  const given = projectionParameters(conversion, unitOf(node, "length"), unitOf(base, "angle"));
  const method = chooseMethod(methodName, given, String(node.values[0]));
  if (method === null) return refuse(node, `its projection "${methodName}" is not supported`);
  const proj = new Map([["proj", method.proj]]);
  for (const parameter of method.parameters) {
    const names = [parameter.wkt1, parameter.esri, ...parameter.also];
    const value = names.map((name) => given.get(plainName(name))).find((found) => found !== undefined);
    if (value !== undefined) proj.set(parameter.proj, String(value));
  }
  for (const [key, value] of Object.entries(method.fixed ?? {})) proj.set(key, value);
  completeMethod(method, plainName(methodName), proj);
  setAxes(node, given, proj);
  const webMercator = proj.get("nadgrids") === "@null";
  for (const [key, value] of webMercator ? WEB_MERCATOR_DATUM : datumParametersOf(base, code)) proj.set(key, value);
  const unit = unitOf(node, "length");
  if (unit === 1) proj.set("units", "m");
  else proj.set("to_meter", String(unit));
  return proj.set("no_defs", "");
}

const WEB_MERCATOR_DATUM: readonly (readonly [string, string])[] = [
  ["a", "6378137"],
  ["b", "6378137"],
];

/** Axes that count west and south; those that only stand in the order north, east are read as x, y. */
function setAxes(node: WktNode, given: ReadonlyMap<string, number>, proj: Map<string, string>): void {
  const directions = node.children.filter(({ keyword }) => keyword === "AXIS").map(({ values }) => String(values[1]).toLowerCase());
  if (directions.length === 0) {
    // Krovak without axes is the original one; Esri turns it by its own parameters
    if (proj.get("proj") === "krovak" && (given.get("xyplanerotation") ?? 0) !== 90) proj.set("axis", "swu");
    return;
  }
  const [first = "east", second = "north"] = directions;
  if (!/^(west|south)$/.test(first) && !/^(west|south)$/.test(second)) return;
  const axis = `${first[0]}${second[0]}u`;
  if (/^(?:[ew][ns]|[ns][ew])u$/.test(axis) && Math.abs(Number(proj.get("lat_0") ?? 0)) !== 90) proj.set("axis", axis);
}

/** Values by plain name: angles in degrees, lengths in metres. */
function projectionParameters(conversion: WktNode, metres: number, degrees: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const { keyword, values, children } of conversion.children) {
    if (keyword !== "PARAMETER") continue;
    const name = plainName(String(values[0]));
    const unit = children.find((part) => ["ANGLEUNIT", "LENGTHUNIT", "SCALEUNIT", "UNIT"].includes(part.keyword));
    const number = Number(values[1]);
    const length = unit?.keyword === "LENGTHUNIT" || /easting|northing/.test(name);
    const scale = unit?.keyword === "SCALEUNIT" || name.startsWith("scale");
    const factor = scale
      ? 1
      : length
        ? unit === undefined
          ? metres
          : Number(unit.values[1])
        : unit === undefined
          ? degrees
          : angleFactor(unit);
    found.set(name, factor === 1 ? number : Number((number * factor).toPrecision(15)));
  }
  return found;
}

/** WKT 1 tells web mercator from the real one only by its name. */
function isWebMercator(name: string): boolean {
  return /pseudo.?mercator|web.?mercator/i.test(name);
}

function chooseMethod(name: string, given: ReadonlyMap<string, number>, system: string): Method | null {
  const plain = plainName(name);
  const fits = METHODS.filter(({ wkt1, esri, also }) => [wkt1, esri, ...also].some((known) => plainName(known) === plain));
  const azimuth = given.get("azimuth") ?? given.get("azimuthofinitialline") ?? given.get("azimuthatprojectioncentre");
  const rectified = given.get("rectifiedgridangle") ?? given.get("anglefromrectifiedtoskewgrid") ?? 90;
  if (fits.some(({ proj }) => proj === "omerc" || proj === "somerc") && azimuth === 90 && rectified === 90) {
    const swiss = METHODS.find(({ proj }) => proj === "somerc");
    if (swiss !== undefined && !plain.endsWith("varianta") && plain !== "hotineobliquemercator") return swiss;
  }
  if (plain === "mercator1sp") return fits.find(({ fixed }) => (fixed !== undefined) === isWebMercator(system)) ?? null;
  const oblique = fits.filter(({ proj }) => proj !== "somerc" || plain.startsWith("swiss"));
  const conic = oblique.find(({ wkt1 }) => wkt1.endsWith("_1SP") && plain === "lambertconformalconic");
  if (conic !== undefined && given.get("standardparallel2") === undefined) return conic;
  const south = oblique.find(({ fixed }) => fixed?.["axis"] !== undefined);
  if (south !== undefined && plain === "transversemercator") return oblique.find((method) => method !== south) ?? null;
  return oblique[0] ?? null;
}

/** What a PROJ string says more explicitly than WKT. */
function completeMethod(method: Method, name: string, proj: Map<string, string>): void {
  if (method.proj === "somerc") {
    proj.set("lon_0", proj.get("lonc") ?? proj.get("lon_0") ?? "0");
    for (const key of ["lonc", "alpha", "gamma"]) proj.delete(key);
  }
  if (name === "behrmann" && !proj.has("lat_ts")) proj.set("lat_ts", "30");
  if (method.proj === "krovak") {
    // the cone is fixed; the azimuth was rounded in many ways
    proj.delete("lat_1");
    proj.set("alpha", "30.2881397527778");
  }
  if (method.wkt1 === "Lambert_Conformal_Conic_1SP") proj.set("lat_1", proj.get("lat_0") ?? "0");
  if (method.proj === "stere" && method.wkt1 === "Polar_Stereographic") {
    const latitude = Number(proj.get("lat_ts") ?? proj.get("lat_0"));
    const south = name === "stereographicsouthpole" || latitude < 0;
    proj.set("lat_0", south ? "-90" : "90");
    if (proj.has("lat_ts") && Math.abs(latitude) === 90) proj.delete("lat_ts");
    else if (proj.has("lat_ts")) proj.delete("k_0");
  }
}

/** Datum parameters of a geographic node, of the table where it has its code. */
function datumParametersOf(node: WktNode, code: number | null): [string, string][] {
  const definition = code === null ? null : baseDatum(code);
  if (definition !== null) return [...definition];
  const datum = child(node, ...DATUM);
  const ellipsoid = datum === undefined ? undefined : child(datum, "SPHEROID", "ELLIPSOID");
  if (datum === undefined || ellipsoid === undefined) return refuse(node, "it has no datum with an ellipsoid");
  const shift = child(datum, "TOWGS84")?.values.map(Number);
  const meridian = Number(child(node, "PRIMEM", "PRIMEMERIDIAN")?.values[1] ?? 0) * unitOf(node, "angle");
  const parameters: [string, string][] = [["a", String(ellipsoid.values[1])]];
  const rf = Number(ellipsoid.values[2]);
  parameters.push(rf === 0 ? ["b", String(ellipsoid.values[1])] : ["rf", String(rf)]);
  if (shift !== undefined && (shift.length === 3 || shift.length === 7)) parameters.push(["towgs84", shift.join(",")]);
  if (meridian !== 0) parameters.push(["pm", String(Number(meridian.toPrecision(14)))]);
  return parameters;
}

/** The EPSG code of a geographic node: its own, or that of the one with its name and ellipsoid. */
function geographicCode(node: WktNode): number | null {
  const own = authorityCode(node);
  if (own !== null && baseDatum(own) !== null) return own;
  const datum = child(node, ...DATUM);
  const ellipsoid = datum === undefined ? undefined : child(datum, "SPHEROID", "ELLIPSOID");
  if (datum === undefined || ellipsoid === undefined || child(datum, "TOWGS84")?.values.some((value) => Number(value) !== 0) === true)
    return null;
  return findGeographic({
    name: String(node.values[0]),
    datum: String(datum.values[0]),
    a: Number(ellipsoid.values[1]),
    inverseFlattening: Number(ellipsoid.values[2]),
    meridian: Number(child(node, "PRIMEM", "PRIMEMERIDIAN")?.values[1] ?? 0) * unitOf(node, "angle"),
  });
}

/** Metres or degrees per unit of the node. */
function unitOf(node: WktNode, kind: "length" | "angle"): number {
  const keyword = kind === "length" ? "LENGTHUNIT" : "ANGLEUNIT";
  const system = node.children.find((part) => part.keyword === "UNIT" || part.keyword === keyword);
  const axis = node.children.filter((part) => part.keyword === "AXIS").map((part) => child(part, keyword, "UNIT"))[0];
  const unit = system ?? axis;
  if (unit === undefined) return 1;
  if (kind === "angle") return angleFactor(unit);
  const metres = Number(unit.values[1]);
  return metres > 0 ? metres : refuse(node, `its unit ${String(unit.values[0])} has no length`);
}

/** Degrees per angular unit. */
function angleFactor(unit: WktNode): number {
  const radians = Number(unit.values[1]);
  const degrees = (radians * 180) / Math.PI;
  return Math.abs(degrees - 1) < 1e-9 ? 1 : degrees;
}

function refuse(node: WktNode, reason: string): never {
  throw new GeoLearnError("CRS_UNKNOWN", `The system "${String(node.values[0])}" cannot be used: ${reason}.`, {
    hint: "Reproject the data to a common system, or name an EPSG code yourself.",
  });
}
