/** The offline table of EPSG reference systems. */

import list from "proj4-list";

/** What the table says of a code. */
export interface EpsgDefinition {
  readonly name: string;
  /** PROJ string, with the shift to WGS 84 where one is published. */
  readonly proj: string;
}

/** Definition of an EPSG code, or null when the table has none. */
export function epsgDefinition(code: number): EpsgDefinition | null {
  const key = `EPSG:${code}`;
  const entry = Object.hasOwn(list, key) ? list[key] : undefined;
  return entry === undefined ? null : { name: key, proj: entry[1].trim() };
}
