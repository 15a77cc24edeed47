/** The geographic system under a {@link Crs}, as formats want it named. */

import type { Crs } from "./crs.ts";
import { datumOf } from "./datum.ts";
import { type DatumDefinition, datumDefinition } from "./datum-definition.ts";
import { geographicEntry } from "./epsg.ts";
import { parseProjString } from "./proj-string.ts";

/** Names and numbers of a geographic system. */
export interface GeodeticNames extends DatumDefinition {
  readonly esriName: string;
  readonly esriDatum: string;
  /** True when its own unit is the degree; a few old French systems count in grads. */
  readonly inDegrees: boolean;
}

/** Describes the geographic system of `crs`. */
export function geodeticNames(crs: Crs): GeodeticNames {
  const definition = datumDefinition(parseProjString(crs.proj));
  const { code } = datumOf(crs);
  const entry = code === null ? null : geographicEntry(code);
  if (entry === null) {
    const plain = definition.name.replaceAll(/[^A-Za-z0-9]+/g, "_");
    return { ...definition, epsg: null, esriName: `GCS_${plain}`, esriDatum: `D_${definition.datumName}`, inDegrees: true };
  }
  const inDegrees = !entry.datum.includes("unit=");
  const { name, datumName, esriName, esriDatum } = entry;
  return { ...definition, epsg: code, name, datumName, esriName, esriDatum, inDegrees };
}
