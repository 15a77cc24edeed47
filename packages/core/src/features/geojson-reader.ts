/** GeoJSON (RFC 7946, and the `crs` member of its 2008 ancestor) and newline-delimited GeoJSON as streams. */

import { parseCrs } from "../crs/parse.ts";
import type { Crs } from "../crs/crs.ts";
import { GeoLearnError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { featureFromJson, geometryFromJson, isRecord } from "./feature-value.ts";
import type { Feature, FeatureStream } from "./features.ts";
import { type GeoJsonPart, GeoJsonScanner } from "./geojson-scanner.ts";
import { forEachPosition } from "./positions.ts";

/** Bytes at the end of a file in which a `crs` member behind the features is looked for. */
const TAIL = 64 * 1024;

/** Options the GeoJSON readers take. */
export interface GeoJsonReadOptions {
  /** The system of the coordinates, whatever the file says. */
  readonly crs?: Crs | null | undefined;
}

/** @throws FEATURES_CORRUPT, GEOMETRY_INVALID, CRS_UNKNOWN; CRS_MISSING when the coordinates are no longitudes and latitudes though nothing says otherwise */
export async function openGeoJson(source: ByteSource, { crs: given }: GeoJsonReadOptions): Promise<FeatureStream> {
  const crs = given === undefined ? await declaredCrs(source) : { crs: given, declared: true };
  return {
    name: source.name,
    crs: crs.crs,
    [Symbol.asyncIterator]: () => readGeoJson(source, crs.declared, given !== undefined),
  };
}

async function* readGeoJson(source: ByteSource, declared: boolean, forced: boolean): AsyncGenerator<Feature> {
  const scanner = new GeoJsonScanner(source.name);
  const members = new Map<string, string>();
  let index = 0;
  for await (const chunk of source.chunks()) {
    for (const part of scanner.push(chunk)) {
      if (part.kind === "member") {
        if (part.name === "crs" && !forced && !declared && !isNullText(part.text)) refuseLateCrs(source.name);
        members.set(part.name, part.text);
        continue;
      }
      yield checked(featureOf(part, index, source.name), index, source.name, declared);
      index += 1;
    }
  }
  scanner.end();
  if (scanner.hasFeatures) return;
  yield* singleFeature(members, source.name, declared);
}

/** A file that is one Feature or one geometry. */
function* singleFeature(members: ReadonlyMap<string, string>, name: string, declared: boolean): Generator<Feature> {
  const type = members.get("type");
  if (type === undefined) {
    throw new GeoLearnError("FEATURES_CORRUPT", `${name} is no GeoJSON: its object has no "type".`, {
      hint: 'GeoJSON is an object of type "FeatureCollection", "Feature" or a geometry type.',
      data: { file: name },
    });
  }
  if (type === '"FeatureCollection"') {
    throw new GeoLearnError("FEATURES_CORRUPT", `${name} is a FeatureCollection without a list "features".`, {
      hint: "Export the file again from its source.",
      data: { file: name },
    });
  }
  const value = Object.create(null) as Record<string, unknown>;
  for (const [member, text] of members) value[member] = parsed(text, `${name}: member "${member.slice(0, 40)}"`);
  const feature = value["type"] === "Feature" ? featureFromJson(value, name) : { geometry: geometryFromJson(value, name), properties: {} };
  yield checked(feature, 0, name, declared);
}

function featureOf(part: GeoJsonPart, index: number, name: string): Feature {
  const where = `feature ${index} of ${name}`;
  return featureFromJson(parsed(part.text, where), where);
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GeoLearnError("FEATURES_CORRUPT", `${where}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      hint: "Export the file again from its source.",
      data: { where },
      cause,
    });
  }
}

/** Reads as far as the features, and looks at the end of the file for what follows them. */
async function declaredCrs(source: ByteSource): Promise<{ crs: Crs | null; declared: boolean }> {
  const scanner = new GeoJsonScanner(source.name);
  const behind = new TextDecoder("latin1").decode(await source.tail(TAIL)).includes('"crs"');
  for await (const chunk of source.chunks()) {
    for (const part of scanner.push(chunk)) {
      if (part.kind === "member" && part.name === "crs")
        return { crs: crsOfMember(parsed(part.text, `${source.name}: "crs"`), source.name), declared: true };
      if (part.kind === "feature" && !behind) return { crs: parseCrs(4326), declared: false };
    }
  }
  return { crs: parseCrs(4326), declared: false };
}

/** The system of a 2008 `crs` member. */
export function crsOfMember(value: unknown, name: string): Crs | null {
  if (value === null) return null;
  const properties = isRecord(value) && isRecord(value["properties"]) ? value["properties"] : {};
  const named = properties["name"] ?? properties["code"];
  if (typeof named === "string" || typeof named === "number") return parseCrs(named);
  throw new GeoLearnError("CRS_UNKNOWN", `${name}: its "crs" member names no system: ${JSON.stringify(value).slice(0, 120)}.`, {
    hint: "Name the system of the coordinates, such as `crs: 32633`.",
    data: { file: name },
  });
}

/** Coordinates of a file that names no system must be longitudes and latitudes. */
function checked(feature: Feature, index: number, name: string, declared: boolean): Feature {
  if (declared || feature.geometry === null) return feature;
  forEachPosition(feature.geometry, ([x, y]) => {
    if (Math.abs(y!) <= 90.000001 && Math.abs(x!) <= 540) return;
    throw new GeoLearnError(
      "CRS_MISSING",
      `feature ${index} of ${name} is at (${x}, ${y}): no longitude and latitude, and the file names no reference system.`,
      {
        hint: "Name the system of the coordinates, such as `crs: 32633`.",
        data: { file: name, index, x, y },
      },
    );
  });
  return feature;
}

function refuseLateCrs(name: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${name} names its reference system only behind the features and far from its end.`, {
    hint: 'Move the "crs" member before "features", or name the system, such as `crs: 32633`.',
    data: { file: name },
  });
}

function isNullText(text: string): boolean {
  return text === "null";
}
