/** Reference systems of the table by what they are, for files that name no code. */

import { datumDefinition } from "./datum-definition.ts";
import { type GeographicEntry, type ProjectedEntry, epsgDefinition, geographicEntries, geographicEntry, projectedEntries } from "./epsg.ts";
import { plainName } from "./methods.ts";
import { datumParameters, parseProjString } from "./proj-string.ts";
import { canonicalProj } from "./same-crs.ts";

/** What a file says of its geographic system. */
export interface GeographicDescription {
  readonly name: string;
  readonly datum: string;
  readonly a: number;
  /** 0 for a sphere. */
  readonly inverseFlattening: number;
  /** Degrees east of Greenwich. */
  readonly meridian: number;
}

/** The EPSG code of the geographic system with this name, or this datum, on this ellipsoid; null when none fits. */
export function findGeographic(wanted: GeographicDescription): number | null {
  const name = plainName(wanted.name);
  const datum = plainName(wanted.datum).replace(/ensemble$/, "");
  let byDatum: number | null = null;
  for (const entry of geographicEntries()) {
    const named = plainName(entry.name) === name || plainName(entry.esriName) === name;
    const sameDatum = datumNames(entry).includes(datum) || (datum === "worldgeodeticsystem1984" && entry.code === 4326);
    if ((!named && (byDatum !== null || !sameDatum)) || !fits(entry, wanted)) continue;
    if (named) return entry.code;
    byDatum = entry.code;
  }
  return byDatum;
}

function datumNames({ datumName, esriDatum }: GeographicEntry): string[] {
  return [plainName(datumName), plainName(esriDatum), plainName(esriDatum.replace(/^D_/, ""))];
}

function fits({ datum }: GeographicEntry, wanted: GeographicDescription): boolean {
  const { a, inverseFlattening, meridian } = datumDefinition(
    datumParameters(parseProjString(`+proj=longlat +${datum.replaceAll(" ", " +")}`)),
  );
  return (
    Math.abs(a - wanted.a) < 0.01 &&
    Math.abs(inverseFlattening - wanted.inverseFlattening) < 1e-3 &&
    Math.abs(meridian - wanted.meridian) < 1e-6
  );
}

/** PROJ parameters of the datum of a geographic code, or null. */
export function baseDatum(code: number): ReadonlyMap<string, string> | null {
  const definition = epsgDefinition(code);
  if (definition !== null && definition.base === code) return datumParameters(parseProjString(definition.proj));
  const entry = geographicEntry(code);
  return entry === null
    ? null
    : datumParameters(parseProjString(`+proj=longlat +${entry.datum.replace(/ unit=.*/, "").replaceAll(" ", " +")}`));
}

/**
 * The projected system of the table with the definition `proj`; of several the one with this name, else the first with
 * its axes in the order east, north.
 */
export function findProjected(name: string, proj: string, base: number | null): ProjectedEntry | null {
  const wanted = canonicalProj(proj);
  const plain = plainName(name);
  let best: ProjectedEntry | null = null;
  for (const entry of projectedEntries()) {
    if (base === null ? !entry.projection.includes("nadgrids=@null") : entry.base !== base) continue;
    if (canonicalProj(epsgDefinition(entry.code)!.proj) !== wanted) continue;
    if (sameName(entry, plain)) return entry;
    if (best === null || (/\)$/.test(best.name) && !/\)$/.test(entry.name))) best = entry;
  }
  return best;
}

function sameName({ name, base }: ProjectedEntry, plain: string): boolean {
  const [, rest = name] = name.split(" / ");
  const esri = geographicEntry(base)?.esriName.replace(/^GCS_/, "") ?? "";
  return plainName(name) === plain || plainName(`${esri}_${rest}`) === plain;
}
