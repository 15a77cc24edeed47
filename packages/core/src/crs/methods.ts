/**
 * Map projections under the names that formats give them: PROJ, WKT 1 as GDAL writes it, Esri's WKT, the EPSG method
 * names of WKT 2, and the GeoTIFF code. One table serves reading and writing.
 */

/** One parameter of a projection. */
export interface MethodParameter {
  readonly proj: string;
  readonly wkt1: string;
  readonly esri: string;
  /** Other names, of EPSG and of writers; compared without case, blanks and punctuation. */
  readonly also: readonly string[];
  readonly kind: "angle" | "length" | "scale";
  /** GeoTIFF key. */
  readonly geoKey: number;
  /** Value where the definition has none; 1 for scales and 0 otherwise when left out. */
  readonly fallback?: number;
}

/** One projection. */
export interface Method {
  readonly proj: string;
  readonly wkt1: string;
  readonly esri: string;
  /** EPSG method name first, then aliases. */
  readonly also: readonly string[];
  /** GeoTIFF ProjCoordTransGeoKey, or null where GeoTIFF has none. */
  readonly geoTiff: number | null;
  readonly parameters: readonly MethodParameter[];
  /** Further PROJ parameters that belong to it. */
  readonly fixed?: Readonly<Record<string, string>>;
}

function parameter(
  proj: string,
  kind: MethodParameter["kind"],
  wkt1: string,
  esri: string,
  geoKey: number,
  ...also: string[]
): MethodParameter {
  return { proj, wkt1, esri, also, kind, geoKey };
}

const EASTING = parameter(
  "x_0",
  "length",
  "false_easting",
  "False_Easting",
  3082,
  "Easting at false origin",
  "Easting at projection centre",
);
const NORTHING = parameter(
  "y_0",
  "length",
  "false_northing",
  "False_Northing",
  3083,
  "Northing at false origin",
  "Northing at projection centre",
);
const FALSE_ORIGIN_EASTING = { ...EASTING, geoKey: 3086 };
const FALSE_ORIGIN_NORTHING = { ...NORTHING, geoKey: 3087 };
const CENTRE_EASTING = { ...EASTING, geoKey: 3090 };
const CENTRE_NORTHING = { ...NORTHING, geoKey: 3091 };
const LATITUDE = [
  "Latitude of natural origin",
  "Latitude of false origin",
  "Latitude of projection centre",
  "latitude_of_center",
  "Latitude_Of_Origin",
  "Latitude_Of_Center",
  "Central_Parallel",
];
const LONGITUDE = [
  "Longitude of natural origin",
  "Longitude of false origin",
  "Longitude of projection centre",
  "Longitude of origin",
  "longitude_of_center",
  "Longitude_Of_Center",
  "central_meridian",
  "Longitude_Of_Origin",
];
const LAT_0 = parameter("lat_0", "angle", "latitude_of_origin", "Latitude_Of_Origin", 3081, ...LATITUDE);
const LON_0 = parameter("lon_0", "angle", "central_meridian", "Central_Meridian", 3080, ...LONGITUDE);
const LAT_CENTRE = parameter("lat_0", "angle", "latitude_of_center", "Latitude_Of_Origin", 3089, "latitude_of_origin", ...LATITUDE);
const LON_CENTRE = parameter("lon_0", "angle", "longitude_of_center", "Central_Meridian", 3088, ...LONGITUDE);
const LAT_FALSE = { ...LAT_0, geoKey: 3085 };
const LON_FALSE = { ...LON_0, geoKey: 3084 };
const SCALE = parameter(
  "k_0",
  "scale",
  "scale_factor",
  "Scale_Factor",
  3092,
  "Scale factor at natural origin",
  "Scale factor at projection centre",
  "Scale factor on initial line",
  "Scale factor on pseudo standard parallel",
);
const LAT_1 = parameter("lat_1", "angle", "standard_parallel_1", "Standard_Parallel_1", 3078, "Latitude of 1st standard parallel");
const LAT_2 = parameter("lat_2", "angle", "standard_parallel_2", "Standard_Parallel_2", 3079, "Latitude of 2nd standard parallel");
const TRUE_SCALE = parameter(
  "lat_ts",
  "angle",
  "standard_parallel_1",
  "Standard_Parallel_1",
  3078,
  "Latitude of 1st standard parallel",
  "Latitude of standard parallel",
  "latitude_of_origin",
  "Standard_Parallel",
);
const AZIMUTH = parameter(
  "alpha",
  "angle",
  "azimuth",
  "Azimuth",
  3094,
  "Azimuth of initial line",
  "Azimuth at projection centre",
  "Co-latitude of cone axis",
);
const RECTIFIED = parameter("gamma", "angle", "rectified_grid_angle", "XY_Plane_Rotation", 3096, "Angle from Rectified to Skew Grid");
const PSEUDO_PARALLEL = parameter(
  "lat_1",
  "angle",
  "pseudo_standard_parallel_1",
  "Pseudo_Standard_Parallel_1",
  3078,
  "Latitude of pseudo standard parallel",
);
const LONC = { ...LON_CENTRE, proj: "lonc", esri: "Longitude_Of_Center" };
const HOTINE = [{ ...LAT_CENTRE, esri: "Latitude_Of_Center" }, LONC, AZIMUTH, RECTIFIED, SCALE] as const;

/** Longitude-only world projections: one centre and the false origin. */
function world(proj: string, wkt1: string, esri: string, geoTiff: number | null, ...also: string[]): Method {
  return { proj, wkt1, esri, also, geoTiff, parameters: [{ ...LON_CENTRE, esri: "Central_Meridian", geoKey: 3088 }, EASTING, NORTHING] };
}

/** All projections that are read and written, the more specific before the more general. */
export const METHODS: readonly Method[] = [
  {
    proj: "tmerc",
    wkt1: "Transverse_Mercator_South_Orientated",
    esri: "Transverse_Mercator",
    also: ["Transverse Mercator (South Orientated)"],
    geoTiff: 27,
    parameters: [LAT_0, LON_0, SCALE, EASTING, NORTHING],
    fixed: { axis: "wsu" },
  },
  {
    proj: "tmerc",
    wkt1: "Transverse_Mercator",
    esri: "Transverse_Mercator",
    also: ["Transverse Mercator", "Gauss_Kruger", "Transverse_Mercator_Complex"],
    geoTiff: 1,
    parameters: [LAT_0, LON_0, SCALE, EASTING, NORTHING],
  },
  {
    proj: "lcc",
    wkt1: "Lambert_Conformal_Conic_2SP",
    esri: "Lambert_Conformal_Conic",
    also: ["Lambert Conic Conformal (2SP)"],
    geoTiff: 8,
    parameters: [LAT_FALSE, LON_FALSE, LAT_1, LAT_2, FALSE_ORIGIN_EASTING, FALSE_ORIGIN_NORTHING],
  },
  {
    proj: "lcc",
    wkt1: "Lambert_Conformal_Conic_1SP",
    esri: "Lambert_Conformal_Conic",
    also: ["Lambert Conic Conformal (1SP)"],
    geoTiff: 9,
    parameters: [LAT_0, LON_0, SCALE, EASTING, NORTHING],
  },
  {
    proj: "aea",
    wkt1: "Albers_Conic_Equal_Area",
    esri: "Albers",
    also: ["Albers Equal Area"],
    geoTiff: 11,
    parameters: [{ ...LAT_CENTRE, geoKey: 3081 }, { ...LON_CENTRE, geoKey: 3080 }, LAT_1, LAT_2, EASTING, NORTHING],
  },
  {
    proj: "laea",
    wkt1: "Lambert_Azimuthal_Equal_Area",
    esri: "Lambert_Azimuthal_Equal_Area",
    also: ["Lambert Azimuthal Equal Area", "Lambert Azimuthal Equal Area (Spherical)"],
    geoTiff: 10,
    parameters: [LAT_CENTRE, LON_CENTRE, EASTING, NORTHING],
  },
  {
    proj: "merc",
    wkt1: "Mercator_1SP",
    esri: "Mercator_Auxiliary_Sphere",
    also: ["Popular Visualisation Pseudo Mercator"],
    geoTiff: 7,
    parameters: [LON_0, EASTING, NORTHING],
    fixed: { nadgrids: "@null" },
  },
  {
    proj: "merc",
    wkt1: "Mercator_2SP",
    esri: "Mercator",
    also: ["Mercator (variant B)"],
    geoTiff: 7,
    parameters: [TRUE_SCALE, LON_0, EASTING, NORTHING],
  },
  {
    proj: "merc",
    wkt1: "Mercator_1SP",
    esri: "Mercator_Variant_A",
    also: ["Mercator (variant A)", "Mercator"],
    geoTiff: 7,
    parameters: [LON_0, SCALE, EASTING, NORTHING],
  },
  {
    proj: "stere",
    wkt1: "Polar_Stereographic",
    esri: "Stereographic_North_Pole",
    also: ["Polar Stereographic (variant B)", "Stereographic_South_Pole"],
    geoTiff: 15,
    parameters: [{ ...TRUE_SCALE, wkt1: "latitude_of_origin", geoKey: 3081 }, { ...LON_0, geoKey: 3095 }, SCALE, EASTING, NORTHING],
  },
  {
    proj: "stere",
    wkt1: "Polar_Stereographic",
    esri: "Polar_Stereographic_Variant_A",
    also: ["Polar Stereographic (variant A)"],
    geoTiff: 15,
    parameters: [LAT_0, { ...LON_0, geoKey: 3095 }, SCALE, EASTING, NORTHING],
  },
  {
    proj: "stere",
    wkt1: "Stereographic",
    esri: "Stereographic",
    also: ["Stereographic"],
    geoTiff: 14,
    parameters: [LAT_CENTRE, LON_CENTRE, SCALE, EASTING, NORTHING],
  },
  {
    proj: "sterea",
    wkt1: "Oblique_Stereographic",
    esri: "Double_Stereographic",
    also: ["Oblique Stereographic"],
    geoTiff: 16,
    parameters: [LAT_0, LON_0, SCALE, EASTING, NORTHING],
  },
  {
    proj: "somerc",
    wkt1: "Hotine_Oblique_Mercator_Azimuth_Center",
    esri: "Hotine_Oblique_Mercator_Azimuth_Center",
    also: ["Swiss_Oblique_Cylindrical", "Swiss_Oblique_Mercator"],
    geoTiff: 9815,
    parameters: [...HOTINE, CENTRE_EASTING, CENTRE_NORTHING],
  },
  {
    proj: "omerc",
    wkt1: "Hotine_Oblique_Mercator",
    esri: "Hotine_Oblique_Mercator_Azimuth_Natural_Origin",
    also: ["Hotine Oblique Mercator (variant A)", "Rectified_Skew_Orthomorphic_Natural_Origin"],
    geoTiff: 3,
    parameters: [...HOTINE, EASTING, NORTHING],
    fixed: { no_uoff: "" },
  },
  {
    proj: "omerc",
    wkt1: "Hotine_Oblique_Mercator_Azimuth_Center",
    esri: "Hotine_Oblique_Mercator_Azimuth_Center",
    also: ["Hotine Oblique Mercator (variant B)", "Oblique_Mercator", "Rectified_Skew_Orthomorphic_Center"],
    geoTiff: 9815,
    parameters: [...HOTINE, CENTRE_EASTING, CENTRE_NORTHING],
  },
  {
    proj: "krovak",
    wkt1: "Krovak",
    esri: "Krovak",
    also: ["Krovak (North Orientated)", "Krovak"],
    geoTiff: null,
    parameters: [
      { ...LAT_CENTRE, esri: "Latitude_Of_Center", fallback: 49.5 },
      { ...LON_CENTRE, esri: "Longitude_Of_Center", fallback: 24 + 5 / 6 },
      { ...AZIMUTH, fallback: 30.2881397527778 },
      { ...PSEUDO_PARALLEL, fallback: 78.5 },
      { ...SCALE, fallback: 0.9999 },
      EASTING,
      NORTHING,
    ],
  },
  {
    proj: "cass",
    wkt1: "Cassini_Soldner",
    esri: "Cassini",
    also: ["Cassini-Soldner"],
    geoTiff: 18,
    parameters: [LAT_0, LON_0, EASTING, NORTHING],
  },
  {
    proj: "poly",
    wkt1: "Polyconic",
    esri: "Polyconic",
    also: ["American Polyconic"],
    geoTiff: 22,
    parameters: [LAT_0, LON_0, EASTING, NORTHING],
  },
  {
    proj: "eqc",
    wkt1: "Equirectangular",
    esri: "Equidistant_Cylindrical",
    also: ["Equidistant Cylindrical", "Equidistant Cylindrical (Spherical)", "Plate_Carree"],
    geoTiff: 17,
    parameters: [{ ...TRUE_SCALE, also: ["Latitude of 1st standard parallel"] }, LAT_CENTRE, LON_CENTRE, EASTING, NORTHING],
  },
  {
    proj: "eqdc",
    wkt1: "Equidistant_Conic",
    esri: "Equidistant_Conic",
    also: ["Equidistant Conic"],
    geoTiff: 13,
    parameters: [{ ...LAT_CENTRE, geoKey: 3081 }, { ...LON_CENTRE, geoKey: 3080 }, LAT_1, LAT_2, EASTING, NORTHING],
  },
  {
    proj: "aeqd",
    wkt1: "Azimuthal_Equidistant",
    esri: "Azimuthal_Equidistant",
    also: ["Azimuthal Equidistant", "Modified Azimuthal Equidistant"],
    geoTiff: 12,
    parameters: [LAT_CENTRE, LON_CENTRE, EASTING, NORTHING],
  },
  {
    proj: "cea",
    wkt1: "Cylindrical_Equal_Area",
    esri: "Cylindrical_Equal_Area",
    also: ["Lambert Cylindrical Equal Area", "Behrmann"],
    geoTiff: 28,
    parameters: [TRUE_SCALE, LON_0, EASTING, NORTHING],
  },
  { proj: "gnom", wkt1: "Gnomonic", esri: "Gnomonic", also: ["Gnomonic"], geoTiff: 19, parameters: [LAT_0, LON_0, EASTING, NORTHING] },
  {
    proj: "ortho",
    wkt1: "Orthographic",
    esri: "Orthographic",
    also: ["Orthographic"],
    geoTiff: 21,
    parameters: [LAT_0, LON_0, EASTING, NORTHING],
  },
  {
    proj: "nzmg",
    wkt1: "New_Zealand_Map_Grid",
    esri: "New_Zealand_Map_Grid",
    also: ["New Zealand Map Grid"],
    geoTiff: 26,
    parameters: [LAT_0, LON_0, EASTING, NORTHING],
  },
  world("sinu", "Sinusoidal", "Sinusoidal", 24, "Sinusoidal"),
  world("moll", "Mollweide", "Mollweide", null, "Mollweide"),
  world("robin", "Robinson", "Robinson", 23, "Robinson"),
  world("mill", "Miller_Cylindrical", "Miller_Cylindrical", 20, "Miller Cylindrical"),
  world("vandg", "VanDerGrinten", "Van_der_Grinten_I", 25, "Van Der Grinten"),
  world("eqearth", "Equal_Earth", "Equal_Earth", null, "Equal Earth"),
];

/** A name without case, blanks and punctuation, as names are compared. */
export function plainName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll("+", "plus") // CH1903+ is not CH1903
    .replaceAll(/[^a-z0-9]/g, "");
}
