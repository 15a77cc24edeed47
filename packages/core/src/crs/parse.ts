/** From what a user or a file says to a {@link Crs}. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { epsgDefinition } from "./epsg.ts";
import { crsFromWkt } from "./from-wkt.ts";
import { formatProjString, isGeographicProj, linearUnit, parseProjString } from "./proj-string.ts";
import { projection } from "./projection.ts";

/**
 * The reference system meant by an EPSG code (`32633`, `"EPSG:32633"`, `"epsg 32633"`, an OGC URN or URL), a PROJ
 * string, a WKT (1, 2 or ESRI's), or a {@link Crs}, which is given back as it is. Coordinates are always x, y.
 *
 * @throws CRS_UNKNOWN when nothing known is named
 * @example
 * const utm = parseCrs(32633);
 * parseCrs("EPSG:3857").metresPerUnit; // 1, although a metre there is not a metre on the ground
 */
export function parseCrs(input: number | string | Crs): Crs {
  if (typeof input === "number") return crsFromEpsg(input);
  if (typeof input !== "string") return input;
  const text = input.trim();
  if (/^\+|\+proj\s*=/.test(text)) return crsFromProjString(text);
  if (/^[A-Za-z_0-9]+\s*[[(]/.test(text)) return crsFromWkt(text);
  if (/^(OGC:|urn:ogc:def:crs:OGC:[\d.]*:)?CRS:?84$/i.test(text)) return crsFromEpsg(4326);
  const esri = /^ESRI\s*[:\s]\s*(\d{4,6})$/i.exec(text);
  if (esri !== null) return crsFromEpsg(`ESRI:${esri[1]}`);
  const code = /^(?:EPSG\s*[:\s]\s*|urn:ogc:def:crs:EPSG:[\d.]*:|https?:\/\/www\.opengis\.net\/def\/crs\/EPSG\/[\d.]+\/)?(\d{4,6})$/i.exec(
    text,
  );
  if (code !== null) return crsFromEpsg(Number(code[1]));
  throw new GeoLearnError("CRS_UNKNOWN", `"${text.slice(0, 200)}" is no reference system that is known here.`, {
    hint: 'Give an EPSG code such as 32633 or "EPSG:32633", a PROJ string or a WKT.',
  });
}

/** The system of an EPSG code or of `"ESRI:54009"`. @throws CRS_UNKNOWN when the offline table has no such code */
function crsFromEpsg(code: number | string): Crs {
  const definition = epsgDefinition(code);
  if (definition === null) {
    throw new GeoLearnError(
      "CRS_UNKNOWN",
      `${typeof code === "number" ? `EPSG:${code}` : code} is not in the offline table of reference systems.`,
      {
        hint: "Give its PROJ string or WKT instead (projinfo EPSG:<code>).",
        data: { code },
      },
    );
  }
  const parameters = parseProjString(definition.proj);
  const geographic = isGeographicProj(parameters);
  return {
    epsg: typeof code === "number" ? code : null,
    name: definition.name,
    proj: definition.proj,
    wkt: null,
    geographic,
    metresPerUnit: geographic ? 1 : linearUnit(parameters),
  };
}

/** The system of a PROJ string. */
function crsFromProjString(text: string): Crs {
  const parameters = parseProjString(text);
  const init = parameters.get("init");
  if (init !== undefined) return parseCrs(init);
  const geographic = isGeographicProj(parameters);
  const crs: Crs = {
    epsg: null,
    name: parameters.get("title") ?? `custom ${parameters.get("proj") ?? ""}`,
    proj: formatProjString(parameters),
    wkt: null,
    geographic,
    metresPerUnit: geographic ? 1 : linearUnit(parameters),
  };
  projection(crs); // refuses at once what could never be used
  return crs;
}
