/** Reference systems as WKT 1, the flavour that .prj files, GeoPackage and every reader of the last 25 years understand. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { type GeodeticNames, geodeticNames } from "./geodetic.ts";
import { METHODS, type Method, type MethodParameter } from "./methods.ts";
import { type ProjParameters, parseProjString } from "./proj-string.ts";

/** Options of {@link crsToWkt}. */
export interface CrsToWktOptions {
  /** `"esri"` is what a .prj holds: Esri's names, no authorities. @defaultValue "gdal" */
  readonly flavour?: "gdal" | "esri";
}

/**
 * The WKT 1 of a system, x before y.
 *
 * @throws CRS_UNKNOWN when WKT 1 has no word for the projection
 */
export function crsToWkt(crs: Crs, { flavour = "gdal" }: CrsToWktOptions = {}): string {
  const esri = flavour === "esri";
  const base = geodeticNames(crs);
  if (crs.geographic) return geographicWkt(crs.epsg === null && base.epsg === null ? crs.name : base.name, base, esri);
  const { method, values } = methodOf(crs);
  const given = parseProjString(crs.proj);
  if (esri && given.has("axis") && method.proj !== "krovak") {
    throw new GeoLearnError("CRS_UNKNOWN", `${crs.name} counts west or south, which Esri's WKT cannot say.`, {
      hint: "Write a GeoPackage, or reproject to a system that counts east and north.",
    });
  }
  const geographic = geographicWkt(base.name, base, esri);
  const parts = [quoted(esri ? esriName(crs.name, base) : crs.name), geographic, `PROJECTION[${quoted(methodName(method, esri, values))}]`];
  for (const parameter of method.parameters) {
    const value = values.get(parameter.proj);
    if (value === undefined) continue;
    const number = parameter.kind === "length" ? value / crs.metresPerUnit : value;
    parts.push(`PARAMETER[${quoted(esri ? parameter.esri : parameter.wkt1)},${number}]`);
  }
  if (esri) parts.push(...esriOnly(method, given));
  parts.push(`UNIT[${quoted(unitName(crs.metresPerUnit, esri))},${crs.metresPerUnit}]`);
  if (esri) return `PROJCS[${parts.join(",")}]`;
  if (given.has("axis")) parts.push(...axes(given)); // none means east, north, and leaves the order of the code alone
  if (given.get("nadgrids") === "@null") parts.push(`EXTENSION["PROJ4",${quoted(`${crs.proj} +wktext`)}]`);
  if (crs.epsg !== null) parts.push(`AUTHORITY["EPSG","${crs.epsg}"]`);
  return `PROJCS[${parts.join(",")}]`;
}

function axes(given: ProjParameters): string[] {
  const names: Readonly<Record<string, string>> = {
    e: 'AXIS["Easting",EAST]',
    n: 'AXIS["Northing",NORTH]',
    w: 'AXIS["Westing",WEST]',
    s: 'AXIS["Southing",SOUTH]',
  };
  const [first, second] = given.get("axis") ?? "enu";
  return [names[first!]!, names[second!]!];
}

function methodName(method: Method, esri: boolean, values: ReadonlyMap<string, number>): string {
  if (!esri) return method.wkt1;
  const south = (values.get("lat_ts") ?? 0) < 0;
  return method.esri === "Stereographic_North_Pole" && south ? "Stereographic_South_Pole" : method.esri;
}

/** Parameters that only Esri's projection engine knows. */
function esriOnly(method: Method, given: ProjParameters): string[] {
  if (method.esri === "Mercator_Auxiliary_Sphere") return ['PARAMETER["Standard_Parallel_1",0]', 'PARAMETER["Auxiliary_Sphere_Type",0]'];
  if (method.proj !== "krovak") return [];
  const [x, y, rotation] = given.get("axis") === "swu" ? [1, 1, 0] : [-1, 1, 90];
  return [`PARAMETER["X_Scale",${x}]`, `PARAMETER["Y_Scale",${y}]`, `PARAMETER["XY_Plane_Rotation",${rotation}]`];
}

/** The projection of a system, with its values in degrees and metres. @throws CRS_UNKNOWN */
export function methodOf(crs: Crs): { method: Method; values: Map<string, number> } {
  const given = spelledOut(parseProjString(crs.proj));
  const method = METHODS.find((one) => fits(one, given));
  if (method === undefined) {
    throw new GeoLearnError("CRS_UNKNOWN", `The projection of ${crs.name} (${crs.proj}) has no name in the format to write.`, {
      hint: "Write the result in a system with an EPSG code.",
    });
  }
  return { method, values: new Map(method.parameters.map((parameter) => [parameter.proj, valueOf(parameter, given)])) };
}

function valueOf({ proj, kind, fallback }: MethodParameter, given: ProjParameters): number {
  const value = given.get(proj) ?? (proj === "k_0" ? given.get("k") : undefined);
  if (value !== undefined) return Number(value);
  return fallback ?? (kind === "scale" ? 1 : 0);
}

function spelledOut(given: ProjParameters): ProjParameters {
  switch (given.get("proj")) {
    case "utm": {
      const north = given.has("south") ? "10000000" : "0";
      const meridian = String(Number(given.get("zone")) * 6 - 183);
      return new Map([
        ["proj", "tmerc"],
        ["lat_0", "0"],
        ["lon_0", meridian],
        ["k_0", "0.9996"],
        ["x_0", "500000"],
        ["y_0", north],
      ]);
    }
    case "lcc":
      return given.has("lat_0") || given.has("lat_2") ? given : new Map([...given, ["lat_0", given.get("lat_1") ?? "0"]]);
    case "somerc":
      return new Map([...given, ["lonc", given.get("lon_0") ?? "0"], ["alpha", "90"], ["gamma", "90"]]);
    case "omerc":
      return given.has("gamma") ? given : new Map([...given, ["gamma", given.get("alpha") ?? "0"]]);
    default:
      return given;
  }
}

function fits(method: Method, given: ProjParameters): boolean {
  if (method.proj !== given.get("proj") || given.has("r_a")) return false;
  for (const [key, value] of Object.entries(method.fixed ?? {})) if (given.get(key) !== value) return false;
  if (given.get("axis") === "wsu" && method.fixed?.["axis"] === undefined && method.proj === "tmerc") return false;
  const latitude = Number(given.get("lat_0") ?? 0);
  switch (method.wkt1) {
    case "Lambert_Conformal_Conic_2SP":
      return given.has("lat_2") && !given.has("k_0") && !given.has("k");
    case "Lambert_Conformal_Conic_1SP":
      return !given.has("lat_2") && Number(given.get("lat_1") ?? given.get("lat_0")) === latitude;
    case "Mercator_2SP":
      return given.has("lat_ts") && Number(given.get("lat_ts")) !== 0;
    case "Polar_Stereographic":
      return Math.abs(latitude) === 90 && method.parameters.some(({ proj }) => proj === "lat_ts") === given.has("lat_ts");
    case "Stereographic":
      return Math.abs(latitude) !== 90;
    case "Orthographic":
      return !given.has("alpha") && !given.has("k") && !given.has("k_0");
    default:
      return true;
  }
}

function geographicWkt(name: string, base: GeodeticNames, esri: boolean): string {
  const spheroid = `SPHEROID[${quoted(esri ? esriSpheroid(base) : base.ellipsoidName)},${base.a},${base.inverseFlattening}]`;
  const shift = !esri && base.epsg === null && base.shift !== null ? `,TOWGS84[${base.shift.join(",")}]` : "";
  const authority = !esri && base.epsg !== null && base.inDegrees ? `,AUTHORITY["EPSG","${base.epsg}"]` : "";
  const meridian = `PRIMEM[${quoted(base.meridian === 0 ? "Greenwich" : "Reference_Meridian")},${base.meridian}]`;
  const datum = `DATUM[${quoted(esri ? base.esriDatum : base.datumName)},${spheroid}${shift}]`;
  return `GEOGCS[${quoted(esri ? base.esriName : name)},${datum},${meridian},UNIT[${quoted(esri ? "Degree" : "degree")},0.017453292519943295]${authority}]`;
}

/** "WGS 84 / UTM zone 33N" is WGS_1984_UTM_Zone_33N there. */
function esriName(name: string, base: GeodeticNames): string {
  const prefix = `${base.name} / `;
  if (!name.startsWith(prefix)) return name.replaceAll(/[^A-Za-z0-9]+/g, "_");
  const rest = name.slice(prefix.length).replaceAll(/[^A-Za-z0-9]+/g, "_");
  return `${base.esriName.replace(/^GCS_/, "")}_${rest.replace(/_zone_/, "_Zone_")}`;
}

function esriSpheroid({ ellipsoidName }: GeodeticNames): string {
  return ELLIPSOIDS_OF_ESRI[ellipsoidName] ?? ellipsoidName.replaceAll(/[^A-Za-z0-9]+/g, "_");
}

const ELLIPSOIDS_OF_ESRI: Readonly<Record<string, string>> = { "WGS 84": "WGS_1984", "GRS 1980": "GRS_1980", "WGS 72": "WGS_1972" };

function unitName(metres: number, esri: boolean): string {
  if (metres === 1) return esri ? "Meter" : "metre";
  if (Math.abs(metres - 1200 / 3937) < 1e-12) return esri ? "Foot_US" : "US survey foot";
  if (metres === 0.3048) return esri ? "Foot" : "foot";
  return "unknown";
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
