/** Detections, true objects and mask on one plane, ready to be laid on one another. */

import {
  type Crs,
  type Feature,
  type Features,
  GeoLearnError,
  type OnWarning,
  type Surface,
  bringAround,
  geometryBounds,
  readFeatures,
  reprojectFeatures,
  sameCrs,
  surfaceOf,
  toEqualArea,
} from "@geolearn/core";

/** Objects of one side. */
export interface PlacedObjects {
  readonly name: string;
  /** As they were read, those without a geometry left out, in the system of the detections. */
  readonly features: readonly Feature[];
  /** On the common plane. */
  readonly surfaces: readonly Surface[];
}

/** Both sides and the land that counts. */
export interface PlacedScene {
  /** The system of the detections. */
  readonly crs: Crs | null;
  readonly predicted: PlacedObjects;
  readonly truth: PlacedObjects;
  /** Null when all land counts. */
  readonly mask: Surface | null;
}

/**
 * Reads the three and brings them to the system of the detections. On systems in degrees areas are those of the ground, and objects meet
 * across 180 degrees; on projected ones they are those of the map.
 *
 * @throws GEOMETRY_INVALID for points and lines; CRS_MISSING; FEATURES_EMPTY for a mask without polygons; what reading throws
 */
export async function placeScene(
  sources: { readonly predicted: string | Features; readonly truth: string | Features; readonly mask: string | Features | undefined },
  options: { readonly signal?: AbortSignal; readonly onWarning?: OnWarning },
): Promise<PlacedScene> {
  const read = (source: string | Features): Promise<Features> =>
    readFeatures(source, options.signal === undefined ? {} : { signal: options.signal });
  const predicted = polygonsOnly(await read(sources.predicted), options.onWarning);
  const truth = inSystemOf(predicted, polygonsOnly(await read(sources.truth), options.onWarning));
  const mask = sources.mask === undefined ? null : inSystemOf(predicted, polygonsOnly(await read(sources.mask), options.onWarning));
  if (mask !== null && mask.features.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `The mask ${mask.name} has no polygons.`, { hint: "Give polygons of the land to compare." });
  }
  const surface = surfacesOn(predicted.crs, [predicted, truth, ...(mask === null ? [] : [mask])]);
  const placed = ({ name, features }: Features): PlacedObjects => ({
    name,
    features,
    surfaces: features.map(({ geometry }) => surface(geometry!)),
  });
  return {
    crs: predicted.crs,
    predicted: placed(predicted),
    truth: placed(truth),
    mask: mask && surface({ type: "GeometryCollection", geometries: mask.features.map(({ geometry }) => geometry!) }),
  };
}

function polygonsOnly(features: Features, onWarning: OnWarning | undefined): Features {
  const kept = features.features.filter(({ geometry }, i) => {
    if (geometry !== null && geometry.type !== "Polygon" && geometry.type !== "MultiPolygon") {
      throw new GeoLearnError(
        "GEOMETRY_INVALID",
        `Feature ${i} of ${features.name} is a ${geometry.type}; objects are compared as polygons.`,
        {
          hint: "Buffer points and lines first, so that they have an area.",
          data: { index: i },
        },
      );
    }
    return geometryBounds(geometry) !== null;
  });
  const left = features.features.length - kept.length;
  if (left > 0)
    onWarning?.({ code: "FEATURES_WITHOUT_GEOMETRY", message: `${left} features of ${features.name} have no geometry and are left out.` });
  return { ...features, features: kept };
}

function inSystemOf(predicted: Features, other: Features): Features {
  const [target, own] = [predicted.crs, other.crs];
  if (target === null && own === null) return other;
  if (target === null || own === null) {
    const [lacking, having] = target === null ? [predicted, other] : [other, predicted];
    throw new GeoLearnError("CRS_MISSING", `${lacking.name} names no reference system, ${having.name} is in ${having.crs!.name}.`, {
      hint: "Read it with `crs`, the system of its coordinates, or give both none.",
    });
  }
  return sameCrs(target, own) ? other : reprojectFeatures(other, target);
}

/** How geometries become surfaces. In degrees all are brought around one meridian first. */
function surfacesOn(crs: Crs | null, all: readonly Features[]): (geometry: NonNullable<Feature["geometry"]>) => Surface {
  if (crs === null || !crs.geographic) return surfaceOf;
  const longitude = all.flatMap(({ features }) => features).map(({ geometry }) => someLongitude(geometry!))[0] ?? 0;
  return (geometry) => surfaceOf(toEqualArea(bringAround(geometry, longitude), crs));
}

function someLongitude(geometry: NonNullable<Feature["geometry"]>): number {
  const polygon =
    geometry.type === "Polygon" ? geometry.coordinates : geometry.type === "MultiPolygon" ? geometry.coordinates[0] : undefined;
  return polygon?.[0]?.[0]?.[0] ?? 0;
}
