/** The offline table of reference systems: EPSG's, and the projected ones of Esri that stand on EPSG datums. */

import { GEOGRAPHIC, PROJECTED, SHIFTS } from "./epsg-data.ts";

/** A geographic system of the table. */
export interface GeographicEntry {
  readonly code: number;
  readonly name: string;
  /** Name of the datum in WKT 1. */
  readonly datumName: string;
  readonly esriName: string;
  readonly esriDatum: string;
  /** PROJ parameters of ellipsoid and meridian, e.g. `"ellps=bessel"`. */
  readonly datum: string;
}

/** A projected system of the table. */
export interface ProjectedEntry {
  /** EPSG code, or `"ESRI:54009"`. */
  readonly code: number | string;
  readonly name: string;
  /** EPSG code of the geographic system underneath. */
  readonly base: number;
  /** PROJ parameters without `proj=`, e.g. `"utm zone=33"`. */
  readonly projection: string;
  /** EPSG's axes in their order, where they are not those of PROJ's string; see {@link ProjectedAxis}. */
  readonly axes: readonly ProjectedAxis[] | null;
}

/** An axis as EPSG defines it; around a pole easting and northing both run north or south, along a meridian each. */
export interface ProjectedAxis {
  readonly along: "east" | "north";
  readonly direction: "east" | "north" | "south";
  /** Degrees, or null away from the poles. */
  readonly meridian: number | null;
}

/** A published way from a datum to WGS 84. */
export interface Shift {
  /** Metres. */
  readonly accuracy: number;
  /** West, south, east, north in degrees; west may be greater than east across 180 degrees. */
  readonly area: readonly [number, number, number, number];
  readonly offshore: boolean;
  /** Seven parameters as `+towgs84` has them, `null` for no shift at all; a grid's name where it takes a grid. */
  readonly parameters: readonly number[] | null;
  readonly grid: string | null;
}

/** What the table says of a code. */
export interface EpsgDefinition {
  readonly name: string;
  /** EPSG code of the geographic system underneath, or its own. */
  readonly base: number;
  /** PROJ string, with the shift to WGS 84 that covers most of its area where one is published. */
  readonly proj: string;
}

/** Definition of `4326` or `"ESRI:54009"`, or null when the table has no such code. */
export function epsgDefinition(code: number | string): EpsgDefinition | null {
  const { geographic, projected } = tables();
  const own = typeof code === "number" ? geographic.get(code) : undefined;
  if (own !== undefined && /\bunit=/.test(own.datum)) return null; // in grads
  if (own !== undefined) return { name: own.name, base: own.code, proj: `+proj=longlat ${plus(datumText(own))} +no_defs` };
  const entry = projected.get(String(code));
  const base = entry === undefined ? undefined : geographic.get(entry.base);
  if (entry === undefined || base === undefined) return null;
  const units = /(^| )(units|to_meter)=/.test(entry.projection) ? "" : " +units=m";
  // web mercator is computed on a sphere and has no shift
  const datum = entry.projection.includes("nadgrids=@null") ? "a=6378137 b=6378137" : datumText(base);
  return { name: entry.name, base: base.code, proj: `+proj=${plus(entry.projection).slice(1)} ${plus(datum)}${units} +no_defs` };
}

/** The geographic system of a code, or null. */
export function geographicEntry(code: number): GeographicEntry | null {
  return tables().geographic.get(code) ?? null;
}

/** All geographic systems. */
export function geographicEntries(): Iterable<GeographicEntry> {
  return tables().geographic.values();
}

/** The projected system of a code, or null. */
export function projectedEntry(code: number): ProjectedEntry | null {
  return tables().projected.get(String(code)) ?? null;
}

/** All projected systems. */
export function projectedEntries(): Iterable<ProjectedEntry> {
  return tables().projected.values();
}

/** Ways from a geographic system to WGS 84, in the order of preference; empty when none is published. */
export function publishedShifts(base: number): readonly Shift[] {
  return tables().shifts.get(base) ?? [];
}

function datumText({ code, datum: given }: GeographicEntry): string {
  const datum = given.replace(/ unit=.*/, "");
  if (datum.startsWith("datum=")) return datum;
  const shift = publishedShifts(code).find(({ grid, offshore }) => grid === null && !offshore);
  return shift === undefined ? datum : `${datum} towgs84=${(shift.parameters ?? [0, 0, 0, 0, 0, 0, 0]).join(",")}`;
}

function plus(text: string): string {
  return text
    .split(" ")
    .map((item) => `+${item}`)
    .join(" ");
}

interface Tables {
  readonly geographic: ReadonlyMap<number, GeographicEntry>;
  readonly projected: ReadonlyMap<string, ProjectedEntry>;
  readonly shifts: ReadonlyMap<number, readonly Shift[]>;
}

let parsed: Tables | null = null;

/** Parsed on first use, which takes some milliseconds. */
function tables(): Tables {
  parsed ??= { geographic: readGeographic(), projected: readProjected(), shifts: readShifts() };
  return parsed;
}

function readGeographic(): Map<number, GeographicEntry> {
  const entries = new Map<number, GeographicEntry>();
  for (const [code, name, datumName, esriName, esriDatum, datum] of lines(GEOGRAPHIC)) {
    entries.set(Number(code), {
      code: Number(code),
      name: name!,
      datumName: datumName!,
      esriName: esriName!,
      esriDatum: esriDatum!,
      datum: datum!,
    });
  }
  return entries;
}

function readProjected(): Map<string, ProjectedEntry> {
  const entries = new Map<string, ProjectedEntry>();
  for (const [code, name, base, projection, axes] of lines(PROJECTED)) {
    entries.set(code!, {
      code: code!.startsWith("ESRI:") ? code! : Number(code),
      name: name!,
      base: Number(base),
      projection: projection!,
      axes: axes === undefined ? null : readAxes(axes),
    });
  }
  return entries;
}

/** `ne`, or `E:north 90,N:north 180`. */
function readAxes(text: string): ProjectedAxis[] {
  if (text === "ne") return [NORTH, EAST];
  return text.split(",").map((axis) => {
    const [name, direction, meridian] = axis.split(/[: ]/);
    return { along: name === "E" ? "east" : "north", direction: direction === "north" ? "north" : "south", meridian: Number(meridian) };
  });
}

const NORTH: ProjectedAxis = { along: "north", direction: "north", meridian: null };
const EAST: ProjectedAxis = { along: "east", direction: "east", meridian: null };

function readShifts(): Map<number, Shift[]> {
  const found = new Map<number, Shift[]>();
  for (const [code, accuracy, area, value] of lines(SHIFTS)) {
    const [west, south, east, north, offshore] = area!.split(",");
    const numbers = /^-?[\d.]+(e-?\d+)?(,|$)/.test(value!) ? value!.split(",").map(Number) : null;
    const shift: Shift = {
      accuracy: Number(accuracy),
      area: [Number(west), Number(south), Number(east), Number(north)],
      offshore: offshore !== undefined,
      parameters: numbers === null || value === "0" ? null : [...numbers, 0, 0, 0, 0].slice(0, 7),
      grid: numbers === null ? value! : null,
    };
    const list = found.get(Number(code));
    if (list === undefined) found.set(Number(code), [shift]);
    else list.push(shift);
  }
  return found;
}

function* lines(table: string): Generator<string[]> {
  for (const line of table.split("\n")) if (line !== "") yield line.split("|");
}
