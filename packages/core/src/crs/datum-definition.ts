/** What the datum part of a PROJ string means: ellipsoid, prime meridian, shift, and the EPSG code where it has one. */

import { GeoLearnError } from "../errors.ts";
import { ELLIPSOIDS, type Ellipsoid } from "./ellipsoids.ts";
import type { ProjParameters } from "./proj-string.ts";

/** A geodetic datum. */
export interface DatumDefinition {
  /** EPSG code of the geographic system, or null. */
  readonly epsg: number | null;
  /** Name of the geographic system. */
  readonly name: string;
  readonly datumName: string;
  readonly ellipsoidName: string;
  /** Semi-major axis in metres. */
  readonly a: number;
  /** 0 for a sphere. */
  readonly inverseFlattening: number;
  /** Degrees east of Greenwich. */
  readonly meridian: number;
  /** Seven parameters to WGS 84 as `+towgs84` gives them, or null when none are known. */
  readonly shift: readonly number[] | null;
}

interface NamedDatum {
  readonly epsg: number;
  readonly name: string;
  readonly datumName: string;
  readonly ellipsoid: string;
  readonly shift: readonly number[] | null;
}

const NAMED: Readonly<Record<string, NamedDatum>> = {
  WGS84: { epsg: 4326, name: "WGS 84", datumName: "WGS_1984", ellipsoid: "WGS84", shift: [0, 0, 0, 0, 0, 0, 0] },
  NAD83: { epsg: 4269, name: "NAD83", datumName: "North_American_Datum_1983", ellipsoid: "GRS80", shift: [0, 0, 0, 0, 0, 0, 0] },
  NAD27: { epsg: 4267, name: "NAD27", datumName: "North_American_Datum_1927", ellipsoid: "clrk66", shift: null },
};

/** Degrees of PROJ's named prime meridians. */
const MERIDIANS: Readonly<Record<string, number>> = {
  greenwich: 0,
  lisbon: -(9 + 7 / 60 + 54.862 / 3600),
  paris: 2 + 20 / 60 + 14.025 / 3600,
  bogota: -(74 + 4 / 60 + 51.3 / 3600),
  madrid: -(3 + 41 / 60 + 14.55 / 3600),
  rome: 12 + 27 / 60 + 8.4 / 3600,
  bern: 7 + 26 / 60 + 22.5 / 3600,
  jakarta: 106 + 48 / 60 + 27.79 / 3600,
  ferro: -(17 + 40 / 60),
  brussels: 4 + 22 / 60 + 4.71 / 3600,
  stockholm: 18 + 3 / 60 + 29.8 / 3600,
  athens: 23 + 42 / 60 + 58.815 / 3600,
  oslo: 10 + 43 / 60 + 22.5 / 3600,
};

/** Reads the datum of a PROJ string. @throws CRS_UNKNOWN when its ellipsoid is not defined */
export function datumDefinition(parameters: ProjParameters): DatumDefinition {
  const given = parameters.get("datum");
  const named = given === undefined ? undefined : NAMED[given.toUpperCase()];
  const meridian = primeMeridian(parameters.get("pm"));
  const webMercator = parameters.get("nadgrids") === "@null";
  if (webMercator) return fromNamed(NAMED["WGS84"]!, meridian);
  if (named !== undefined) return fromNamed(named, meridian);
  const ellipsoid = ellipsoidOf(parameters);
  const shift = parameters.get("towgs84")?.split(",").map(Number) ?? null;
  if (shift?.every((value) => value === 0) === true && ellipsoid.epsg === 7030) return fromNamed(NAMED["WGS84"]!, meridian);
  return {
    epsg: null,
    name: `Unknown datum based upon the ${ellipsoid.name} ellipsoid`,
    datumName: `Not_specified_based_on_${ellipsoid.name.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
    ellipsoidName: ellipsoid.name,
    a: ellipsoid.a,
    inverseFlattening: ellipsoid.inverseFlattening,
    meridian,
    shift: shift === null ? null : [...shift, 0, 0, 0, 0].slice(0, 7),
  };
}

function fromNamed({ epsg, name, datumName, ellipsoid, shift }: NamedDatum, meridian: number): DatumDefinition {
  const { a, inverseFlattening, name: ellipsoidName } = ELLIPSOIDS[ellipsoid]!;
  return { epsg: meridian === 0 ? epsg : null, name, datumName, ellipsoidName, a, inverseFlattening, meridian, shift };
}

/** The ellipsoid of a definition; WGS 84 when it names none, as in PROJ. @throws CRS_UNKNOWN */
export function ellipsoidOf(parameters: ProjParameters): Ellipsoid {
  const radius = parameters.get("r");
  if (radius !== undefined) return custom(Number(radius), 0);
  const name = parameters.get("ellps");
  if (name !== undefined) {
    const known = Object.entries(ELLIPSOIDS).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
    if (known !== undefined) return known;
    throw new GeoLearnError("CRS_UNKNOWN", `The ellipsoid +ellps=${name} is not known.`, { hint: "Give its axes as +a= and +rf=." });
  }
  const a = parameters.get("a");
  if (a === undefined) return ELLIPSOIDS["WGS84"]!;
  return custom(Number(a), inverseFlattening(parameters, Number(a)));
}

function inverseFlattening(parameters: ProjParameters, a: number): number {
  const rf = parameters.get("rf");
  if (rf !== undefined) return Number(rf);
  const f = parameters.get("f");
  if (f !== undefined) return Number(f) === 0 ? 0 : 1 / Number(f);
  const b = Number(parameters.get("b") ?? a);
  return b === a ? 0 : a / (a - b);
}

function custom(a: number, rf: number): Ellipsoid {
  if (!(a > 1000) || !Number.isFinite(a) || !Number.isFinite(rf) || rf < 0) {
    throw new GeoLearnError("CRS_UNKNOWN", `An ellipsoid with axis ${a} m and inverse flattening ${rf} is impossible.`, {
      hint: "Check the definition, or name an EPSG code yourself.",
    });
  }
  const known = Object.values(ELLIPSOIDS).find((one) => Math.abs(one.a - a) < 1e-4 && Math.abs(one.inverseFlattening - rf) < 1e-6);
  return known ?? { a, inverseFlattening: rf, name: rf === 0 ? `Sphere of ${a} m` : `Ellipsoid ${a} ${rf}`, epsg: null };
}

function primeMeridian(value: string | undefined): number {
  if (value === undefined) return 0;
  const degrees = MERIDIANS[value.toLowerCase()] ?? Number(value);
  if (Number.isFinite(degrees)) return degrees;
  throw new GeoLearnError("CRS_UNKNOWN", `The prime meridian +pm=${value} is not known.`, { hint: "Give its degrees east of Greenwich." });
}
