/** The binary geometry of a GeoPackage: a header with envelope, then WKB (OGC 12-128r18, 2.1.3). */

import type { Geometry } from "geojson";

import { GeoLearnError } from "../errors.ts";
import { geometryBounds } from "./bounds.ts";
import { readWkb, writeWkb } from "./wkb.ts";

/** Bytes of the envelope by its code in the flags. */
const ENVELOPE_BYTES = [0, 32, 48, 48, 64];

/** @throws FEATURES_CORRUPT, GEOMETRY_INVALID, UNSUPPORTED_FORMAT; `where` names the feature */
export function readGeometryBlob(blob: Uint8Array, where: string): Geometry | null {
  if (blob.length < 8 || blob[0] !== 0x47 || blob[1] !== 0x50) return corrupt(where, "its geometry does not begin with GP");
  const flags = blob[3]!;
  if ((flags & 0x20) !== 0) return corrupt(where, "its geometry has an extended type, which only the software that wrote it reads");
  const envelope = ENVELOPE_BYTES[(flags >> 1) & 7];
  if (envelope === undefined) return corrupt(where, "its envelope has an unknown form");
  if (blob.length < 8 + envelope) return corrupt(where, "its geometry ends early");
  if ((flags & 0x10) !== 0) return null; // empty
  return readWkb(blob.subarray(8 + envelope), where);
}

/** Writes version 1, little-endian, with an xy envelope except for points. */
export function writeGeometryBlob(geometry: Geometry, srsId: number): Uint8Array {
  const wkb = writeWkb(geometry);
  const bounds = geometryBounds(geometry);
  const envelope = bounds !== null && geometry.type !== "Point";
  const blob = new Uint8Array(8 + (envelope ? 32 : 0) + wkb.length);
  const view = new DataView(blob.buffer);
  blob[0] = 0x47;
  blob[1] = 0x50;
  blob[3] = 1 | (envelope ? 2 : 0) | (bounds === null ? 0x10 : 0);
  view.setInt32(4, srsId, true);
  if (envelope) {
    view.setFloat64(8, bounds[0], true);
    view.setFloat64(16, bounds[2], true);
    view.setFloat64(24, bounds[1], true);
    view.setFloat64(32, bounds[3], true);
  }
  blob.set(wkb, blob.length - wkb.length);
  return blob;
}

function corrupt(where: string, reason: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${where}: ${reason}.`, {
    hint: "Export the layer again from its source, or recover it with ogr2ogr out.gpkg in.gpkg.",
    data: { where },
  });
}
