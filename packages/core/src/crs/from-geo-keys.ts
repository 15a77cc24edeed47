/** Reference systems from the GeoKeys of a GeoTIFF that spell them out instead of naming a code. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { ELLIPSOIDS } from "./ellipsoids.ts";
import { epsgDefinition } from "./epsg.ts";
import { baseDatum, findProjected } from "./find.ts";
import { METHODS, type Method } from "./methods.ts";
import { formatProjString } from "./proj-string.ts";
import { projection } from "./projection.ts";

/** Values of the keys by id. */
export type GeoKeyValues = ReadonlyMap<number, number | string | readonly number[]>;

const USER_DEFINED = 32767;

/** Degrees per angular unit, by EPSG code. */
const ANGLES: Readonly<Record<number, number>> = {
  9101: 180 / Math.PI,
  9102: 1,
  9103: 1 / 60,
  9104: 1 / 3600,
  9105: 0.9,
  9106: 0.9,
  9122: 1,
};

/** Metres per linear unit, by EPSG code. */
const LENGTHS: Readonly<Record<number, number>> = {
  9001: 1,
  9002: 0.3048,
  9003: 1200 / 3937,
  9005: 0.3047972654,
  9014: 1.8288,
  9030: 1852,
  9036: 1000,
  9041: 0.3047994715386762,
  9042: 20.116765121552632,
  9062: 20.116756,
  9080: 0.3047995102481469,
  9084: 0.9143985307444408,
  9093: 1609.344,
  9094: 0.3047997101815088,
};

/** Keys that hold the same parameter in different projections. */
const ALTERNATIVES: Readonly<Record<string, readonly number[]>> = {
  lat_0: [3081, 3089, 3085],
  lon_0: [3080, 3088, 3084, 3095],
  lonc: [3088, 3080],
  x_0: [3082, 3090, 3086],
  y_0: [3083, 3091, 3087],
  k_0: [3092, 3093],
  lat_ts: [3078, 3081],
};

/**
 * The system that the keys spell out. Where the table has the same definition, it gets its code.
 *
 * @throws CRS_UNKNOWN when the projection, its unit or its ellipsoid is not known here
 */
export function crsFromGeoKeyValues(keys: GeoKeyValues): Crs {
  const degrees = angularUnit(keys);
  const base = baseCode(keys);
  const datum = base === null ? spelledDatum(keys, degrees) : [...(baseDatum(base) ?? [])];
  const projected = numberOf(keys, 1024) === 1 || keys.has(3075);
  const name = nameOf(keys, projected);
  if (!projected) {
    if (degrees !== 1) refuse(`its coordinates are counted in units of ${degrees} degrees`);
    const definition = base === null ? null : epsgDefinition(base);
    if (definition !== null) return made(base, definition.name, definition.proj, true, 1);
    return made(null, name, formatProjString(new Map([["proj", "longlat"], ...datum, ["no_defs", ""]])), true, 1);
  }
  const metres = linearUnit(keys);
  const parameters = projectionOf(keys, degrees, metres);
  for (const [key, value] of datum) parameters.set(key, value);
  if (metres === 1) parameters.set("units", "m");
  else parameters.set("to_meter", String(metres));
  const proj = formatProjString(parameters.set("no_defs", ""));
  const twin = base === null ? null : findProjected(name, proj, base);
  if (twin === null) return made(null, name, proj, false, metres);
  const definition = epsgDefinition(twin.code)!;
  return made(typeof twin.code === "number" ? twin.code : null, definition.name, definition.proj, false, metres);
}

function made(epsg: number | null, name: string, proj: string, geographic: boolean, metresPerUnit: number): Crs {
  const crs: Crs = { epsg, name, proj, wkt: null, geographic, metresPerUnit };
  projection(crs);
  return crs;
}

/** EPSG code of the geographic system: named, or that of a named datum. */
function baseCode(keys: GeoKeyValues): number | null {
  const own = numberOf(keys, 2048);
  if (own !== null && own < USER_DEFINED && baseDatum(own) !== null) return own;
  const datum = numberOf(keys, 2050);
  // the old codes of datums are those of their geographic systems plus 2000
  if (datum !== null && datum >= 6120 && datum < 7000 && baseDatum(datum - 2000) !== null) return datum - 2000;
  return null;
}

function spelledDatum(keys: GeoKeyValues, degrees: number): [string, string][] {
  const code = numberOf(keys, 2056);
  const known = Object.values(ELLIPSOIDS).find(({ epsg }) => epsg !== null && epsg === code);
  const a = known?.a ?? numberOf(keys, 2057);
  const b = numberOf(keys, 2058);
  const rf = known?.inverseFlattening ?? numberOf(keys, 2059) ?? (a === null || b === null ? null : a === b ? 0 : a / (a - b));
  if (a === null || rf === null) return refuse("its ellipsoid is not given");
  const datum: [string, string][] = [["a", String(a)], rf === 0 ? ["b", String(a)] : ["rf", String(rf)]];
  const shift = keys.get(2062);
  if (typeof shift === "object" && (shift.length === 3 || shift.length === 7)) datum.push(["towgs84", shift.join(",")]);
  const meridian = numberOf(keys, 2061);
  if (meridian !== null && meridian !== 0) datum.push(["pm", String(meridian * degrees)]);
  return datum;
}

function projectionOf(keys: GeoKeyValues, degrees: number, metres: number): Map<string, string> {
  const utm = utmZone(numberOf(keys, 3074));
  if (utm !== null) return utm;
  const code = numberOf(keys, 3075);
  const method = methodOf(code, keys);
  if (method === null) return refuse(code === null ? "it names no projection" : `projection ${code} is not supported`);
  const proj = new Map<string, string>([["proj", method.proj]]);
  for (const parameter of method.parameters) {
    const ids = [parameter.geoKey, ...(ALTERNATIVES[parameter.proj] ?? [])];
    const value = ids.map((id) => numberOf(keys, id)).find((found) => found !== null) ?? null;
    if (value === null) continue;
    const factor = parameter.kind === "angle" ? degrees : parameter.kind === "length" ? metres : 1;
    proj.set(parameter.proj, String(factor === 1 ? value : Number((value * factor).toPrecision(15))));
  }
  for (const [key, value] of Object.entries(method.fixed ?? {})) proj.set(key, value);
  complete(method, proj);
  return proj;
}

/** EPSG conversions 16001 to 16060 and 16101 to 16160 are the zones of UTM. */
function utmZone(code: number | null): Map<string, string> | null {
  if (code === null || code < 16001 || code > 16160 || code % 100 < 1 || code % 100 > 60) return null;
  const zone = new Map([
    ["proj", "utm"],
    ["zone", String(code % 100)],
  ]);
  return code > 16100 ? zone.set("south", "") : zone;
}

function methodOf(code: number | null, keys: GeoKeyValues): Method | null {
  const fits = METHODS.filter(({ geoTiff }) => geoTiff !== null && geoTiff === code);
  if (code === 7) return mercator(fits, keys);
  const azimuth = numberOf(keys, 3094);
  if (code === 9815 && azimuth !== null && Math.abs(azimuth - 90) < 1e-9) return fits.find(({ proj }) => proj === "somerc") ?? null;
  return fits.find(({ proj }) => proj !== "somerc") ?? null;
}

function mercator(fits: readonly Method[], keys: GeoKeyValues): Method | null {
  const web = /pseudo.?mercator|web.?mercator/i.test(nameOf(keys, true));
  if (web) return fits.find(({ fixed }) => fixed !== undefined) ?? null;
  const parallel = numberOf(keys, 3078);
  return fits.find(({ wkt1, fixed }) => fixed === undefined && (wkt1 === "Mercator_2SP") === (parallel !== null && parallel !== 0)) ?? null;
}

function complete(method: Method, proj: Map<string, string>): void {
  if (method.wkt1 === "Lambert_Conformal_Conic_1SP") proj.set("lat_1", proj.get("lat_0") ?? "0");
  if (method.proj === "somerc") {
    proj.set("lon_0", proj.get("lonc") ?? proj.get("lon_0") ?? "0");
    for (const key of ["lonc", "alpha", "gamma"]) proj.delete(key);
  }
  if (method.wkt1 !== "Polar_Stereographic") return;
  const latitude = Number(proj.get("lat_ts") ?? proj.get("lat_0") ?? 90);
  proj.set("lat_0", latitude < 0 ? "-90" : "90");
  if (Math.abs(latitude) === 90) proj.delete("lat_ts");
  else proj.delete("k_0");
}

function angularUnit(keys: GeoKeyValues): number {
  const code = numberOf(keys, 2054) ?? 9102;
  if (code === USER_DEFINED) {
    const radians = numberOf(keys, 2055);
    if (radians !== null) return Number(((radians * 180) / Math.PI).toPrecision(12));
  }
  return ANGLES[code] ?? refuse(`its angular unit ${code} is not known`);
}

function linearUnit(keys: GeoKeyValues): number {
  const code = numberOf(keys, 3076) ?? 9001;
  const metres = code === USER_DEFINED ? numberOf(keys, 3077) : (LENGTHS[code] ?? null);
  return metres !== null && metres > 0 ? metres : refuse(`its linear unit ${code} is not known`);
}

function nameOf(keys: GeoKeyValues, projected: boolean): string {
  for (const id of projected ? [3073, 1026] : [2049, 1026]) {
    const text = keys.get(id);
    if (typeof text === "string" && text.trim() !== "") return /^(?:GCS|PCS) Name = ([^|]*)/.exec(text)?.[1] ?? text.trim();
  }
  return projected ? "unnamed projected system" : "unnamed geographic system";
}

function numberOf(keys: GeoKeyValues, id: number): number | null {
  const value = keys.get(id);
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function refuse(reason: string): never {
  throw new GeoLearnError("CRS_UNKNOWN", `The reference system spelled out in the GeoKeys cannot be used: ${reason}.`, {
    hint: "Assign a known system: gdal_translate -a_srs EPSG:<code> in.tif out.tif",
  });
}
