/** Reference systems as WKT 1, the flavour that .prj files, GeoPackage and every reader of the last 25 years understand. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { type DatumDefinition, datumDefinition } from "./datum-definition.ts";
import { METHODS, type Method } from "./methods.ts";
import { type ProjParameters, parseProjString } from "./proj-string.ts";

/**
 * The WKT 1 of a system, x before y. `flavour` `"esri"` is what a .prj holds (Esri's names, no authorities).
 *
 * @throws CRS_UNKNOWN when WKT 1 has no word for the projection
 */
export function crsToWkt(crs: Crs, { flavour = "gdal" }: { readonly flavour?: "gdal" | "esri" } = {}): string {
  const parameters = parseProjString(crs.proj);
  const datum = datumDefinition(parameters);
  const esri = flavour === "esri";
  const geographic = geographicWkt(crs, datum, esri);
  if (crs.geographic) return geographic;
  const { method, values } = methodOf(crs);
  const parts = [
    quoted(crs.name),
    geographicWkt({ ...crs, epsg: null, name: datum.name }, datum, esri),
    `PROJECTION[${quoted(esri ? method.esri : method.wkt1)}]`,
  ];
  for (const parameter of method.parameters) {
    const value = values.get(parameter.proj);
    if (value === undefined) continue;
    parts.push(
      `PARAMETER[${quoted(esri ? parameter.esri : parameter.wkt1)},${parameter.kind === "length" ? value / crs.metresPerUnit : value}]`,
    );
  }
  parts.push(`UNIT[${quoted(unitName(crs.metresPerUnit, esri))},${crs.metresPerUnit}]`);
  if (!esri) {
    parts.push('AXIS["Easting",EAST]', 'AXIS["Northing",NORTH]');
    if (parameters.get("nadgrids") === "@null") parts.push(`EXTENSION["PROJ4",${quoted(crs.proj)}]`);
    if (crs.epsg !== null) parts.push(`AUTHORITY["EPSG","${crs.epsg}"]`);
  }
  return `PROJCS[${parts.join(",")}]`;
}

/** The projection of a system, with its values in degrees and metres. @throws CRS_UNKNOWN */
export function methodOf(crs: Crs): { method: Method; values: Map<string, number> } {
  const given = spelledOut(parseProjString(crs.proj));
  const method = METHODS.find((one) => fits(one, given));
  if (method === undefined) {
    throw new GeoLearnError("CRS_UNKNOWN", `The projection of ${crs.name} (${crs.proj}) cannot be written here.`, {
      hint: "Write the result in a system with an EPSG code.",
    });
  }
  const values = new Map<string, number>();
  for (const { proj, kind } of method.parameters) {
    const value = given.get(proj) ?? (proj === "k_0" ? given.get("k") : undefined);
    values.set(proj, value === undefined ? (kind === "scale" ? 1 : 0) : Number(value));
  }
  return { method, values };
}

function spelledOut(given: ProjParameters): ProjParameters {
  if (given.get("proj") === "utm") {
    const south = given.has("south");
    return new Map([
      ["proj", "tmerc"],
      ["lat_0", "0"],
      ["lon_0", String(Number(given.get("zone")) * 6 - 183)],
      ["k_0", "0.9996"],
      ["x_0", "500000"],
      ["y_0", south ? "10000000" : "0"],
    ]);
  }
  if (given.get("proj") === "lcc" && given.has("lat_1") && !given.has("lat_2") && !given.has("lat_0"))
    return new Map([...given, ["lat_0", given.get("lat_1")!]]);
  return given;
}

function fits(method: Method, given: ProjParameters): boolean {
  if (method.proj !== given.get("proj")) return false;
  for (const [key, value] of Object.entries(method.fixed ?? {})) if (given.get(key) !== value) return false;
  if (given.has("axis") && given.get("axis") !== (method.fixed?.["axis"] ?? "enu")) return false;
  const latitude = Number(given.get("lat_0") ?? 0);
  switch (method.wkt1) {
    case "Lambert_Conformal_Conic_2SP":
      return given.has("lat_2") && given.get("lat_2") !== given.get("lat_1");
    case "Mercator_2SP":
      return given.has("lat_ts") && Number(given.get("lat_ts")) !== 0;
    case "Polar_Stereographic":
      return Math.abs(latitude) === 90 && method.parameters.some(({ proj }) => proj === "lat_ts") === given.has("lat_ts");
    default:
      return true;
  }
}

function geographicWkt(crs: Crs, datum: DatumDefinition, esri: boolean): string {
  const name = esri ? esriName(crs.name, "GCS_") : crs.name;
  const spheroid = `SPHEROID[${quoted(esri ? esriSpheroid(datum) : datum.ellipsoidName)},${datum.a},${datum.inverseFlattening}]`;
  const shift = !esri && datum.epsg === null && datum.shift !== null ? `,TOWGS84[${datum.shift.join(",")}]` : "";
  const code = crs.epsg ?? datum.epsg;
  const authority = !esri && code !== null ? `,AUTHORITY["EPSG","${code}"]` : "";
  const meridian = `PRIMEM[${quoted(datum.meridian === 0 ? "Greenwich" : "Reference meridian")},${datum.meridian}]`;
  return `GEOGCS[${quoted(name)},DATUM[${quoted(esri ? esriDatum(datum) : datum.datumName)},${spheroid}${shift}],${meridian},UNIT[${quoted(esri ? "Degree" : "degree")},0.017453292519943295]${authority}]`;
}

function esriName(name: string, prefix: string): string {
  const plain =
    name === "WGS 84"
      ? "WGS_1984"
      : name === "NAD83"
        ? "North_American_1983"
        : name === "NAD27"
          ? "North_American_1927"
          : name.replaceAll(/[^A-Za-z0-9]+/g, "_");
  return plain.startsWith(prefix) ? plain : prefix + plain;
}

function esriDatum(datum: DatumDefinition): string {
  return `D_${datum.datumName.replace(/_Datum(?=_)/, "")}`;
}

function esriSpheroid({ ellipsoidName }: DatumDefinition): string {
  return ellipsoidName === "WGS 84" ? "WGS_1984" : ellipsoidName.replaceAll(/[^A-Za-z0-9]+/g, "_");
}

function unitName(metres: number, esri: boolean): string {
  if (metres === 1) return esri ? "Meter" : "metre";
  if (Math.abs(metres - 1200 / 3937) < 1e-12) return esri ? "Foot_US" : "US survey foot";
  return metres === 0.3048 ? (esri ? "Foot" : "foot") : "unknown";
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
