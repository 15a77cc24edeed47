/** Where chips lie, in one plane that they all share, so that overlap can be measured. */

import {
  applyAffine,
  type Bounds,
  createTransformer,
  type Crs,
  crsFromWkt,
  geographicCrs,
  gridBounds,
  parseCrs,
  sameCrs,
} from "@geolearn/core";

import type { ChipRecord } from "../chips/chip-record.ts";

/** Metres per degree of latitude on the sphere of radius 6371008.8 m; good enough to place blocks. */
const METRES_PER_DEGREE = 111195.08;

/**
 * Bounds per chip in a common plane, or null when a chip has no position. Chips of one reference system keep its units;
 * several systems meet in metres around their common middle.
 */
export function chipFootprints(records: readonly ChipRecord[], width: number, height: number): Bounds[] | null {
  const transforms = records.map(({ transform }) => transform);
  if (transforms.some((transform) => transform === null)) return null;
  const own = transforms.map((transform) => gridBounds(transform!, width, height));
  const systems = systemsOf(records);
  if (systems === null) return records.every(({ crs }) => crs === null) ? own : null;
  const [first] = systems;
  if (systems.every((crs) => crs === first || sameCrs(crs, first!))) return own;

  const geographic = records.map((_, i) => {
    const toDegrees = createTransformer(systems[i]!, geographicCrs(systems[i]!));
    const corners = [
      [0, 0],
      [width, 0],
      [0, height],
      [width, height],
    ].map(([col, row]) => {
      const [x, y] = applyAffine(transforms[i]!, col!, row!);
      return toDegrees(x, y);
    });
    return corners;
  });
  const latitudes = geographic.flat().map(([, latitude]) => latitude);
  const middle = latitudes.reduce((sum, latitude) => sum + latitude, 0) / latitudes.length;
  const perLongitude = METRES_PER_DEGREE * Math.cos((middle * Math.PI) / 180);
  return geographic.map((corners) => {
    const xs = corners.map(([longitude]) => longitude * perLongitude);
    const ys = corners.map(([, latitude]) => latitude * METRES_PER_DEGREE);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  });
}

/** The system of each chip, equal texts parsed once; null when a chip has none. */
function systemsOf(records: readonly ChipRecord[]): Crs[] | null {
  const parsed = new Map<string, Crs>();
  const systems: Crs[] = [];
  for (const { crs } of records) {
    if (crs === null) return null;
    let system = parsed.get(crs);
    if (system === undefined) {
      system = readCrsText(crs);
      parsed.set(crs, system);
    }
    systems.push(system);
  }
  return systems;
}

/** A reference system from the text a chip folder keeps. */
export function readCrsText(text: string): Crs {
  return /^(EPSG|ESRI):\d+$/i.test(text) || text.startsWith("+") ? parseCrs(text) : crsFromWkt(text);
}

/** The text a chip folder keeps: the code where there is one. */
export function crsText(crs: Crs | null): string | null {
  if (crs === null) return null;
  return crs.epsg === null ? (crs.wkt ?? crs.proj) : `EPSG:${crs.epsg}`;
}
