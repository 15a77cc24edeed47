/** Ellipsoids by their PROJ names: semi-major axis in metres, inverse flattening (0 for a sphere), WKT name, EPSG code. */

/** One ellipsoid. */
export interface Ellipsoid {
  readonly a: number;
  readonly inverseFlattening: number;
  readonly name: string;
  readonly epsg: number | null;
}

function ellipsoid(a: number, inverseFlattening: number, name: string, epsg: number | null = null): Ellipsoid {
  return { a, inverseFlattening, name, epsg };
}

function axes(a: number, b: number, name: string, epsg: number | null = null): Ellipsoid {
  return ellipsoid(a, a === b ? 0 : a / (a - b), name, epsg);
}

/** The ellipsoids that PROJ strings of the offline table and of common files use. */
export const ELLIPSOIDS: Readonly<Record<string, Ellipsoid>> = {
  WGS84: ellipsoid(6378137, 298.257223563, "WGS 84", 7030),
  GRS80: ellipsoid(6378137, 298.257222101, "GRS 1980", 7019),
  WGS72: ellipsoid(6378135, 298.26, "WGS 72", 7043),
  WGS66: ellipsoid(6378145, 298.25, "WGS 66", 7025),
  GRS67: ellipsoid(6378160, 298.247167427, "GRS 1967", 7036),
  aust_SA: ellipsoid(6378160, 298.25, "Australian National Spheroid", 7003),
  airy: ellipsoid(6377563.396, 299.3249646, "Airy 1830", 7001),
  mod_airy: axes(6377340.189, 6356034.446, "Airy Modified 1849", 7002),
  bessel: ellipsoid(6377397.155, 299.1528128, "Bessel 1841", 7004),
  bess_nam: ellipsoid(6377483.865, 299.1528128, "Bessel Namibia (GLM)", 7046),
  clrk58: axes(6378293.645208759, 6356617.987679838, "Clarke 1858", 7007),
  clrk66: axes(6378206.4, 6356583.8, "Clarke 1866", 7008),
  clrk80: ellipsoid(6378249.145, 293.4663, "Clarke 1880 (RGS)", 7012),
  clrk80ign: axes(6378249.2, 6356515, "Clarke 1880 (IGN)", 7011),
  danish: ellipsoid(6377019.2563, 300, "Danish 1876", 7051),
  evrst30: ellipsoid(6377276.345, 300.8017, "Everest 1830 (1937 Adjustment)", 7015),
  evrst48: ellipsoid(6377304.063, 300.8017, "Everest 1830 Modified", 7018),
  evrst56: ellipsoid(6377301.243, 300.8017, "Everest 1830 (1962 Definition)", 7044),
  evrst69: ellipsoid(6377295.664, 300.8017, "Everest 1830 (RSO 1969)", 7056),
  evrstSS: ellipsoid(6377298.556, 300.8017, "Everest 1830 (1967 Definition)", 7016),
  fschr60: ellipsoid(6378166, 298.3, "Fischer 1960"),
  helmert: ellipsoid(6378200, 298.3, "Helmert 1906", 7020),
  intl: ellipsoid(6378388, 297, "International 1924", 7022),
  krass: ellipsoid(6378245, 298.3, "Krassowsky 1940", 7024),
  mars: ellipsoid(3396190, 169.894447224, "Mars 2000"),
  new_intl: axes(6378157.5, 6356772.2, "New International 1967"),
  plessis: axes(6376523, 6355863, "Plessis 1817", 7027),
  PZ90: ellipsoid(6378136, 298.25784, "PZ-90", 7054),
  sphere: ellipsoid(6370997, 0, "Normal sphere"),
  IAU76: ellipsoid(6378140, 298.257, "IAG 1975", 7049),
  GSK2011: ellipsoid(6378136.5, 298.2564151, "GSK-2011", 1025),
  NWL9D: ellipsoid(6378145, 298.25, "NWL 9D", 7025),
  hough: ellipsoid(6378270, 297, "Hough 1960", 7053),
  fschr60m: ellipsoid(6378155, 298.3, "Modified Fischer 1960"),
  fschr68: ellipsoid(6378150, 298.3, "Fischer 1968"),
  MERIT: ellipsoid(6378137, 298.257, "MERIT 1983"),
  SGS85: ellipsoid(6378136, 298.257, "SGS 85"),
  SEasia: axes(6378155, 6356773.3205, "Southeast Asia"),
  WGS60: ellipsoid(6378165, 298.3, "WGS 60"),
  walbeck: axes(6376896, 6355834.8467, "Walbeck"),
};
