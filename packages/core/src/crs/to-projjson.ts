/** Reference systems as PROJJSON (proj.org/specifications/projjson.html), which GeoParquet holds. */

import type { Crs } from "./crs.ts";
import { projectedEntry } from "./epsg.ts";
import { type GeodeticNames, geodeticNames } from "./geodetic.ts";
import type { Method, MethodParameter } from "./methods.ts";
import { parseCrs } from "./parse.ts";
import { parseProjString } from "./proj-string.ts";
import { methodOf } from "./to-wkt.ts";

/** A JSON object. */
export type ProjJson = Readonly<Record<string, unknown>>;

const SCHEMA = "https://proj.org/schemas/v0.7/projjson.schema.json";

/**
 * The PROJJSON of a system. Axes of systems with a code stand in EPSG's order, some of which have latitude or northing first: with others
 * PROJ takes them for another system. It changes nothing in a GeoParquet, whose coordinates are always x, y. Axes of systems without a code
 * are x before y.
 *
 * @throws CRS_UNKNOWN when the projection has no name in WKT
 */
export function crsToProjJson(crs: Crs): ProjJson {
  const base = geodeticNames(crs);
  const name = crs.geographic && crs.epsg === null && base.epsg === null ? crs.name : base.name;
  const system = crs.geographic ? geographic(name, base) : projected(crs, base);
  const shifted = base.epsg === null && base.shift !== null && parseProjString(crs.proj).has("towgs84");
  const whole = shifted ? bound(system, base.shift) : system;
  return { $schema: SCHEMA, ...whole, ...idOf(crs.epsg) };
}

function idOf(code: number | null): ProjJson {
  return code === null ? {} : { id: { authority: "EPSG", code } };
}

function geographic(name: string, base: GeodeticNames): ProjJson {
  const { datumName, ellipsoidName, a, inverseFlattening, meridian } = base;
  const shape = inverseFlattening === 0 ? { radius: a } : { semi_major_axis: a, inverse_flattening: inverseFlattening };
  return {
    type: "GeographicCRS",
    name,
    datum: {
      type: "GeodeticReferenceFrame",
      name: DATUMS[datumName] ?? datumName.replaceAll("_", " "),
      ellipsoid: { name: ellipsoidName, ...shape },
      ...(meridian === 0 ? {} : { prime_meridian: { name: "unknown", longitude: meridian } }),
    },
    coordinate_system: {
      subtype: "ellipsoidal",
      axis: [
        { name: "Geodetic latitude", abbreviation: "Lat", direction: "north", unit: "degree" },
        { name: "Geodetic longitude", abbreviation: "Lon", direction: "east", unit: "degree" },
      ],
    },
  };
}

/** Datums whose EPSG name differs from that of WKT 1 in more than blanks. */
const DATUMS: Readonly<Record<string, string>> = { WGS_1984: "World Geodetic System 1984" };

function projected(crs: Crs, base: GeodeticNames): ProjJson {
  const { method, values } = methodOf(crs);
  const methodName = methodNameOf(method, crs);
  const unit =
    crs.metresPerUnit === 1 ? "metre" : { type: "LinearUnit", name: unitName(crs.metresPerUnit), conversion_factor: crs.metresPerUnit };
  const parameters = method.parameters
    .filter(({ proj }) => values.has(proj))
    .map((parameter) => {
      const value = values.get(parameter.proj)!;
      const name = parameterName(methodName, parameter);
      if (parameter.kind === "length") return { name, value: value / crs.metresPerUnit, unit };
      return { name, value, unit: parameter.kind === "angle" ? "degree" : "unity" };
    });
  return {
    type: "ProjectedCRS",
    name: crs.name,
    base_crs: { ...geographic(base.name, base), ...(base.inDegrees ? idOf(base.epsg) : {}) },
    conversion: { name: crs.name, method: { name: methodName }, parameters },
    coordinate_system: { subtype: "Cartesian", axis: projectedAxes(crs, unit) },
  };
}

function projectedAxes(crs: Crs, unit: unknown): ProjJson[] {
  const directions: Readonly<Record<string, ProjJson>> = {
    e: { name: "Easting", abbreviation: "E", direction: "east", unit },
    n: { name: "Northing", abbreviation: "N", direction: "north", unit },
    w: { name: "Westing", abbreviation: "W", direction: "west", unit },
    s: { name: "Southing", abbreviation: "S", direction: "south", unit },
  };
  const known = crs.epsg === null ? null : (projectedEntry(crs.epsg)?.axes ?? null);
  if (known !== null) {
    return known.map(({ along, direction, meridian }) => ({
      ...(along === "east" ? directions["e"] : directions["n"]),
      direction,
      ...(meridian === null ? {} : { meridian: { longitude: meridian } }),
    }));
  }
  const [first, second] = parseProjString(crs.proj).get("axis") ?? "enu";
  return [directions[first!]!, directions[second!]!];
}

function unitName(metres: number): string {
  if (Math.abs(metres - 1200 / 3937) < 1e-12) return "US survey foot";
  return metres === 0.3048 ? "foot" : "unknown";
}

type Names = Readonly<Record<string, string>>;

const NATURAL_ORIGIN: Names = {
  lat_0: "Latitude of natural origin",
  lon_0: "Longitude of natural origin",
  k_0: "Scale factor at natural origin",
  x_0: "False easting",
  y_0: "False northing",
  lat_1: "Latitude of 1st standard parallel",
  lat_2: "Latitude of 2nd standard parallel",
  lat_ts: "Latitude of 1st standard parallel",
};
const FALSE_ORIGIN: Names = {
  ...NATURAL_ORIGIN,
  lat_0: "Latitude of false origin",
  lon_0: "Longitude of false origin",
  x_0: "Easting at false origin",
  y_0: "Northing at false origin",
};
const OBLIQUE: Names = {
  lat_0: "Latitude of projection centre",
  lonc: "Longitude of projection centre",
  alpha: "Azimuth at projection centre",
  gamma: "Angle from Rectified to Skew Grid",
  k_0: "Scale factor at projection centre",
  x_0: "False easting",
  y_0: "False northing",
};
const OBLIQUE_CENTRE: Names = { ...OBLIQUE, x_0: "Easting at projection centre", y_0: "Northing at projection centre" };

const KROVAK: Names = {
  ...OBLIQUE,
  lon_0: "Longitude of origin",
  alpha: "Co-latitude of cone axis",
  lat_1: "Latitude of pseudo standard parallel",
  k_0: "Scale factor on pseudo standard parallel",
};

/** EPSG's names of parameters, by the method, where they are not those of a natural origin. */
const PARAMETER_NAMES: Readonly<Record<string, Names>> = {
  "Lambert Conic Conformal (2SP)": FALSE_ORIGIN,
  "Albers Equal Area": FALSE_ORIGIN,
  "Equidistant Conic": FALSE_ORIGIN,
  "Polar Stereographic (variant B)": { ...NATURAL_ORIGIN, lat_ts: "Latitude of standard parallel", lon_0: "Longitude of origin" },
  "Hotine Oblique Mercator (variant A)": OBLIQUE,
  "Hotine Oblique Mercator (variant B)": OBLIQUE_CENTRE,
  "Krovak (North Orientated)": KROVAK,
  Krovak: KROVAK,
};

function methodNameOf({ proj, also, wkt1 }: Method, crs: Crs): string {
  if (proj === "somerc") return "Hotine Oblique Mercator (variant B)";
  if (proj === "krovak" && parseProjString(crs.proj).get("axis") === "swu") return "Krovak";
  return also[0] ?? wkt1;
}

function parameterName(method: string, { proj, wkt1 }: MethodParameter): string {
  return (PARAMETER_NAMES[method] ?? NATURAL_ORIGIN)[proj] ?? wkt1;
}

/** A system with the seven parameters that bring it to WGS 84. */
function bound(system: ProjJson, shift: readonly number[]): ProjJson {
  const second = { type: "AngularUnit", name: "arc-second", conversion_factor: 4.84813681109536e-6 };
  const million = { type: "ScaleUnit", name: "parts per million", conversion_factor: 1e-6 };
  const names = [
    "X-axis translation",
    "Y-axis translation",
    "Z-axis translation",
    "X-axis rotation",
    "Y-axis rotation",
    "Z-axis rotation",
    "Scale difference",
  ];
  const parameters = names.map((name, i) => ({
    name,
    value: shift[i] ?? 0,
    unit: i < 3 ? "metre" : i < 6 ? second : million,
    id: { authority: "EPSG", code: 8605 + i },
  }));
  const method = { name: "Position Vector transformation (geog2D domain)", id: { authority: "EPSG", code: 9606 } };
  return {
    type: "BoundCRS",
    source_crs: system,
    target_crs: { ...geographic("WGS 84", geodeticNames(parseCrs(4326))), id: { authority: "EPSG", code: 4326 } },
    transformation: { name: "Transformation to WGS 84", method, parameters },
  };
}
